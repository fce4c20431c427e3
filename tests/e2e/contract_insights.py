"""The insights of the made-up server: the real sums over the events that a test adds."""

import datetime as dt
from typing import get_args

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from models.severity import Severity
from pipelines.event_json import parse_event
from service.database import Database, migrate
from service.errors import ServiceError
from service.events import store
from service.events.store import EventRow
from service.insights.calendar import By
from service.insights.control import InsightControl, Question
from service.insights.schemas import csv_text
from tests.e2e.contract_server import Contract, Json, problem


def create_insights_router(state: Contract) -> APIRouter:
    """The two paths of insights over `state`, in a database that is made anew for each answer."""
    router = APIRouter(prefix="/v1/insights")

    @router.get("")
    def insights(request: Request) -> Response:
        try:
            found = _control(state).summarise(_question(request))
        except ServiceError as error:
            return problem(error.status, error.code, str(error))
        if request.query_params.get("format") == "csv":
            return Response(csv_text(found), media_type="text/csv")
        return JSONResponse(found.model_dump(mode="json"))

    @router.get("/heatmap")
    def heatmap(request: Request) -> Json:
        return _control(state).heatmap(_question(request)).model_dump(mode="json")

    return router


def _question(request: Request) -> Question:
    asked = request.query_params
    since, until = (dt.datetime.fromisoformat(asked[name].replace("Z", "+00:00")) for name in ("since", "until"))
    by: dict[str, By] = {name: name for name in get_args(By)}
    return Question(
        tuple(asked.getlist("stream")), since, until, by=by[asked.get("by", "day")], tz=asked.get("tz", "UTC")
    )


def _control(state: Contract) -> InsightControl:
    file = state.folder / "insights.sqlite3"
    file.unlink(missing_ok=True)
    database = Database(f"sqlite:///{file}")
    migrate(database)
    with database.write() as connection:
        for event in state.events.values():
            store.put(connection, _row(event))
    return InsightControl(database)


def _row(event: Json) -> EventRow:
    start, end = (dt.datetime.fromisoformat(str(event[name])) for name in ("start_time", "end_time"))
    severity: Severity = "alarm" if event["severity"] == "alarm" else "info"
    return EventRow(parse_event(event), severity, start, end, stream_id=str(event["stream_id"]))
