"""Checks that hang or fail, and secrets in what they say."""

import threading
from collections.abc import Iterator

from service.doctor.findings import Finding, one_line, run_checks
from service.doctor.secrets import known_secrets, without_secrets
from service.settings import load_settings


def _fine() -> Iterator[Finding]:
    yield Finding("fine", "ok", "good")


def _broken() -> Iterator[Finding]:
    raise ZeroDivisionError("a fault of ours")


def _closed() -> Iterator[Finding]:
    raise PermissionError(13, "Permission denied", "/data/models")


def test_check_that_fails_does_not_end_the_others() -> None:
    found = run_checks({"broken": _broken, "closed": _closed, "fine": _fine}, 5)

    assert [(one.name, one.state) for one in found] == [("broken", "bad"), ("closed", "bad"), ("fine", "ok")]
    assert found[0].found == "the check itself failed: ZeroDivisionError: a fault of ours"
    assert found[1].found == "/data/models: Permission denied"
    assert found[1].advice


def test_check_that_hangs_is_told_in_time() -> None:
    released = threading.Event()

    def hanging() -> Iterator[Finding]:
        released.wait(30)
        yield from _fine()

    found = run_checks({"share": hanging, "fine": _fine}, 0.3)

    released.set()
    assert [(one.name, one.state, one.found) for one in found] == [
        ("share", "bad", "no answer within 0.3 s"),
        ("fine", "ok", "good"),
    ]


def test_no_password_and_no_key_is_shown_as_written_or_as_meant() -> None:
    settings = load_settings(
        secret_key="a-key-of-some-length",
        database_url="postgresql+psycopg://anna:pa%24%24wort@db/actogram",
        mqtt_url="mqtt://cam:hun#ter2@broker",
    )
    secrets = known_secrets(settings, {"HTTPS_PROXY": "http://me:prox1pass@proxy:3128"})
    said = "pa%24%24wort pa$$wort hun#ter2 prox1pass a-key-of-some-length host"

    (finding,) = without_secrets([Finding("x", "bad", said, said)], secrets)

    assert finding.found == finding.advice == "*** *** *** *** *** host"


def test_long_and_broken_text_becomes_one_line() -> None:
    assert one_line("a\n b\t c", 10) == "a b c"
    assert one_line("x" * 20, 5) == "xxxx…"
