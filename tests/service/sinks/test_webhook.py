"""Webhooks against a real receiver on loopback."""

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from pipelines.addresses.client import Deadline, build_client
from pipelines.addresses.policy import AddressPolicy
from service.envelope import Envelope
from service.sinks.delivery import DeliveryFailed
from service.sinks.webhook import UNREACHABLE, WebhookSink, make_secret, sign

LOOPBACK = AddressPolicy(frozenset({"http", "https"}), frozenset({"loopback"}))
ENVELOPE = Envelope(
    seq=7, type="action.started", stream_id="door", time=dt.datetime(2026, 1, 2, tzinfo=dt.UTC), data={"action": "fall"}
)


class Receiver(ThreadingHTTPServer):
    """Answers every POST with `status` and keeps what came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with build_client(LOOPBACK, httpx.Timeout(0.3), lambda: Deadline(0.8), keeps_alive=False) as opened:
        yield opened


def test_webhook_signature_verifies_with_the_standard_rule(receiver: Receiver, client: httpx.Client) -> None:
    secret = make_secret()

    WebhookSink("w1", receiver.url, secret, client).deliver(ENVELOPE)

    headers, body = receiver.requests[0]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body)["data"] == {"action": "fall"}


def test_webhook_id_is_the_same_when_a_message_is_sent_again(receiver: Receiver, client: httpx.Client) -> None:
    sink = WebhookSink("w1", receiver.url, make_secret(), client)

    sink.deliver(ENVELOPE)
    sink.deliver(ENVELOPE)

    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1


@pytest.mark.parametrize(
    ("status", "is_final"),
    [
        *((status, False) for status in (500, 502, 503, 504, 408, 409, 421, 423, 425, 429)),
        *(
            (status, True)
            for status in (300, 301, 302, 303, 307, 308, 400, 401, 402, 404, 410, 418, 422, 451, 501, 505)
        ),
    ],
)
def test_webhook_failure_says_whether_trying_again_can_help(
    receiver: Receiver, client: httpx.Client, status: int, is_final: bool
) -> None:
    receiver.status = status

    with pytest.raises(DeliveryFailed) as caught:
        WebhookSink("w1", receiver.url, make_secret(), client).deliver(ENVELOPE)

    assert caught.value.status == status
    assert caught.value.is_final is is_final


def test_webhook_says_of_a_redirect_that_it_is_not_followed(receiver: Receiver, client: httpx.Client) -> None:
    receiver.status, receiver.headers = 301, {"location": receiver.url}

    with pytest.raises(DeliveryFailed, match="redirects are not followed"):
        WebhookSink("w1", receiver.url, make_secret(), client).deliver(ENVELOPE)

    assert len(receiver.requests) == 1


@pytest.mark.parametrize("own", [None, "a secret of one's own", "whsec_" + base64.b64encode(bytes(32)).decode()])
def test_webhook_is_verified_by_the_standards_own_library(
    receiver: Receiver, client: httpx.Client, own: str | None
) -> None:
    webhooks = pytest.importorskip("standardwebhooks.webhooks")
    secret = own or make_secret()
    check = webhooks.Webhook(secret if secret.startswith("whsec_") else secret.encode())

    WebhookSink("w1", receiver.url, secret, client).deliver(ENVELOPE)

    headers, body = receiver.requests[0]
    assert check.verify(body, headers)["type"] == "action.started"
    with pytest.raises(webhooks.WebhookVerificationError):
        check.verify(body.replace(b"fall", b"walk"), headers)


def test_webhook_waits_as_long_as_the_receiver_asks(receiver: Receiver, client: httpx.Client) -> None:
    receiver.status, receiver.headers = 429, {"retry-after": "7"}

    with pytest.raises(DeliveryFailed) as caught:
        WebhookSink("w1", receiver.url, make_secret(), client).deliver(ENVELOPE)

    assert caught.value.retry_after_s == 7


def _talker(answer: bytes, pause_s: float) -> Iterator[int]:
    """The port of a server that says the same whoever comes, byte by byte, for ever where it is to repeat itself."""
    listener, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                visitor, _ = listener.accept()
            except OSError:
                return
            with visitor, suppress(OSError):
                while not ended.wait(pause_s) and answer:
                    visitor.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    ended.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    ("answer", "pause_s"),
    [
        pytest.param(None, 0.0, id="closed port"),
        pytest.param(b"", 0.05, id="hangs up"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", 0.01, id="another protocol"),
        pytest.param(b"", 2.0, id="silent"),
        pytest.param(b"H", 0.1, id="trickles"),
    ],
)
def test_webhook_that_gets_no_answer_says_the_same_whatever_is_there(
    client: httpx.Client, answer: bytes | None, pause_s: float
) -> None:
    with contextmanager(_talker)(answer or b"", pause_s) as port:
        sink = WebhookSink("w1", f"http://127.0.0.1:{9 if answer is None else port}/hook", make_secret(), client)
        began_s = time.monotonic()

        with pytest.raises(DeliveryFailed) as caught:
            sink.deliver(ENVELOPE)

        assert str(caught.value) == UNREACHABLE
        assert not caught.value.is_final
        assert time.monotonic() - began_s < 2, "the deadline of the whole exchange is 0.8 s"


def test_webhook_to_a_host_without_an_address_is_unreachable_too(client: httpx.Client) -> None:
    with pytest.raises(DeliveryFailed, match="unreachable"):
        WebhookSink("w1", "http://receiver.invalid/hook", make_secret(), client).deliver(ENVELOPE)


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "224.0.0.1"])
def test_webhook_reaches_no_address_that_its_policy_refuses(receiver: Receiver, address: str) -> None:
    policy = AddressPolicy(resolve=lambda host, port: [address])
    url = receiver.url.replace("127.0.0.1", "hooks.example")

    with (
        build_client(policy, httpx.Timeout(1), lambda: Deadline(1)) as client,
        pytest.raises(DeliveryFailed, match="forbidden"),
    ):
        WebhookSink("w1", url, make_secret(), client).deliver(ENVELOPE)

    assert not receiver.requests


def test_sign_matches_the_example_of_the_specification() -> None:
    # The example of the Standard Webhooks repository's README of its reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'

    found = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "], ids=["status line", "header"])
def test_receiver_that_trickles_its_headers_holds_nobody(client: httpx.Client, head: bytes) -> None:
    stop = threading.Event()

    def trickle() -> None:
        link, _ = listener.accept()
        with link, contextlib.suppress(OSError):
            link.sendall(head or b"H")
            while not stop.wait(0.05):
                link.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle)
        thread.start()
        sink = WebhookSink("w1", f"http://127.0.0.1:{listener.getsockname()[1]}/", make_secret(), client)
        began_s = time.monotonic()
        with pytest.raises(DeliveryFailed, match="unreachable"):
            sink.deliver(ENVELOPE)
        stop.set()
        thread.join()

    assert time.monotonic() - began_s < 3


def test_answer_that_never_ends_is_not_read(client: httpx.Client) -> None:
    stop = threading.Event()

    def answer() -> None:
        link, _ = listener.accept()
        with link, contextlib.suppress(OSError):
            link.sendall(b"HTTP/1.1 204 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 999999999\r\n\r\n")
            while not stop.wait(0.01):
                link.sendall(b"x" * 1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        sink = WebhookSink("w1", f"http://127.0.0.1:{listener.getsockname()[1]}/", make_secret(), client)
        receipt = sink.deliver(ENVELOPE)
        stop.set()
        thread.join()

    assert receipt.status == 204
