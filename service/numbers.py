"""Numbers and times as clients write them, within what a database can hold."""

import datetime as dt

from service.errors import InvalidRequest

INTEGER_MAX = 2**63 - 1
_DIGITS_MAX = 19


def parse_integer(text: str) -> int | None:
    """A whole number of ASCII digits that a database column can hold; None for anything else, such as "²"."""
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX:
        return None
    found = int(text)
    return found if found <= INTEGER_MAX else None


def in_utc(time: dt.datetime, where: str) -> dt.datetime:
    """A time in UTC, which one without zone is in already; raises InvalidRequest for one that has none there."""
    try:
        return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except OverflowError as error:
        raise InvalidRequest(f"{where}: {time.isoformat()} lies beyond the years 1 to 9999 in UTC") from error
