"""Names of files that every system takes: Windows, macOS, Linux and what unpacks archives on them."""

import datetime as dt
import re
import unicodedata

_CHARS_MAX = 100


def plain_name(text: str) -> str:
    """A text in ASCII letters, digits, `-` and `_`; never empty, never more than a hundred characters."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", ascii_text).strip("_-")[:_CHARS_MAX] or "x"


def time_name(time: dt.datetime) -> str:
    """A moment as it may begin a name: `20260504T101112Z`, so that names lie in the order of time."""
    return time.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
