"""What `make audit` makes of the advisory database's words."""

import pytest

from tests.docker.requirements.test_lock import module_of

SKIPPED = {"name": "left", "skip_reason": "not to be reached"}
FINE = {"name": "fine", "version": "1.0", "vulns": []}
FAULTY = {"name": "faulty", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}


@pytest.mark.parametrize(
    ("packages", "status", "word"),
    [
        ([SKIPPED, SKIPPED], 0, "skipped"),
        ([], 0, "skipped"),
        ([FINE], 0, "0 advisories"),
        ([FINE, FAULTY], 1, "faulty 1.0: PYSEC-1, fixed in 1.1"),
        ([FINE, SKIPPED], 1, "not to be reached"),
    ],
    ids=["no database", "no answer", "nothing known", "an advisory", "only a part"],
)
def test_audit_ends_as_the_database_says(
    packages: list[dict[str, object]], status: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = module_of("audit")

    ended = audit.tell(audit.read([{"dependencies": packages}]))

    assert ended == status
    assert word in capsys.readouterr().out


def test_audit_asks_about_each_version_of_a_package_once() -> None:
    audit = module_of("audit")

    rounds = list(audit.rounds(["a==1 ; python < '3.12'\nA==1\nb_c==1", "a==2\nb-c==1"]))

    assert rounds == [["a==1", "b-c==1"], ["a==2"]]
