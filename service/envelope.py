"""The shape of every message: over the live channel, to webhooks, to MQTT and into the events file."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, JsonValue

from service.event_log import Message


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
        """A message in the form in which it is sent."""
        return cls(
            seq=seq, type=message.type, stream_id=message.stream_id, job_id=message.job_id, time=message.time,
            media_time_s=message.media_time_s, frame_index=message.frame_index, tags=dict(message.tags),
            data=dict(message.data),
        )  # fmt: skip

    def message(self) -> Message:
        """The message itself, as one that is not stored here: its number is another server's last one."""
        return Message(
            self.type, self.data, self.stream_id, self.job_id, self.time, self.media_time_s, self.frame_index,
            self.tags,
        )  # fmt: skip
