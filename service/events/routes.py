"""GET and PATCH of events, their evidence, feedback, and the tracks they belong to."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from service.blob_response import send
from service.blobs import THUMBNAIL_CACHE
from service.deps import provided
from service.errors import NotFound, NoThumbnail, NotReady
from service.events.control import EventControl
from service.events.evidence import EvidenceFolder
from service.events.query import FilterDep
from service.events.schemas import (
    EventPage,
    EventPatch,
    EventRead,
    FeedbackCreate,
    FeedbackList,
    FeedbackRead,
    TrackRead,
    TrackTimeline,
)
from service.numbers import in_utc, parse_integer
from service.paging import cut_page, decode_cursor, invalid_cursor
from service.responses import NO_STORE, content, file, problems
from service.security import Admin, Operator, Viewer

router = APIRouter(prefix="/v1", tags=["events"])


@dataclass(frozen=True, slots=True)
class TrackEraser:
    """Erases all that a person left; wiring.py joins it with the other slices.

    erase: stream and number; False when that goes on after the call.
    """

    erase: Callable[[str, int], bool]


EventControlDep = Annotated[EventControl, Depends(provided(EventControl))]
EvidenceDep = Annotated[EvidenceFolder, Depends(provided(EvidenceFolder))]
EraserDep = Annotated[TrackEraser, Depends(provided(TrackEraser))]


_NO_CLIP = problems(
    {409: "`clip_none`, `clip_pending`, `clip_failed`: there is none, not yet, or never will be", **NO_STORE}
)


@router.get("/events", dependencies=[Viewer])
def list_events(
    control: EventControlDep,
    wanted: FilterDep,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> EventPage:
    """Events, the newest first."""
    rows = control.page(wanted, None if cursor is None else _place(cursor), limit + 1)
    shown, more = cut_page(rows, limit, lambda row: (row.start_time.isoformat(), row.event.event_id))
    return EventPage(items=[EventRead.of(row) for row in shown], next_cursor=more)


@router.get("/events/{event_id}", dependencies=[Viewer])
def get_event(event_id: str, control: EventControlDep) -> EventRead:
    """One event."""
    return EventRead.of(control.require(event_id))


@router.patch("/events/{event_id}", dependencies=[Operator])
def change_event(event_id: str, patch: EventPatch, control: EventControlDep) -> EventRead:
    """Acknowledge or comment."""
    return EventRead.of(control.change(event_id, patch))


@router.get(
    "/events/{event_id}/clip", dependencies=[Viewer], response_class=Response,
    responses={**file("The clip.", "video/mp4"), **_NO_CLIP},
)  # fmt: skip
def get_clip(event_id: str, control: EventControlDep, evidence: EvidenceDep) -> Response:
    """The camera's own pictures around the event, not re-encoded (MP4)."""
    row = control.require(event_id)
    found = evidence.clip(event_id)
    if found is None:
        raise NotReady(f"the clip of {event_id} is {row.clip_state}", f"clip_{row.clip_state}")
    return send(found, "video/mp4", f"{event_id}.mp4")


@router.get(
    "/events/{event_id}/thumbnail", dependencies=[Viewer], response_class=Response,
    responses={
        **file("A small picture.", "image/jpeg"),
        **problems({404: "`not_found`: no such event; `no_thumbnail`: none was kept", **NO_STORE}),
    },
)  # fmt: skip
def get_event_thumbnail(event_id: str, control: EventControlDep, evidence: EvidenceDep) -> Response:
    """A JPEG, at most 320 pixels wide and high, of the picture with which the event was confirmed.

    It is kept of events that have evidence, unless the stream's `privacy.pictures` is false.
    """
    control.require(event_id)
    found = evidence.thumbnail(event_id)
    if found is None:
        raise NoThumbnail(
            f"no picture of {event_id}: one is kept of events with evidence on streams that show pictures"
        )
    return send(found, "image/jpeg", headers={"Cache-Control": THUMBNAIL_CACHE})


@router.get(
    "/events/{event_id}/evidence", dependencies=[Viewer], response_class=Response,
    responses={**file("The evidence.", "application/zip"), **_NO_CLIP},
)  # fmt: skip
def get_evidence(event_id: str, control: EventControlDep, evidence: EvidenceDep) -> FileResponse:
    """Why the event was announced: clip, skeletons, window scores, thresholds and the model's hash (zip)."""
    row = control.require(event_id)
    path = evidence.bundle(event_id, EventRead.of(row).model_dump(mode="json"))
    if path is None:
        raise NotReady(f"the evidence of {event_id} is {row.clip_state}", f"clip_{row.clip_state}")
    gone = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type="application/zip", filename=f"{event_id}.zip", background=gone)


@router.get("/events/{event_id}/feedback", dependencies=[Viewer])
def list_feedback(event_id: str, control: EventControlDep) -> FeedbackList:
    """Users' opinions of an event."""
    rows = control.feedback(event_id)
    return FeedbackList(items=[FeedbackRead.model_validate(dict(row)) for row in rows])


@router.post("/events/{event_id}/feedback", dependencies=[Operator], status_code=status.HTTP_201_CREATED)
def add_feedback(event_id: str, opinion: FeedbackCreate, control: EventControlDep) -> FeedbackRead:
    """Say whether an event was right, and what it really was."""
    added = control.add_feedback(event_id, opinion)
    found = next(row for row in control.feedback(event_id) if row["feedback_id"] == added)
    return FeedbackRead.model_validate(dict(found))


@router.get("/tracks/{track_id}", dependencies=[Viewer], tags=["tracks"])
def get_track(track_id: str, control: EventControlDep) -> TrackRead:
    """One person of a stream; the id is `<stream>:<number>`."""
    return control.require_track(*_track(track_id))


@router.delete(
    "/tracks/{track_id}", status_code=204, dependencies=[Admin], tags=["tracks"], response_class=Response,
    responses={
        202: {"description": "It goes on: the request is kept, and nothing more needs to be done."},
        **problems({409: "`track_active`: the person is still followed, or a clip is being written"}),
    },
)  # fmt: skip
def erase_track(track_id: str, eraser: EraserDep) -> Response:
    """Erase a person who left: events, clips, skeletons, messages, and every other clip that shows them."""
    return Response(status_code=204 if eraser.erase(*_track(track_id)) else 202)


@router.get("/tracks/{track_id}/timeline", dependencies=[Viewer], tags=["tracks"])
def get_track_timeline(track_id: str, control: EventControlDep) -> TrackTimeline:
    """How long each action of a person lasted."""
    return control.timeline(*_track(track_id))


@router.get(
    "/tracks/{track_id}/keypoints", dependencies=[Viewer], tags=["tracks"], response_class=Response,
    responses=content("The skeletons.", {"application/jsonl": {"type": "string", "description": "One object a line."}}),
)  # fmt: skip
def get_track_keypoints(track_id: str, control: EventControlDep, evidence: EvidenceDep) -> Response:
    """A person's skeletons, one JSON object a line: of the last minute, and around each event that has evidence."""
    stream_id, number = _track(track_id)
    timeline = control.timeline(stream_id, number)
    lines = evidence.keypoints(stream_id, number, [segment.event_id for segment in timeline.segments])
    if lines is None:
        raise NotFound(
            f"no skeletons of {track_id}: it left more than a minute ago, and none of its events has evidence"
        )
    return Response(lines, media_type="application/jsonl")


def _track(track_id: str) -> tuple[str, int]:
    stream_id, _, number = track_id.rpartition(":")
    found = parse_integer(number)
    if not stream_id or found is None:
        raise NotFound(f"no track {track_id[:128]!r}: expected <stream>:<number>")
    return stream_id, found


def _place(cursor: str) -> tuple[dt.datetime, str]:
    time, event_id = decode_cursor(cursor, 2)
    try:
        start_time = dt.datetime.fromisoformat(time)
    except ValueError as error:
        raise invalid_cursor() from error
    if start_time.tzinfo is None:
        raise invalid_cursor()
    return in_utc(start_time, "query.cursor"), event_id
