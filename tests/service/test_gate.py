"""Who is let through, what is read for whom, and how much."""

import asyncio
import json
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from service.authentication import Authenticator, Caller
from service.database import Database, migrate
from service.gate import Gate, RequestLimits
from service.security import KeyStore, Role
from service.throttle import Allowance, Buckets, FailureThrottle
from tests.service.conftest import Running, Serve

_WRONG = "ak_0123456789ab_" + "x" * 43


def _key(home: Path, role: Role = "admin") -> str:
    with _keys(home) as keys:
        return keys.create(role, role)


@contextmanager
def _keys(home: Path) -> Iterator[KeyStore]:
    database = Database(f"sqlite:///{home / 'actogram.sqlite3'}")
    migrate(database)
    yield KeyStore(database)
    database.close()


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _raw(service: Running, *pieces: bytes, timeout_s: float = 15) -> bytes:
    """What the server answers to bytes, until it closes or is silent."""
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 80), timeout=timeout_s) as link:
        for piece in pieces:
            link.sendall(piece)
        return link.recv(65536)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "evil.example"])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/session", "/v1/nowhere", "/metrics"])
def test_public_server_without_a_key_refuses_everything(serve: Serve, host: str, path: str) -> None:
    service = serve(is_public=True)

    found = service.http.get(path, headers={"Host": host})

    assert (found.status_code, found.json()["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("is_public", [True, None])
def test_server_stays_closed_once_its_last_key_is_revoked(serve: Serve, tmp_path: Path, is_public: bool | None) -> None:
    key = _key(tmp_path / "home")
    service = serve(is_public=is_public)
    before = service.http.get("/v1/jobs", headers=_bearer(key)).status_code

    with _keys(tmp_path / "home") as keys:
        keys.revoke(key.split("_")[1])
    after = {
        "with it": service.http.get("/v1/jobs", headers=_bearer(key)).status_code,
        "without": service.http.get("/v1/jobs", headers={"Host": "localhost"}).status_code,
        "a change": service.http.delete("/v1/jobs/job_1", headers={"Host": "localhost"}).status_code,
    }

    assert (before, after) == (200, {"with it": 401, "without": 401, "a change": 401})


def test_websocket_ends_when_its_key_is_revoked(serve: Serve, tmp_path: Path) -> None:
    key = _key(tmp_path / "home")
    service = serve()

    with connect(service.url.replace("http", "ws") + "/v1/ws", additional_headers=_bearer(key)) as live:
        live.send('{"type": "subscribe"}')
        live.recv(timeout=5)
        with _keys(tmp_path / "home") as keys:
            keys.revoke(key.split("_")[1])
        time.sleep(5.2)
        live.send('{"type": "subscribe"}')
        with pytest.raises(ConnectionClosed) as caught:
            live.recv(timeout=5)

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


@pytest.mark.parametrize(
    ("client", "server", "is_local"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", 2), True),
        (("::1", 1), ("::1", 2), True),
        (("::ffff:127.0.0.1", 1), ("::ffff:127.0.0.1", 2), True),
        (("192.0.2.1", 1), ("127.0.0.1", 2), False),
        (("127.0.0.1", 1), ("192.0.2.1", 2), False),
        (("localhost.evil.example", 1), ("127.0.0.1", 2), False),
        (None, ("127.0.0.1", 2), False),
        (("127.0.0.1", 1), None, False),
    ],
)
def test_caller_is_local_by_the_two_ends_of_the_connection_alone(
    client: tuple[str, int] | None, server: tuple[str, int | None] | None, is_local: bool
) -> None:
    headers = {"host": "localhost", "x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1"}

    assert Caller.of(headers, {}, client, server).is_local is is_local


@pytest.mark.parametrize("name", ["Host", "Origin"])
@pytest.mark.parametrize("value", ["[::1", "http://[::1", "]", "http://[", "\u00b2", "a b", "//"])
def test_header_that_cannot_be_read_is_refused_as_foreign(service: Running, name: str, value: str) -> None:
    found = service.http.delete("/v1/jobs/job_none", headers={name.encode(): value.encode()})

    assert found.status_code in (400, 403)
    assert found.headers["content-type"] == "application/problem+json"


def test_page_behind_a_proxy_with_its_own_host_may_change_things(service: Running) -> None:
    headers = {"Origin": "https://cams.example.org", "X-Forwarded-Host": "cams.example.org"}

    assert service.http.delete("/v1/jobs/job_none", headers=headers).status_code == 204


def test_wrong_keys_are_slowed_down_and_a_right_one_is_served_all_the_same(serve: Serve, tmp_path: Path) -> None:
    key = _key(tmp_path / "home")
    service = serve()
    assert service.http.get("/v1/jobs", headers=_bearer(key)).status_code == 200

    answers = [service.http.get("/v1/jobs", headers=_bearer(f"ak_{number:012x}_" + "x" * 43)) for number in range(30)]
    refused = [answer for answer in answers if answer.status_code == 429]

    assert {answer.status_code for answer in answers} == {401, 429}
    assert refused[0].json()["code"] == "too_many_attempts"
    assert int(refused[0].headers["retry-after"]) >= 1
    assert service.http.get("/v1/jobs", headers=_bearer(key)).status_code == 200


def test_same_wrong_key_again_and_again_is_slowed_down_too(tmp_path: Path) -> None:
    with _keys(tmp_path) as keys:
        keys.create("one", "viewer")
        authenticator = Authenticator(keys, throttle=FailureThrottle(per_address=Allowance(5, 0.01)))
        codes = []
        for _ in range(40):
            try:
                authenticator.require({"authorization": f"Bearer {_WRONG}"}, {})
            except Exception as error:  # noqa: BLE001 - its kind is what is looked at
                codes.append(type(error).__name__)

    assert (codes[0], codes[-1]) == ("Unauthorized", "TooManyAttempts")


def test_unknown_key_id_takes_as_long_as_a_known_one(tmp_path: Path) -> None:
    with _keys(tmp_path) as keys:
        known = keys.create("one", "viewer").split("_")[1]

        def median_s(text: str) -> float:
            taken = []
            for _ in range(7):
                began_s = time.perf_counter()
                assert keys.find(text) is None
                taken.append(time.perf_counter() - began_s)
            return statistics.median(taken)

        assert 0.4 < median_s(_WRONG) / median_s(f"ak_{known}_{'x' * 43}") < 2.5


def test_throttle_forgets_and_keeps_few_names() -> None:
    time_s = [0.0]
    buckets = Buckets(Allowance(2, 1.0), names_max=10, clock=lambda: time_s[0])

    for number in range(1000):
        buckets.add(str(number), 1)
    buckets.add("999", 1)
    found = [len(buckets), buckets.wait_s("999"), buckets.wait_s("0")]
    time_s[0] = 5.0

    assert (found, buckets.wait_s("999")) == ([10, 1.0, 0.0], 0.0)


@pytest.mark.parametrize("head", [b"Content-Length: 600000000", b"Transfer-Encoding: chunked"])
def test_nothing_is_read_of_a_body_without_a_key(serve: Serve, tmp_path: Path, head: bytes) -> None:
    _key(tmp_path / "home")
    service = serve()

    # Only the head is sent: an answer that comes all the same has waited for nothing.
    found = _raw(
        service, b"POST /v1/streams HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n\r\n" % head
    )

    assert found.startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("path", ["/v1/streams", "/v1/webhooks", "/v1/session", "/v1/jobs", "/v1/nowhere"])
@pytest.mark.parametrize("is_declared", [True, False])
def test_json_body_over_the_limit_is_refused(service: Running, path: str, is_declared: bool) -> None:
    body = b'{"name": "' + b"x" * 2**21 + b'"}'

    def pieces() -> Iterator[bytes]:
        yield from (body[at : at + 65536] for at in range(0, len(body), 65536))

    headers = {"Content-Type": "application/json"}
    found = service.http.post(path, content=body if is_declared else pieces(), headers=headers)

    assert (found.status_code, found.json()["code"]) == (413, "too_large")


def test_headers_without_end_are_refused_and_others_are_served(service: Running) -> None:
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 80), timeout=15) as link:
        link.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        slowest_s, sent = 0.0, 0
        try:
            while sent < 64 * 2**20:
                link.sendall(b"x" * 2**20)
                sent += 2**20
                began_s = time.perf_counter()
                assert service.http.get("/healthz").status_code == 200
                slowest_s = max(slowest_s, time.perf_counter() - began_s)
        except OSError:
            pass  # it hung up, as it should

    assert sent < 8 * 2**20
    assert slowest_s < 2


@pytest.mark.parametrize(
    "head",
    [
        b"X-Long: " + b"x" * 70_000,
        b"\r\n".join(b"X-%d: y" % number for number in range(200)),
        b"Cookie: " + b"a=b; " * 14_000,
    ],
    ids=["one long", "many", "cookies"],
)
def test_headers_over_the_limit_are_a_problem(service: Running, head: bytes) -> None:
    found = _raw(service, b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n")

    assert found.startswith(b"HTTP/1.1 431")
    assert b"headers_too_large" in found


def test_very_long_address_is_a_problem(service: Running) -> None:
    found = service.http.get("/v1/jobs/" + "x" * 20_000)

    assert (found.status_code, found.json()["code"]) == (431, "headers_too_large")


def test_body_that_trickles_is_given_up(tmp_path: Path) -> None:
    told: list[Message] = []

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        raise AssertionError("nothing reaches the application")

    async def receive() -> Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Message) -> None:
        told.append(message)

    with _keys(tmp_path) as keys:
        asyncio.run(Gate(app, RequestLimits(body_s=0.2))(_scope(Authenticator(keys)), receive, send))

    assert told[0]["status"] == 408
    assert json.loads(told[1]["body"])["code"] == "body_too_slow"


def _scope(authenticator: Authenticator) -> Scope:
    class State:
        parts = {Authenticator: authenticator}  # noqa: RUF012

    class App:
        state = State()

    return {
        "type": "http", "method": "POST", "path": "/v1/streams", "raw_path": b"/v1/streams", "query_string": b"",
        "headers": [(b"host", b"localhost")], "app": App(), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
