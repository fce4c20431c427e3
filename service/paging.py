"""Pages of a list: the cursor is opaque text that names the last row of the page before."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from service.errors import InvalidRequest

T = TypeVar("T")

_SEPARATOR = "|"


def encode_cursor(*place: str) -> str:
    """The cursor for a row's place in the list; only the last part of the place may hold a `|`."""
    return base64.urlsafe_b64encode(_SEPARATOR.join(place).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, num_parts: int = 1) -> tuple[str, ...]:
    """The place that a cursor names, in `num_parts` parts; raises InvalidRequest for text that is not a cursor."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_cursor() from error
    place = tuple(text.split(_SEPARATOR, num_parts - 1))
    if len(place) != num_parts or not text.isprintable():
        raise invalid_cursor()
    return place


def invalid_cursor() -> InvalidRequest:
    """What a request with a made-up cursor gets."""
    return InvalidRequest("query.cursor: not a valid cursor; pass the `next_cursor` of an earlier page unchanged")


def cut_page(rows: Sequence[T], limit: int, place: Callable[[T], tuple[str, ...]]) -> tuple[Sequence[T], str | None]:
    """The first `limit` of up to `limit + 1` rows, and the cursor of the page after them; None on the last page.

    place: where a row stands in the list.
    """
    shown = rows[:limit]
    return shown, encode_cursor(*place(shown[-1])) if len(rows) > limit else None
