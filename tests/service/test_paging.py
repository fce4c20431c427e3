"""Cursors: what comes back is what was given, and nothing else is taken for one."""

import pytest

from service.errors import InvalidRequest
from service.paging import cut_page, decode_cursor, encode_cursor


@pytest.mark.parametrize("place", [("job_01",), ("2026-01-01T00:00:00+00:00", "dock|7"), ("Größe",)])
def test_cursor_leads_back_to_its_place(place: tuple[str, ...]) -> None:
    assert decode_cursor(encode_cursor(*place), len(place)) == place


@pytest.mark.parametrize(
    ("cursor", "num_parts"),
    [("x", 1), ("é", 1), ("_w", 1), (encode_cursor("one"), 2), (encode_cursor("nul\0"), 1)],
    ids=["too-short", "not-ascii", "not-utf8", "part-missing", "control-character"],
)
def test_text_that_is_no_cursor_is_refused(cursor: str, num_parts: int) -> None:
    with pytest.raises(InvalidRequest, match="not a valid cursor"):
        decode_cursor(cursor, num_parts)


@pytest.mark.parametrize(
    ("num_rows", "shown", "more"),
    [(0, [], None), (2, [0, 1], None), (3, [0, 1], encode_cursor("1"))],
    ids=["empty", "last-page", "more-to-come"],
)
def test_page_has_a_cursor_only_when_more_rows_follow(num_rows: int, shown: list[int], more: str | None) -> None:
    page, cursor = cut_page(range(num_rows), 2, lambda row: (str(row),))

    assert (list(page), cursor) == (shown, more)
