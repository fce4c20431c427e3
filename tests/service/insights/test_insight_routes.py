"""Insights as a client gets them: JSON, CSV, problems."""

import httpx
import pytest

from service.database import Database
from tests.service.conftest import Running, Serve
from tests.service.insights.household import Household

_WEEK = {"since": "2026-05-01T00:00:00Z", "until": "2026-05-08T00:00:00Z"}
PATH = "/v1/insights"


@pytest.fixture(scope="module")
def web(service: Running) -> httpx.Client:
    database = Database(service.database_url)
    house = Household(database)
    house.event("walk", "2026-05-02T10:00", 30, stream_id="insights-hall")
    house.event("lie", "2026-05-02T21:59:00", 120, stream_id="insights-hall", zones=("bed",))
    database.close()
    return service.http


def test_days_are_told_as_json(web: httpx.Client) -> None:
    found = web.get(PATH, params={**_WEEK, "stream": ["insights-hall"], "tz": "Europe/Berlin"}).json()

    assert [found[name] for name in ("by", "tz", "since", "until", "is_truncated")] == [
        "day", "Europe/Berlin", "2026-05-01T00:00:00Z", "2026-05-08T00:00:00Z", False,
    ]  # fmt: skip
    assert [item["totals_s"] for item in found["items"][1:3]] == [{"lie": 60.0, "walk": 30.0}, {"lie": 60.0}]
    assert found["items"][1]["first_movement"] == "2026-05-02T10:00:00Z"


@pytest.mark.parametrize(
    ("params", "accept", "kind"),
    [
        ({}, "*/*", "application/json"),
        ({}, "text/csv", "text/csv; charset=utf-8"),
        ({}, "application/json;q=0.5, text/csv;q=0.9", "text/csv; charset=utf-8"),
        ({}, "text/csv;q=0.5, application/json", "application/json"),
        ({"format": "csv"}, "application/json", "text/csv; charset=utf-8"),
        ({"format": "json"}, "text/csv", "application/json"),
    ],
)
def test_format_is_the_one_asked_for(web: httpx.Client, params: dict[str, str], accept: str, kind: str) -> None:
    response = web.get(PATH, params={**_WEEK, **params}, headers={"Accept": accept})

    assert (response.status_code, response.headers["content-type"]) == (200, kind)


def test_csv_comes_as_a_file(web: httpx.Client) -> None:
    response = web.get(PATH, params={**_WEEK, "stream": "insights-hall", "by": "camera", "format": "csv"})

    head, row = response.text.splitlines()
    assert response.headers["content-disposition"] == 'attachment; filename="insights-by-camera.csv"'
    assert head.endswith("lie_s,lie_count,walk_s,walk_count")
    assert row.startswith("insights-hall,")
    assert row.endswith("120.0,1,30.0,1")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"since": "2025-01-01T00:00:00Z", "until": "2026-05-01T00:00:00Z"}, "range_too_long"),
        ({"since": "2026-01-01T00:00:00Z", "until": "2026-05-01T00:00:00Z", "by": "hour"}, "range_too_long"),
        ({"since": "2026-05-02T00:00:00Z", "until": "2026-05-01T00:00:00Z"}, "invalid_request"),
        ({"since": "9999-12-31T23:59:59Z"}, "invalid_request"),
        ({"since": "9999-12-30T00:00:00Z", "until": "9999-12-31T23:59:59Z", "tz": "Asia/Tokyo"}, "invalid_request"),
        ({"since": "0001-01-01T00:00:00Z", "until": "0001-01-02T00:00:00Z", "tz": "America/Lima"}, "invalid_request"),
        ({"until": "0001-01-02T00:00:00Z"}, "invalid_request"),
        ({"tz": "Europe/Nowhere"}, "invalid_request"),
        ({"by": "week"}, "invalid_request"),
        ({"format": "xml"}, "invalid_request"),
        ({"stream": ["x"] * 101}, "invalid_request"),
    ],
)
def test_question_is_refused_with_a_stable_code(web: httpx.Client, params: dict[str, str], code: str) -> None:
    response = web.get(PATH, params=params)

    assert (response.status_code, response.json()["code"]) == (422, code)


def test_heat_map_is_of_one_stream(web: httpx.Client) -> None:
    found = web.get(f"{PATH}/heatmap", params={**_WEEK, "stream": "insights-hall", "zone": "bed"}).json()

    assert (found["events"], len(found["seconds"]), len(found["seconds"][0])) == (1, 18, 32)
    assert sum(map(sum, found["seconds"])) == 120.0
    assert web.get(f"{PATH}/heatmap", params=_WEEK).json()["code"] == "invalid_request"


def test_insights_need_a_key_where_events_do(serve: Serve) -> None:
    running = serve(is_public=True, is_ready=False)

    assert [running.http.get(path).status_code for path in (PATH, f"{PATH}/heatmap?stream=a")] == [401, 401]


def test_document_names_both_formats(web: httpx.Client) -> None:
    answer = web.get("/openapi.json").json()["paths"][PATH]["get"]["responses"]["200"]["content"]

    assert answer["application/json"]["schema"]["$ref"].endswith("/InsightsRead")
    assert answer["text/csv"]["schema"]["type"] == "string"
