"""What clients get about days, hours, cameras and people, as JSON and as CSV."""

import csv
import datetime as dt
import io
from typing import Literal

from pydantic import BaseModel, Field

from service.insights.calendar import By

InsightFormat = Literal["json", "csv"]
_FIXED = (
    "key", "start_time", "end_time", "stream_id", "track_id", "action", "first_movement", "last_movement", "tracks",
    "presence_s", "falls", "other_alarms",
)  # fmt: skip


class InsightRead(BaseModel):
    """One day, hour, camera, person or action."""

    key: str = Field(
        description="The date, the hour with its offset (`2026-03-29T03:00+02:00`), stream, track or action."
    )
    start_time: dt.datetime
    end_time: dt.datetime = Field(description="Of the day or hour, cut by the range asked for.")
    stream_id: str | None = Field(description="By camera and track.")
    track_id: str | None = Field(description="By track: `<stream>:<number>`.")
    action: str | None = Field(description="By action.")
    totals_s: dict[str, float] = Field(
        description="Action → seconds, summed over people: two who sit for a minute make two."
    )
    counts: dict[str, int] = Field(description="Action → events that began here.")
    falls: int = Field(description="Events of `fall` that began here.")
    other_alarms: int = Field(description="Events of severity `alarm`, falls apart, that began here.")
    tracks: int = Field(description="People, as tracks: who leaves and comes back is counted again.")
    presence_s: float | None = Field(
        description="Seconds with anybody in the picture of any of these cameras; null by action, with `zone` or "
        "`action`, of which tracks do not know, and where events have no tracks."
    )
    first_movement: dt.datetime | None = Field(description="The earliest start of any event or track, cut likewise.")
    last_movement: dt.datetime | None = Field(description="The latest end.")


class InsightsRead(BaseModel):
    """Sums over stored events and tracks."""

    by: By
    tz: str
    since: dt.datetime
    until: dt.datetime
    items: list[InsightRead] = Field(
        description="Days and hours in order, empty ones too; cameras and actions by name; people the newest first."
    )
    is_truncated: bool = Field(description="By track: there are more people than the 500 told; narrow the range.")


class HeatmapRead(BaseModel):
    """Where people were in the picture of one stream.

    Made of stored events, not of every picture: each event gives its seconds to the one cell in which the person stood
    (the middle of the box's lower edge; of a wide box, somebody who lies, its middle) when the event last changed.
    """

    stream_id: str
    since: dt.datetime
    until: dt.datetime
    columns: int
    rows: int
    events: int = Field(description="How many events it is made of.")
    seconds: list[list[float]] = Field(description="Row by row from the top, each from the left.")


def csv_text(found: InsightsRead) -> str:
    """A row for each item; after the fixed columns two for each action, its seconds and its count."""
    actions = sorted({action for item in found.items for action in item.totals_s})
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow([*_FIXED, *(name for action in actions for name in (f"{action}_s", f"{action}_count"))])
    for item in found.items:
        told = item.model_dump(mode="json")
        numbers = (
            number for action in actions for number in (item.totals_s.get(action, 0.0), item.counts.get(action, 0))
        )
        rows.writerow([*(told[name] for name in _FIXED), *numbers])
    return file.getvalue()


def negotiate(accept: str) -> InsightFormat:
    """The format that an Accept header prefers; JSON when it does not prefer CSV."""
    weights = {"application/json": 0.0, "text/csv": 0.0}
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if media_type in weights:
            weights[media_type] = next((_weight(piece[2:]) for piece in parameters if piece.startswith("q=")), 1.0)
    return "csv" if weights["text/csv"] > weights["application/json"] else "json"


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
