"""Numbers and times as clients write them, within what a database can hold."""

import datetime as dt
from typing import Annotated

from pydantic import BeforeValidator

from service.errors import InvalidRequest

INTEGER_MAX = 2**63 - 1
_DIGITS_MAX = 19


def parse_integer(text: str) -> int | None:
    """A whole number of ASCII digits that a database column can hold; None for anything else, such as "²"."""
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX:
        return None
    found = int(text)
    return found if found <= INTEGER_MAX else None


def _refuse_number(value: object) -> object:
    # pydantic would take it for seconds, or for milliseconds, since 1970.
    if isinstance(value, str) and value.strip().lstrip("+-").replace(".", "", 1).isdecimal():
        raise ValueError("a number is no time; expected RFC 3339, such as 2026-11-27T08:00:00Z")
    return value


Time = Annotated[dt.datetime, BeforeValidator(_refuse_number)]
"""A time in a query: RFC 3339; without a zone it is UTC."""


def in_utc(time: dt.datetime, where: str) -> dt.datetime:
    """A time in UTC, which one without zone is in already; raises InvalidRequest for one that has none there."""
    try:
        return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except OverflowError as error:
        raise InvalidRequest(f"{where}: {time.isoformat()} lies beyond the years 1 to 9999 in UTC") from error
