"""What a client sends over the live channel."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.live.hub import Interest


class Subscribe(BaseModel):
    """The one thing that a client sends; a later one takes the place of the first."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["subscribe"]
    streams: list[str] | None = Field(None, max_length=100, description="Patterns of stream ids; left out: all.")
    jobs: list[str] | None = Field(None, max_length=100, description="Patterns of job ids; left out: all.")
    messages: list[str] | None = Field(
        None, max_length=50, description="Families (action) or types (action.ended); left out: all but frames."
    )
    since_seq: int | None = Field(None, ge=0, description="Tell everything stored after this number first.")
    max_rate_hz: float | None = Field(None, gt=0, le=120, description="Frames and progress per second and source.")

    def interest(self) -> Interest:
        """The same as the hub keeps it."""
        return Interest(
            None if self.streams is None else tuple(self.streams),
            None if self.jobs is None else tuple(self.jobs),
            None if self.messages is None else frozenset(self.messages),
            self.max_rate_hz,
        )
