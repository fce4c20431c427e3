"""The one place where an event becomes JSON: for result files, messages to clients, the database and the REST API.

What is said of an event follows from the fields of `Event`: a new field appears wherever events are told.
"""

from dataclasses import dataclass, fields
from typing import cast

from pydantic import JsonValue

from pipelines.types import Event

_FIELDS = tuple(one.name for one in fields(Event))


@dataclass(frozen=True, slots=True)
class Decimals:
    """How many decimals a number keeps.

    seconds: of fields that end in `_s`.  share: of each number in a tuple, such as a box.  score: of any other number.
    """

    seconds: int
    score: int
    share: int


FILE = Decimals(seconds=4, score=3, share=4)
"""In result files."""
MESSAGE = Decimals(seconds=3, score=4, share=5)
"""In the live channel, webhooks, MQTT and the events file."""


def event_fields(event: Event) -> dict[str, object]:
    """The fields that every event has, by name, without those that a subclass adds."""
    return {name: getattr(event, name) for name in _FIELDS}


def event_object(event: Event, decimals: Decimals) -> dict[str, JsonValue]:
    """An event as a JSON object, its numbers rounded."""
    return {name: _rounded(name, value, decimals) for name, value in event_fields(event).items()}


def _rounded(name: str, value: object, decimals: Decimals) -> JsonValue:
    if isinstance(value, tuple):
        return [round(part, decimals.share) for part in value]
    if isinstance(value, float):
        return round(value, decimals.seconds if name.endswith("_s") else decimals.score)
    return cast("JsonValue", value)
