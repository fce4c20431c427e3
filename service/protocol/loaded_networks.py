"""What a worker says of the networks that it has opened, among its facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue, TypeAdapter, ValidationError

LOADED = "loaded"
"""The name of the fact."""
Per = Literal["picture", "person", "window"]


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """One network of one worker.

    ms: milliseconds that it took there, measured when it was opened. per: for what: a picture, the joints of one
    person, or one window of an action model. is_loaded: open now; otherwise it was closed to make room.
    """

    name: str
    sha256: str
    ms: float
    per: Per
    device: str
    is_loaded: bool = True


_ALL = TypeAdapter(tuple[LoadedNetwork, ...])


def loaded_of(facts: Mapping[str, JsonValue]) -> Sequence[LoadedNetwork]:
    """The networks among a worker's facts; empty where it said nothing of them."""
    try:
        return _ALL.validate_python(facts.get(LOADED, ()))
    except ValidationError:
        return ()
