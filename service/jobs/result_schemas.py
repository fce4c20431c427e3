"""The forms of a job's results, as docs/results.md describes them; the worker writes the files, nothing reads them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from pipelines.types import BreakEnd, BreakReason, EventState, ToldEnd
from service.people_schemas import EventFields, FramePerson


class TimelineAction(BaseModel):
    """One action of one person, media seconds."""

    action: str
    start_s: float
    end_s: float
    score: float = Field(description="0..1.")
    state: EventState


class TimelineTrack(BaseModel):
    """One person from first to last sight, and what they did, in order of time."""

    track_id: int
    number: int | None = Field(None, description="How the person is shown: 1, 2, 3 in order of appearance.")
    start_s: float
    end_s: float
    actions: list[TimelineAction]


class Timeline(BaseModel):
    """Who did what, from when to when."""

    source: str
    duration_s: float | None
    frame_size: tuple[int, int]
    model: str
    layout: str
    tracks: list[TimelineTrack] = Field(description="In order of appearance.")


class ResultStats(BaseModel):
    """What an analysis took."""

    frames: int
    analysed: int
    seconds: float
    fps: float
    stage_ms: dict[str, float] = Field(description="Stage → mean milliseconds per analysed frame.")
    label_flips: int
    peak_rss_bytes: int
    camera_moved: int
    rotate_deg: int
    corrupt: int
    out_of_order: int
    skipped_rate: int
    breaks: dict[str, int] = Field(description="Reason → frames that do not follow on the one before.")
    slow_motion: float | None
    is_truncated: bool


class ResultSummary(Timeline):
    """The whole result as one object: `?format=json`, and the last line of JSON Lines."""

    stats: ResultStats


class SourceLine(BaseModel):
    """The first line."""

    type: Literal["source"]
    v: Literal[1]
    source: str
    duration_s: float | None
    frame_size: tuple[int, int]
    model: str
    layout: str
    labels: list[str]


class FrameLine(BaseModel):
    """Everyone in one frame."""

    type: Literal["frame"]
    frame_index: int
    media_time_s: float
    interpolated: bool
    persons: list[FramePerson]


class ActionLine(EventFields):
    """An event as it stood at one frame; a later line with the same `event_id` replaces it."""

    type: Literal["action"]
    partner: int | None = None
    media_time_s: float
    frame_index: int


class TrackLine(BaseModel):
    """A person who is no longer followed."""

    type: Literal["track"]
    track_id: int
    state: Literal["ended"]
    reason: ToldEnd
    break_: BreakEnd | None = Field(None, alias="break")
    media_time_s: float
    frame_index: int


class BreakLine(BaseModel):
    """The frame after this line does not follow on the one before."""

    type: Literal["break"]
    reason: BreakReason
    media_time_s: float
    frame_index: int
    frame_size: tuple[int, int]


class SummaryLine(ResultSummary):
    """The last line."""

    type: Literal["summary"]


class ResultLine(
    RootModel[
        Annotated[
            SourceLine | FrameLine | ActionLine | TrackLine | BreakLine | SummaryLine, Field(discriminator="type")
        ]
    ]
):
    """One line of JSON Lines; skip types that you do not know."""
