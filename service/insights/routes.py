"""GET of sums over days, hours, cameras, people and actions, and of where people were."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import HTMLResponse

from pipelines.actions import load_actions
from service.deps import provided
from service.insights.calendar import By
from service.insights.control import InsightControl, Question
from service.insights.report import render
from service.insights.schemas import HeatmapRead, InsightFormat, InsightsRead, csv_text, negotiate
from service.insights.weekly import WeeklyFigures
from service.numbers import Time, in_utc
from service.responses import content, problems
from service.security import Viewer

router = APIRouter(prefix="/v1/insights", tags=["insights"])

InsightControlDep = Annotated[InsightControl, Depends(provided(InsightControl))]
WeeklyDep = Annotated[WeeklyFigures, Depends(provided(WeeklyFigures))]
Name = Annotated[str, Query(max_length=128)]
_Since = Annotated[Time | None, Query(description="Left out: a week before `until`, a day by hour.")]
_Until = Annotated[Time | None, Query(description="Left out: now.")]
_TOO_LONG = problems({422: "`range_too_long`: over 366 days, by hour over 31; `invalid_request`"})
_SUMMED: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **_TOO_LONG}
_STREAMS_MAX = 100


@router.get("", dependencies=[Viewer], response_model=InsightsRead, responses=_SUMMED, summary="Sum up what people did")
def get_insights(
    control: InsightControlDep,
    stream: Annotated[list[Name] | None, Query(max_length=_STREAMS_MAX, description="Left out: every camera.")] = None,
    since: _Since = None,
    until: _Until = None,
    zone: Name | None = None,
    action: Name | None = None,
    by: By = "day",
    tz: Annotated[str, Query(max_length=64, description="Whose days and hours: an IANA name.")] = "UTC",
    format_: Annotated[InsightFormat | None, Query(alias="format", description="Overrides `Accept`.")] = None,
    accept: Annotated[str, Header()] = "*/*",
) -> Response | InsightsRead:
    """Seconds per action, counts, people and first and last movement, from stored events and tracks.

    An event's seconds are split over the days or hours that it spans; one that goes on counts to its latest time, one
    that is provisional or was retracted not at all. At most 366 days, 31 by hour: else `range_too_long`.
    """
    names = tuple(dict.fromkeys(stream or ()))
    found = control.summarise(Question(names, _utc(since, "since"), _utc(until, "until"), zone, action, by, tz))
    if (format_ or negotiate(accept)) == "json":
        return found
    headers = {"Content-Disposition": f'attachment; filename="insights-by-{by}.csv"'}
    return Response(csv_text(found), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/heatmap", dependencies=[Viewer], responses={**_TOO_LONG}, summary="See where people were")
def get_heatmap(
    control: InsightControlDep,
    stream: Name,
    since: _Since = None,
    until: _Until = None,
    zone: Name | None = None,
    action: Name | None = None,
) -> HeatmapRead:
    """Seconds of events in the cells of a grid over the picture of one stream. At most 366 days."""
    return control.heatmap(Question((stream,), _utc(since, "since"), _utc(until, "until"), zone, action))


@router.get(
    "/report", dependencies=[Viewer], response_class=HTMLResponse, summary="Read a week",
    responses={
        **content("The report.", {"text/html": {"type": "string"}}),
        **problems({422: "`invalid_request`: a week or a zone that is none"}),
    },
)  # fmt: skip
def get_report(
    figures: WeeklyDep,
    week: Annotated[
        str | None, Query(max_length=32, description="ISO: `2026-W20`. Left out: the last whole one.")
    ] = None,
    stream: Annotated[list[Name] | None, Query(max_length=_STREAMS_MAX, description="Left out: every camera.")] = None,
    tz: Annotated[str, Query(max_length=64, description="Whose days: an IANA name.")] = "UTC",
) -> HTMLResponse:
    """The figures of a week for each camera and day, with charts: one page of HTML that needs nothing else.

    It is made for paper: a browser prints it or saves it as PDF.
    """
    found = figures.count(week, tz, tuple(dict.fromkeys(stream or ())))
    headers = {
        "Content-Disposition": f'inline; filename="actogram-{found.key}.html"',
        # Its style lies in it, so that it can be sent to somebody as one file; nothing in it runs.
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    }
    return HTMLResponse(render(found, load_actions().colours), headers=headers)


def _utc(time: dt.datetime | None, name: str) -> dt.datetime | None:
    return None if time is None else in_utc(time, f"query.{name}")
