"""Requests that no client of ours sends: each is answered with a problem of the 400s, and none is remembered badly."""

import base64
import socket
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from pipelines.addresses.redact import redact
from service.database import Database
from tests.service.conftest import Running

_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "multipart/form-data; boundary=XX"}
_NUMBERS = ["²", "٣", "1e3", str(2**63), "-1", "9" * 400, "NaN", "Infinity", "1.5", ""]
_TIMES = [
    "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "0000-01-01T00:00:00Z", "10000-01-01",
    "-99999999999999", "NaN", "1e400", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00%2B99:99",
]  # fmt: skip
_BODIES = [
    b"[" * 100_000, b'{"a":' * 50_000, b"{", b"", b"null", b"NaN", b'"\\ud800"', b"\xff\xfe", b"9" * 10_000,
    b'{"name":"\\ud800","source":{"uri":"push:"}}', b'{"name":"\\u0000","source":{"uri":"push:"}}',
    b'{"url":"http://h/\\ud800"}', b'{"url":1e999}', b'{"name":"x","source":{"uri":"push:"},"analysis":{"fps":NaN}}',
    b'{"name":"x","source":{"uri":"push:"},"analysis":{"stride_s":Infinity}}',
    b'{"name":"x","source":{"uri":"push:"},"analysis":{"max_persons":99999999999999999999999}}',
    b'{"name":"x","source":{"uri":"push:"},"zones":[{"name":"z","polygon":[[NaN,0],[0,1],[1,0]]}]}',
    b'{"source":{"uri":"http://h/"},"tags":{"\\ud800":"x"}}',
]  # fmt: skip
_CONTENT_TYPES = [
    "multipart/form-data; boundary=" + "x" * 257, "multipart/form-data; boundary=" + "x" * 5000, "multipart/form-data",
    "multipart/form-data; boundary=", "multipart/form-data; boundary=é", "multipart/form-data; boundary*=nope'x'%ff",
    "multipart/form-data; boundary*²=a", 'multipart/form-data; boundary="', "application/json;;;=", "text/plain", "",
]  # fmt: skip
_DISPOSITIONS = [
    b'form-data; name="file"; filename*=nope\'\'%ff', b"form-data; name*=x'y'%ff; filename=\"a\"", b"form-data", b"",
    b'form-data; name="file"; filename*\xb2="a"', b'form-data; name="file"; filename="a\x00b.mp4"',
]  # fmt: skip


def _queries() -> Iterator[str]:
    for number in _NUMBERS:
        yield from (f"/v1/{name}?limit={number}" for name in ("jobs", "streams", "events"))
        yield from (f"/v1/events?track={number}", f"/v1/webhooks/w/deliveries?cursor={number}")
    for time in _TIMES:
        yield from (f"/v1/events?since={time}", f"/v1/events?until={time}")
    for place in (b"0001-01-01T00:00:00+23:59|x", b"9999-12-31T23:59:59-23:59|x", b"2026-01-01|x", b"x" * 3000, b"\0"):
        cursor = base64.urlsafe_b64encode(place).decode()
        yield from (f"/v1/{name}?cursor={cursor}" for name in ("events", "webhooks/w/deliveries"))
    for track in ("x:²", "x:٣", f"x:{2**63}", "x:" + "9" * 400, "x:-1", ":1", "%ff:1", "x:1%00"):
        yield from (f"/v1/tracks/{track}{part}" for part in ("", "/timeline", "/keypoints"))
    yield from ("/v1/jobs?state=%ff", "/v1/events?tag=%ff", "/v1/jobs/%ff", "/v1/jobs/" + "x" * 5000, "/assets/%00")


@pytest.mark.parametrize("path", list(_queries()), ids=lambda path: path[:50].encode("ascii", "replace").decode())
def test_odd_query_is_a_problem(service: Running, path: str) -> None:
    _require_problem(service.http.get(path))


@pytest.mark.parametrize("path", ["/v1/streams", "/v1/webhooks", "/v1/jobs"])
@pytest.mark.parametrize("body", _BODIES, ids=lambda body: body[:40].decode("latin-1"))
def test_odd_body_is_a_problem(service: Running, path: str, body: bytes) -> None:
    _require_problem(service.http.post(path, content=body, headers=_JSON))


@pytest.mark.parametrize("content_type", _CONTENT_TYPES, ids=lambda text: text[:45].encode("ascii", "replace").decode())
def test_odd_content_type_is_a_problem(service: Running, content_type: str) -> None:
    _require_problem(
        service.http.post("/v1/jobs", content=b"--x\r\n\r\n", headers={b"content-type": content_type.encode()})
    )


@pytest.mark.parametrize("disposition", _DISPOSITIONS, ids=lambda text: text[:45].decode("latin-1"))
def test_odd_form_is_a_problem(service: Running, disposition: bytes) -> None:
    body = b"--XX\r\nContent-Disposition: " + disposition + b"\r\n\r\nno video\r\n--XX--\r\n"

    answer = service.http.post("/v1/jobs", content=body, headers=_FORM)

    assert answer.status_code < 500
    assert answer.status_code == 202 or answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("range_", ["bytes=²-", "bytes=-", "bytes=99999999999999999999-", "x", "bytes=5-1"])
def test_range_that_a_file_has_not_is_a_problem(service: Running, range_: str) -> None:
    _require_problem(service.http.get("/", headers={b"Range": range_.encode()}))


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/jobs?x=\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /v1/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /v1/jobs HTTP/1.1\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n", b"GET /v1/jobs HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/streams HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/jobs HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
    ids=lambda request_: request_[:45].decode("latin-1"),
)  # fmt: skip
def test_bytes_that_are_hardly_http_are_a_problem(service: Running, request_: bytes) -> None:
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 80), timeout=10) as link:
        link.sendall(request_)
        answer = link.recv(65536)

    assert answer.startswith(b"HTTP/1.1 4")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("url", ["http://h:99999/x", "http://h:abc/", "http://[::1", "http://h:²/"])
def test_address_with_a_port_that_is_none_is_refused_and_an_older_one_hides_nothing(service: Running, url: str) -> None:
    refused = service.http.post("/v1/webhooks", json={"url": url})
    made = service.http.post("/v1/webhooks", json={"url": "https://hooks.example.org/"}).json()["webhook_id"]
    database = service.app.state.parts[Database]
    with database.write() as connection:
        connection.execute(sa.text("UPDATE webhooks SET url = :url WHERE webhook_id = :id"), {"url": url, "id": made})

    listed = service.http.get("/v1/webhooks")

    assert refused.status_code == 422
    assert made in [row["webhook_id"] for row in listed.json()["items"]]
    assert service.http.delete(f"/v1/webhooks/{made}").status_code == 204
    assert redact(url)


def _require_problem(answer: httpx.Response) -> None:
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/events/days", "GET"), ("/v1/events/e1", "GET, PATCH"), ("/v1/keys", "GET, POST"),
        ("/v1/jobs", "GET, POST"), ("/v1/views/v1", "DELETE, PATCH"),
    ],
)  # fmt: skip
def test_method_that_a_path_does_not_know_is_answered_with_those_that_it_knows(
    service: Running, path: str, allowed: str
) -> None:
    found = service.http.put(path)

    assert (found.status_code, found.headers["allow"]) == (405, allowed)
