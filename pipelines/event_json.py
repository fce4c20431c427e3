"""The one place where an event becomes JSON, and is read again: for files, messages, the database and the REST API.

What is said of an event follows from the fields of `Event`: a new field appears wherever events are told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import cast

from pydantic import JsonValue, TypeAdapter

from pipelines.types import Event

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_FIELDS = tuple(one.name for one in fields(Event))


@dataclass(frozen=True, slots=True)
class Decimals:
    """How many decimals a number keeps.

    seconds: of fields that end in `_s`; None keeps them as they are.
    share: of each number in a tuple, such as a box.
    score: of any other number.
    is_complete: whether a partner is told where there is none, too; only models of pairs know of partners.
    """

    seconds: int | None
    score: int
    share: int
    is_complete: bool = False


FILE = Decimals(seconds=4, score=3, share=4)
"""In result files."""
MESSAGE = Decimals(seconds=3, score=4, share=5)
"""In the live channel, webhooks, MQTT and the events file."""
STORED = Decimals(seconds=None, score=4, share=5, is_complete=True)
"""Between processes, in the database and in the REST API."""


def event_object(event: Event, decimals: Decimals) -> dict[str, JsonValue]:
    """An event as a JSON object, its numbers rounded."""
    told = {name: _rounded(name, getattr(event, name), decimals) for name in _FIELDS}
    if event.partner is None and not decimals.is_complete:
        del told["partner"]
    return told


def parse_event(values: Mapping[str, object]) -> Event:
    """The event of a JSON object, or of a row that has more columns; raises pydantic.ValidationError."""
    return _EVENT.validate_python({name: values[name] for name in _FIELDS if name in values})


def _rounded(name: str, value: object, decimals: Decimals) -> JsonValue:
    if isinstance(value, tuple):
        return [round(part, decimals.share) for part in value]
    if isinstance(value, float):
        if name.endswith("_s"):
            return value if decimals.seconds is None else round(value, decimals.seconds)
        return round(value, decimals.score)
    return cast("JsonValue", value)
