"""What a worker could say of an action, ready made: two seconds into a stream that began a second before T0."""

import datetime as dt

from pipelines.event_json import parse_event
from pipelines.types import EventState
from service.protocol.facts import ActionChange, ActionReport

T0 = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
_STATES: dict[ActionChange, EventState] = {
    "action.provisional": "provisional",
    "action.started": "confirmed",
    "action.updated": "confirmed",
    "action.ended": "ended",
    "action.retracted": "retracted",
}


def report(
    name: ActionChange = "action.started", event_id: str = "e1", end_s: float = 2.0, action: str = "fall",
    track_id: int = 7, **of_event: object,
) -> ActionReport:  # fmt: skip
    """An event that began at T0, a second into the stream; evidence is kept of falls alone."""
    known = {
        "event_id": event_id, "track_id": track_id, "action": action, "state": _STATES[name], "start_s": 1.0,
        "end_s": end_s, "score": 0.9, "box": (0.1, 0.2, 0.2, 0.8), "partner": track_id + 1,
    }  # fmt: skip
    event = parse_event({**known, **of_event})
    return ActionReport(
        event, name == "action.started", T0, T0 + dt.timedelta(seconds=end_s - 1), (640, 480),
        has_evidence=action == "fall", model="m", latency_ms={"total": 120.0}, frame_index=29,
    )  # fmt: skip
