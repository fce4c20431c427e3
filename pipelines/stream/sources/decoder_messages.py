"""What a decoder process and the one that started it say to each other: a line of JSON each, read as data only."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_type_hints

from models.arrays import Image
from pipelines.stream.sources.decoder_limits import DecoderLimits
from pipelines.stream.sources.info import SourceCounts, SourceInfo, SourceLimits
from pipelines.types import Frame

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Order:
    """To the decoder: the file to read, and how."""

    path: str
    rate_hz: float | None
    limits: SourceLimits
    decoder: DecoderLimits


@dataclass(frozen=True, slots=True)
class Opened:
    """The file was opened, and its first picture decoded."""

    info: SourceInfo
    counts: SourceCounts
    kind: Literal["opened"] = "opened"


@dataclass(frozen=True, slots=True)
class PictureReady:
    """A picture lies in a place of the ring, which is the reader's until it gives it back.

    frame: every field of `Frame` but its pixels. counts: what was read up to this frame.
    """

    place: int
    size_wh: tuple[int, int]
    frame: Mapping[str, object]
    counts: SourceCounts
    kind: Literal["picture"] = "picture"


@dataclass(frozen=True, slots=True)
class Finished:
    """The file was read to its end."""

    counts: SourceCounts
    kind: Literal["finished"] = "finished"


@dataclass(frozen=True, slots=True)
class Refused:
    """The file could not be read, or not further: the name of the error's class, its code and its text."""

    error: str
    code: str
    message: str
    counts: SourceCounts = field(default_factory=SourceCounts)
    kind: Literal["refused"] = "refused"


Message = Opened | PictureReady | Finished | Refused


class MessageInvalid(Exception):
    """A line that is none of the messages."""


def encode(message: Order | Message) -> bytes:
    """The message as one line."""
    return json.dumps(asdict(message)).encode() + b"\n"


def decode(line: bytes) -> Message:
    """A decoder's message; raises MessageInvalid."""
    try:
        return _messages().validate_python(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise MessageInvalid(f"not a message: {line[:80]!r}") from error


def decode_order(line: bytes) -> Order:
    """What the starting process wrote; it is trusted."""
    order = json.loads(line)
    return Order(order["path"], order["rate_hz"], SourceLimits(**order["limits"]), DecoderLimits(**order["decoder"]))


def header_of(frame: Frame) -> Mapping[str, object]:
    """Every field of a frame but its pixels."""
    return {each.name: getattr(frame, each.name) for each in fields(frame) if each.name != _PIXELS}


def frame_of(header: Mapping[str, object], image: Image) -> Frame:
    """The frame that `header_of` was asked about; raises MessageInvalid."""
    adapters = _header_fields()
    if header.keys() != adapters.keys():
        raise MessageInvalid(f"fields of a frame: {', '.join(header)}; expected are {', '.join(adapters)}")
    try:
        values = {name: adapter.validate_python(header[name]) for name, adapter in adapters.items()}
    except ValueError as error:
        raise MessageInvalid(f"not the fields of a frame: {error}") from error
    return cast("Callable[..., Frame]", Frame)(**{_PIXELS: image}, **values)


_PIXELS = "image"


@cache
def _messages() -> "TypeAdapter[Message]":
    # Imported late: the decoder's process only writes messages, and starts sooner without.
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Message, Field(discriminator="kind")])


@cache
def _header_fields() -> "dict[str, TypeAdapter[object]]":
    from pydantic import TypeAdapter

    hints = get_type_hints(Frame)
    return {each.name: TypeAdapter(hints[each.name]) for each in fields(Frame) if each.name != _PIXELS}
