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


@pytest.fixture(scope="module")
def verify() -> Callable[[str, dict[str, str], bytes], bool]:
    """The function as the page prints it."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(blocks[0], str(PAGE), "exec"), names)
    return cast("Callable[[str, dict[str, str], bytes], bool]", names["verify"])


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
