"""HEAD is answered wherever GET is, with the same head and without a body."""

import time

import pytest

from tests.service.conftest import Running


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/streams/none", "/healthz", "/", "/openapi.json", "/v1/events"])
def test_head_has_the_status_and_type_of_get(service: Running, path: str) -> None:
    got, head = service.http.get(path), service.http.head(path)

    assert head.status_code == got.status_code
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.content == b""


def test_head_of_a_video_tells_its_length_and_takes_ranges(service: Running) -> None:
    job_id = service.create("x" * 300_000)
    service.wait(job_id)

    head = service.http.head(f"/v1/jobs/{job_id}/source")
    part = service.http.head(f"/v1/jobs/{job_id}/source", headers={"Range": "bytes=0-1"})

    assert (head.status_code, head.headers["content-length"], head.content) == (200, "300000", b"")
    assert (part.status_code, part.headers["content-length"]) == (206, "2")


def test_head_changes_nothing(service: Running) -> None:
    assert service.http.head("/v1/sessions").status_code in (404, 405)


def test_connection_serves_on_after_a_head(service: Running) -> None:
    began_s = time.monotonic()

    answers = [service.http.head("/v1/jobs").status_code, service.http.get("/v1/jobs").status_code]

    assert answers == [200, 200]
    assert time.monotonic() - began_s < 5


_FILES = ("results", "results?format=json", "results?format=csv", "timeline", "video", "source")


@pytest.fixture(scope="module")
def files(service: Running) -> list[str]:
    """The address of every kind of file: of a job, and of the page."""
    job_id = service.create("script frames 300", video="true")
    service.wait(job_id)
    return [*(f"/v1/jobs/{job_id}/{name}" for name in _FILES), "/", "/assets/mark.svg", "/assets/js/main.js"]


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("index", range(len(_FILES) + 3))
def test_every_file_takes_head_and_range(service: Running, files: list[str], index: int, coding: str) -> None:
    path, accept = files[index], {"Accept-Encoding": coding}
    whole = service.http.get(path, headers={"Accept-Encoding": "identity"}).content

    head = service.http.head(path, headers={"Accept-Encoding": "identity"})
    part = service.http.get(path, headers={**accept, "Range": "bytes=2-6"})
    last = service.http.get(path, headers={**accept, "Range": "bytes=-3"})
    beyond = service.http.get(path, headers={**accept, "Range": f"bytes={len(whole)}-"})

    assert (head.status_code, int(head.headers["content-length"])) == (200, len(whole))
    assert head.headers["accept-ranges"] == "bytes"
    assert (part.status_code, part.content) == (206, whole[2:7])
    assert part.headers["content-range"] == f"bytes 2-6/{len(whole)}"
    assert (last.status_code, last.content) == (206, whole[-3:])
    assert (beyond.status_code, beyond.headers["content-type"]) == (416, "application/problem+json")
