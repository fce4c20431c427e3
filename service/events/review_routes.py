"""GET of the days that have events, of a timeline of all cameras, and of a range of events as a file."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from service.days import Bucket
from service.deps import provided
from service.errors import InvalidRequest
from service.events.export import EventExport, Kind
from service.events.query import FilterDep
from service.events.review import EventReview
from service.events.schemas import DayList, TimelineOverview
from service.responses import content, problems
from service.security import Viewer

router = APIRouter(prefix="/v1/events", tags=["events"])

ReviewDep = Annotated[EventReview, Depends(provided(EventReview))]
ExportDep = Annotated[EventExport, Depends(provided(EventExport))]
_FILE = {"type": "string", "format": "binary"}
_TOO_LONG = problems({422: "`range_too_long`: over 62 days, of the overview over 7; `invalid_request`"})
_TOO_LARGE = problems({422: "`export_too_large`: too many events or bytes for one file; `invalid_request`"})


@router.get("/days", dependencies=[Viewer], responses=_TOO_LONG, summary="Which days have events")
def list_days(
    control: ReviewDep,
    wanted: FilterDep,
    tz: Annotated[str, Query(max_length=64, description="Whose days: an IANA name.")] = "UTC",
) -> DayList:
    """How many events, alarms and warnings began on each day from `since` to `until`, at most 62 days."""
    return control.days(wanted, tz)


@router.get("/overview", dependencies=[Viewer], responses=_TOO_LONG, summary="See when each camera had events")
def get_overview(
    control: ReviewDep,
    wanted: FilterDep,
    parts: Annotated[int, Query(ge=1, le=1440, description="Into how many equal parts the range is cut.")] = 288,
) -> TimelineOverview:
    """How many events of each stream began in each part of the range from `since` to `until`, at most seven days.

    An event that began more than a day before the range is not seen in it.
    """
    return control.overview(wanted, parts)


@router.get(
    "/export", dependencies=[Viewer], response_class=StreamingResponse, summary="Take a range of events away",
    responses={
        **content("The file.", {"application/zip": _FILE, "text/csv": {"type": "string"}}), **_TOO_LARGE,
    },
)  # fmt: skip
def export_events(
    control: ExportDep,
    wanted: FilterDep,
    format_: Annotated[Kind, Query(alias="format", description="`clips` and `evidence` are zip archives.")] = "csv",
) -> StreamingResponse:
    """The events from `since` to `until`: a table, with their clips, or with all of their evidence.

    At most 100,000 events as a table, and a thousand of just under four gigabytes otherwise. A clip that is not there
    is left out; the table says what became of it.
    """
    if wanted.since is None or wanted.until is None or wanted.since >= wanted.until:
        raise InvalidRequest("query.since, query.until: both are needed here, the first before the second")
    found = control.open(wanted, format_, Bucket("", wanted.since, wanted.until))
    headers = {"Content-Disposition": f'attachment; filename="{found.name}"'}
    return StreamingResponse(found.pieces, media_type=found.media_type, headers=headers)
