"""What a client sends over the live channel."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.live.hub import Interest
from service.patterns import Pattern


class Subscribe(BaseModel):
    """The one message that a client sends; a later one replaces an earlier one."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["subscribe"]
    streams: list[Pattern] | None = Field(None, max_length=100, description="Patterns of stream ids; left out: all.")
    jobs: list[Pattern] | None = Field(None, max_length=100, description="Patterns of job ids; left out: all.")
    messages: list[Annotated[str, Field(max_length=64)]] | None = Field(
        None, max_length=50, description="Families (action) or types (action.ended); all but frames when left out."
    )
    since_seq: int | None = Field(None, ge=0, lt=2**63, description="First send everything stored after this number.")
    max_rate_hz: float | None = Field(None, gt=0, le=120, description="Frames and progress per second and source.")

    def interest(self) -> Interest:
        """The same, in the form that the hub uses."""
        return Interest(
            None if self.streams is None else tuple(self.streams),
            None if self.jobs is None else tuple(self.jobs),
            None if self.messages is None else frozenset(self.messages),
            self.max_rate_hz,
        )
