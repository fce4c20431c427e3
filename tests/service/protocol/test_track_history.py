"""What a worker remembers of a person fits into one message."""

import pytest

from service.protocol.track_history import newest


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        pytest.param([], (), id="nothing remembered"),
        pytest.param(["aa", "bb"], ("aa", "bb"), id="all of it"),
        pytest.param(["aaaa", "bb", "cc"], ("bb", "cc"), id="the oldest does not fit"),
        pytest.param(["a", "bbbbbbb"], (), id="not even the newest fits"),
        pytest.param(["üü", "bb"], ("bb",), id="bytes, not letters"),
    ],
)
def test_newest_lines_that_fit_are_kept_in_order(lines: list[str], kept: tuple[str, ...]) -> None:
    assert newest(lines, bytes_max=5) == kept
