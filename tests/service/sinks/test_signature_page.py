"""The check of a signature that the documentation shows is the one that receivers need."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from service.sinks.webhook import make_secret, sign

PAGE = Path(__file__).resolve().parents[3] / "docs" / "live.md"
BODY = b'{"type": "action.started"}'


def _printed(name: str) -> object:
    """A function as the page prints it."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(next(one for one in blocks if f"def {name}(" in one), str(PAGE), "exec"), names)
    return names[name]


@pytest.fixture(scope="module")
def verify() -> Callable[[str, dict[str, str], bytes], bool]:
    return cast("Callable[[str, dict[str, str], bytes], bool]", _printed("verify"))


def _headers(secret: str, age_s: int = 0) -> dict[str, str]:
    at = int(time.time()) - age_s
    return {
        "webhook-id": "wh_1-7-x", "webhook-timestamp": str(at), "webhook-signature": sign(secret, "wh_1-7-x", at, BODY)
    }  # fmt: skip


def test_printed_check_takes_what_was_signed(verify: Callable[[str, dict[str, str], bytes], bool]) -> None:
    secret = make_secret()

    assert verify(secret, _headers(secret), BODY)


def test_printed_check_refuses_what_was_changed(verify: Callable[[str, dict[str, str], bytes], bool]) -> None:
    secret = make_secret()

    assert not verify(secret, _headers(secret), BODY + b" ")
    assert not verify(secret, _headers(make_secret()), BODY)
    assert not verify(secret, _headers(secret, age_s=3600), BODY)


def test_printed_check_takes_one_of_several_signatures(verify: Callable[[str, dict[str, str], bytes], bool]) -> None:
    secret = make_secret()
    headers = _headers(secret)
    headers["webhook-signature"] = f"v1a,AAAA v1,AAAA {headers['webhook-signature']}"

    assert verify(secret, headers, BODY)


@pytest.mark.parametrize("secret", [make_secret(), "a secret of one's own"], ids=["ours", "their own"])
def test_printed_use_of_the_standards_library_takes_what_was_signed(secret: str) -> None:
    errors = pytest.importorskip("standardwebhooks.webhooks")
    read = cast("Callable[[str, dict[str, str], bytes], dict[str, object]]", _printed("read"))

    assert read(secret, _headers(secret), BODY) == {"type": "action.started"}
    with pytest.raises(errors.WebhookVerificationError):
        read(secret, _headers(secret), BODY + b" ")
