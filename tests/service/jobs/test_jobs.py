"""Jobs over HTTP, from the upload to the results, and every bad input with its code."""

import json
import socket
import time
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from service.errors import StorageFull
from service.event_log import Transaction
from service.jobs.control import JobControl
from service.jobs.retention import JobRetention
from tests.cluster import on_files
from tests.service.conftest import Running, Serve


def _folders(service: Running) -> list[str]:
    return sorted(service.store.folders("jobs"))


def _incoming(service: Running) -> list[Path]:
    return list((service.home / "blobs" / "incoming").iterdir())


def test_job_goes_from_upload_to_results(service: Running) -> None:
    made = service.post("script frames 20 ok", name="Fällt 落ちる.mp4", tags='{"site": "north"}', video="true")
    job_id = made.json()["job_id"]

    job = service.wait(job_id)

    assert (made.status_code, made.headers["location"]) == (202, f"/v1/jobs/{job_id}")
    assert job["state"] == "succeeded"
    assert job["source"] == {"kind": "upload", "name": "Fällt 落ちる.mp4", "size_bytes": 19}
    assert job["progress"] == {"frames": 20, "percent": 100.0, "fps": 30.0, "eta_s": 0.0}
    assert job["tags"] == {"site": "north"}
    links = job["links"]
    assert isinstance(links, dict)
    for link in links.values():
        assert service.http.get(link).status_code == 200


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("", "*/*", "application/x-ndjson"),
        ("", "application/json", "application/json"),
        ("", "text/csv;q=0.5, application/json;q=0.4", "text/csv; charset=utf-8"),
        ("?format=csv", "application/json", "text/csv; charset=utf-8"),
        ("?format=jsonl", "text/csv", "application/x-ndjson"),
        ("", "image/png", "application/x-ndjson"),
        ("", "application/json;q=nonsense", "application/x-ndjson"),
    ],
)
def test_results_come_in_the_form_that_is_asked_for(service: Running, query: str, accept: str, media_type: str) -> None:
    job_id = service.create("script frames 3")
    service.wait(job_id)

    answer = service.http.get(f"/v1/jobs/{job_id}/results{query}", headers={"Accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


def test_results_are_compressed_and_videos_are_not(service: Running) -> None:
    job_id = service.create("script frames 100", video="true")
    service.wait(job_id)

    results = service.http.get(f"/v1/jobs/{job_id}/results")
    video = service.http.get(f"/v1/jobs/{job_id}/video")

    assert results.headers["content-encoding"] == "gzip"
    assert len(results.text.splitlines()) == 100
    assert "content-encoding" not in video.headers


@pytest.mark.parametrize("part", ["source", "video"])
def test_player_can_seek(service: Running, part: str) -> None:
    job_id = service.create("script frames 3", video="true")
    service.wait(job_id)
    whole = service.http.get(f"/v1/jobs/{job_id}/{part}").content

    answer = service.http.get(f"/v1/jobs/{job_id}/{part}", headers={"Range": "bytes=2-5"})

    assert (answer.status_code, answer.content) == (206, whole[2:6])
    assert answer.headers["content-range"] == f"bytes 2-5/{len(whole)}"


def test_thumbnail_of_a_job_is_a_picture_that_only_the_browser_keeps(service: Running) -> None:
    job_id = service.create("script frames 3 picture yes")
    links = service.wait(job_id)["links"]

    answer = service.http.get(f"/v1/jobs/{job_id}/thumbnail")

    assert isinstance(links, dict)
    assert links["thumbnail"] == f"/v1/jobs/{job_id}/thumbnail"
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["cache-control"] == "private, max-age=300"


@pytest.mark.parametrize("script", ["script frames 3", "script fail broken"])
def test_job_without_a_thumbnail_says_so_by_a_code(service: Running, script: str) -> None:
    job_id = service.create(script)
    links = service.wait(job_id)["links"]

    answer = service.http.get(f"/v1/jobs/{job_id}/thumbnail")

    assert (answer.status_code, answer.json()["code"]) == (404, "no_thumbnail")
    assert isinstance(links, dict)
    assert "thumbnail" not in links


def test_source_is_never_served_as_a_page(service: Running) -> None:
    job_id = service.post("script frames 1 <script>alert(1)</script>", name="evil.html").json()["job_id"]
    service.wait(job_id)

    answer = service.http.get(f"/v1/jobs/{job_id}/source")

    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_no_people_is_a_normal_empty_answer(service: Running) -> None:
    job_id = service.create("script frames 5 people 0")

    job = service.wait(job_id)

    lines = [json.loads(line) for line in service.http.get(f"/v1/jobs/{job_id}/results").text.splitlines()]
    assert job["state"] == "succeeded"
    assert [line["persons"] for line in lines] == [[]] * 5


@pytest.mark.parametrize(
    ("script", "code", "status"),
    [
        ("this is a text file", "unsupported_media", 415),
        ("script fail source_truncated", "source_truncated", 422),
        ("script fail too_large", "too_large", 413),
        ("script fail disk_full", "disk_full", 507),
        ("script fail something_new", "something_new", 500),
    ],
)
def test_job_fails_with_its_code_and_the_next_one_runs(service: Running, script: str, code: str, status: int) -> None:
    job_id = service.create(script)

    job = service.wait(job_id)

    error = job["error"]
    assert isinstance(error, dict)
    assert (job["state"], error["code"], error["status"]) == ("failed", code, status)
    results = service.http.get(f"/v1/jobs/{job_id}/results")
    assert (results.status_code, results.json()["code"]) == (409, code)
    left = [blob.name for blob in service.store.list(f"jobs/{job_id}")]
    assert left == ["source.mp4"]
    assert service.wait(service.create("script frames 1"))["state"] == "succeeded"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"files": {"file": ("a.mp4", b"")}}, 415, "unsupported_media"),
        ({"files": {"film": ("a.mp4", b"x")}}, 422, "invalid_request"),
        ({"files": {"file": ("a.mp4", b"x")}, "data": {"model": "nope"}}, 422, "model_unknown"),
        ({"files": {"file": ("a.mp4", b"x")}, "data": {"colour": "red"}}, 422, "invalid_request"),
        ({"files": {"file": ("a.mp4", b"x")}, "data": {"video": "perhaps"}}, 422, "invalid_request"),
        ({"files": {"file": ("a.mp4", b"x")}, "data": {"tags": "{"}}, 422, "invalid_request"),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_content_type"),
        ({"content": b"x"}, 415, "unsupported_content_type"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "invalid_request"),
        ({"json": {"source": {}}}, 422, "invalid_request"),
        ({"json": {"source": {"uri": "rtsp://u:hunter2@cam/1"}}}, 403, "source_forbidden"),
        ({"json": {"source": {"uri": "file:///etc/passwd"}}}, 403, "source_forbidden"),
        ({"json": {"source": {"uri": "http://x/a.mp4"}, "model": "nope"}}, 422, "model_unknown"),
        ({"json": {"source": {"uri": "http://x/a.mp4", "password": "hunter2"}}}, 422, "invalid_request"),
        ({"json": [{"source": "hunter2"}]}, 422, "invalid_request"),
        ({"files": {"file": ("a.mp4", b"x")}, "headers": {"Idempotency-Key": "k" * 256}}, 422, "invalid_request"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value),
)
def test_bad_request_is_refused_with_its_code(
    service: Running, request_: dict[str, object], status: int, code: str
) -> None:
    before = _folders(service)

    answer = service.http.post("/v1/jobs", **request_)  # type: ignore[arg-type]

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) - {"errors"} == {"type", "title", "status", "code", "detail"}
    assert "hunter2" not in answer.text
    assert (_folders(service), _incoming(service)) == (before, [])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nowhere", 404, "not_found"),
        ("GET", "/v1/jobs/job_0", 404, "not_found"),
        ("GET", "/v1/jobs/..%2f..%2fetc%2fpasswd/source", 404, "not_found"),
        ("GET", "/v1/jobs/%00/results", 404, "not_found"),
        ("PUT", "/v1/jobs", 405, "method_not_allowed"),
        ("GET", "/v1/jobs?limit=0", 422, "invalid_request"),
        ("GET", "/v1/jobs?state=lost", 422, "invalid_request"),
        ("GET", "/v1/jobs?cursor=%FF", 422, "invalid_request"),
        ("GET", "/v1/models/nope", 404, "not_found"),
        ("GET", "/v1/actions?model=nope", 422, "model_unknown"),
    ],
)
def test_bad_path_is_a_problem(service: Running, method: str, path: str, status: int, code: str) -> None:
    answer = service.http.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_results_are_not_ready_while_the_job_runs(service: Running) -> None:
    job_id = service.create("script frames 500 pause 0.02")
    service.wait(job_id, "running")

    answer = service.http.get(f"/v1/jobs/{job_id}/results")
    service.http.delete(f"/v1/jobs/{job_id}")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")


def test_video_that_was_not_asked_for_is_not_found(service: Running) -> None:
    job_id = service.create("script frames 1")
    service.wait(job_id)

    assert service.http.get(f"/v1/jobs/{job_id}/video").json()["code"] == "not_found"


def test_delete_cancels_a_running_job_and_leaves_nothing(service: Running) -> None:
    job_id = service.create("script frames 10000 pause 0.01")
    service.wait(job_id, "running")

    first = service.http.delete(f"/v1/jobs/{job_id}")
    until = time.monotonic() + 10
    while service.http.get(f"/v1/jobs/{job_id}").status_code == 200 and time.monotonic() < until:
        time.sleep(0.02)

    again = service.http.delete(f"/v1/jobs/{job_id}")
    assert (first.status_code, again.status_code) == (204, 204)
    assert service.http.get(f"/v1/jobs/{job_id}").status_code == 404
    assert job_id not in _folders(service)
    assert service.wait(service.create("script frames 1"))["state"] == "succeeded"


def test_delete_removes_a_finished_job(service: Running) -> None:
    job_id = service.create("script frames 1")
    service.wait(job_id)

    service.http.delete(f"/v1/jobs/{job_id}")

    assert service.http.get(f"/v1/jobs/{job_id}").status_code == 404
    assert job_id not in _folders(service)


def test_repeated_post_with_a_key_answers_the_first_job(service: Running) -> None:
    def post(script: str) -> httpx.Response:
        headers = {"Idempotency-Key": "once"}
        return service.http.post("/v1/jobs", files={"file": ("a.mp4", script.encode())}, headers=headers)

    first, again, other = post("script frames 1"), post("script frames 1"), post("script frames 2")

    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 409)
    assert again.json()["job_id"] == first.json()["job_id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert other.json()["code"] == "idempotency_conflict"
    assert _incoming(service) == []


def test_lists_page_from_the_newest_on(serve: Serve) -> None:
    service = serve()
    made = [service.create("script frames 1") for _ in range(5)]
    for job_id in made:
        service.wait(job_id)

    seen, cursor, pages = [], "", 0
    while True:
        page = service.http.get(f"/v1/jobs?limit=2{cursor}").json()
        seen += [job["job_id"] for job in page["items"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert (seen, pages) == (made[::-1], 3)
    assert len(service.http.get("/v1/jobs?state=failed").json()["items"]) == 0


def test_upload_cut_off_half_way_leaves_nothing_and_the_next_job_runs(service: Running) -> None:
    address = urlsplit(service.url)
    before = _folders(service)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = (
            "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
            "Content-Type: multipart/form-data; boundary=XX\r\n\r\n--XX\r\n"
            'Content-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        )
        connection.sendall(head.encode() + b"x" * 50_000)
        until = time.monotonic() + 5
        while not _incoming(service) and time.monotonic() < until:
            time.sleep(0.01)
        came = len(_incoming(service))

    until = time.monotonic() + 5
    while _incoming(service) and time.monotonic() < until:
        time.sleep(0.01)
    assert (came, _incoming(service), _folders(service)) == (1, [], before)
    assert service.wait(service.create("script frames 1"))["state"] == "succeeded"


def test_limits_are_kept_and_said(serve: Serve) -> None:
    service = serve(upload_bytes_max=2000, jobs_queued_max=1)

    declared = service.http.post("/v1/jobs", files={"file": ("a.mp4", b"x" * 3_000_000)})
    counted = service.http.post("/v1/jobs", files={"file": ("a.mp4", b"x" * 3000)})
    running = service.create("script frames 2000 pause 0.01")
    service.wait(running, "running")
    service.create("script frames 1")
    full = service.post("script frames 1")

    assert [(a.status_code, a.json()["code"]) for a in (declared, counted)] == [(413, "too_large")] * 2
    assert (full.status_code, full.json()["code"], full.headers["retry-after"]) == (429, "at_capacity", "60")


def test_full_disk_is_a_problem_and_uploads_come_back_with_the_room(serve: Serve) -> None:
    service = serve()
    parts = service.app.state.parts
    blobs = next(part for kind, part in parts.items() if kind.__name__ == "BlobFolder")

    blobs._reserve_bytes = 2**62
    refused = service.post("script frames 1")
    blobs._reserve_bytes = 0

    assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
    assert _folders(service) == []
    assert service.wait(service.create("script frames 1"))["state"] == "succeeded"


class _FullLog:
    """A log whose disk is full."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        raise StorageFull("the database's disk is full; nothing was stored")


def test_upload_that_cannot_be_stored_leaves_nothing_and_the_next_job_runs(serve: Serve) -> None:
    service = serve()
    control = service.app.state.parts[JobControl]
    log, control._log = control._log, _FullLog()

    refused = service.post("script frames 1")
    control._log = log

    assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
    assert (_folders(service), _incoming(service)) == ([], [])
    assert service.wait(service.create("script frames 1"))["state"] == "succeeded"


def test_jobs_are_swept_when_there_are_too_many(serve: Serve) -> None:
    service = serve(retention_jobs_max=2)
    made = [service.create("script frames 1") for _ in range(4)]
    for job_id in made:
        service.wait(job_id)
    retention = service.app.state.parts[JobRetention]

    gone = retention.sweep()

    kept = [job["job_id"] for job in service.http.get("/v1/jobs").json()["items"]]
    assert (gone, sorted(kept), _folders(service)) == (2, sorted(made[2:]), sorted(made[2:]))


@on_files
def test_folders_that_no_row_knows_are_swept_at_the_start(tmp_path: Path, serve: Serve) -> None:
    orphan = tmp_path / "home" / "blobs" / "jobs" / "job_lost"
    half = tmp_path / "home" / "blobs" / "incoming"
    orphan.mkdir(parents=True)
    half.mkdir(parents=True)
    (half / "job_x.part").write_bytes(b"x")

    service = serve()

    assert (_folders(service), _incoming(service)) == ([], [])


def test_openapi_describes_every_path(service: Running) -> None:
    document = service.http.get("/openapi.json").json()

    operations = [op for path in document["paths"].values() for op in path.values()]
    assert {"/v1/jobs", "/v1/jobs/{job_id}", "/v1/layouts", "/healthz"} <= set(document["paths"])
    assert all(op.get("summary") and op.get("description") for op in operations)
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_watchers_that_ask_for_the_head_alone_are_answered(service: Running, path: str) -> None:
    whole, head = service.http.get(path), service.http.head(path)

    assert (head.status_code, head.content) == (whole.status_code, b"")


def test_health_and_metrics_speak_of_the_workers(service: Running) -> None:
    service.wait(service.create("script frames 1"))

    health = service.http.get("/healthz").json()
    metrics = service.http.get("/metrics").text

    assert (health["status"], health["database"], health["workers"][0]["state"]) == ("ok", "ok", "ready")
    assert 'actogram_jobs{state="running"} 0.0' in metrics
    assert "actogram_ws_clients 0.0" in metrics
    assert service.http.get("/v1/capacity").json()["jobs"]["slots"] == 1


def test_layouts_models_and_actions_are_served(service: Running) -> None:
    layouts = {item["layout"]: item for item in service.http.get("/v1/layouts").json()["items"]}
    models = service.http.get("/v1/models").json()["items"]

    coco = layouts["coco17"]
    assert (len(coco["joints"]), len(coco["edges"])) == (17, 16)
    assert {model["task"] for model in models} >= {"detect", "pose"}
    for model in models:
        assert service.http.get(f"/v1/models/{model['model_id']}").json()["licence"]
    assert isinstance(service.http.get("/v1/actions").json()["items"], list)


def test_job_that_takes_too_long_fails_with_timeout_and_its_worker_goes_on(serve: Serve) -> None:
    service = serve(job_duration_max_s=1)

    slow = service.wait(service.create("script frames 100000 pause 0.05"))
    next_one = service.wait(service.create("script frames 1"))

    error = slow["error"]
    assert isinstance(error, dict)
    assert (slow["state"], error["code"], error["status"]) == ("failed", "timeout", 504)
    assert "1 s" in str(error["detail"])
    assert next_one["state"] == "succeeded"
    assert slow["attempts"] == 1
    assert "actogram_worker_restarts_total{" not in service.http.get("/metrics").text
