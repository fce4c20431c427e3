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
