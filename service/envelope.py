"""What goes over the live channel."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.event_log import Message
from service.live.hub import Interest
from service.patterns import Pattern


class Subscribe(BaseModel):
    """The one thing that a client sends; a later one takes the place of the first."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["subscribe"]
    streams: list[Pattern] | None = Field(None, max_length=100, description="Patterns of stream ids; left out: all.")
    jobs: list[Pattern] | None = Field(None, max_length=100, description="Patterns of job ids; left out: all.")
    messages: list[Annotated[str, Field(max_length=64)]] | None = Field(
        None, max_length=50, description="Families (action) or types (action.ended); left out: all but frames."
    )
    since_seq: int | None = Field(None, ge=0, lt=2**63, description="Tell everything stored after this number first.")
    max_rate_hz: float | None = Field(None, gt=0, le=120, description="Frames and progress per second and source.")

    def interest(self) -> Interest:
        """The same as the hub keeps it."""
        return Interest(
            None if self.streams is None else tuple(self.streams),
            None if self.jobs is None else tuple(self.jobs),
            None if self.messages is None else frozenset(self.messages),
            self.max_rate_hz,
        )


class Envelope(BaseModel):
    """Every message of the live channel, of webhooks and of MQTT.

    Stored messages carry their own number; frames, progress and heartbeats repeat the last stored one, so that the
    highest `seq` a client has seen is always the right `since_seq`.
    """

    v: Literal[1] = 1
    seq: int
    type: str
    stream_id: str | None = None
    job_id: str | None = None
    time: dt.datetime
    media_time_s: float | None = None
    frame_index: int | None = None
    tags: dict[str, str] = {}
    data: dict[str, JsonValue] = {}

    @classmethod
    def of(cls, message: Message, seq: int) -> "Envelope":
        """A message as it is sent."""
        return cls(
            seq=seq, type=message.type, stream_id=message.stream_id, job_id=message.job_id, time=message.time,
            media_time_s=message.media_time_s, frame_index=message.frame_index, tags=dict(message.tags),
            data=dict(message.data),
        )  # fmt: skip
