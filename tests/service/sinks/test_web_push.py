"""Web Push: what a browser's push service gets is encrypted for that browser alone and signed by this installation."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import JsonValue, ValidationError

from pipelines.addresses.client import Deadline, build_client
from pipelines.addresses.policy import AddressPolicy
from service.database import now
from service.envelope import Envelope
from service.event_log import Message
from service.sinks.delivery import DeliveryFailed
from service.sinks.web_push import PushKey, PushSink, Subscription
from service.sinks.wording import Wording

FALL = Envelope.of(
    Message("action.started", {"event_id": "e1", "action": "fall", "severity": "alarm", "track_id": 3}, "room"), 7
)
WORDING = Wording(lambda stream_id: f"the {stream_id}")


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """A subscription, and the keys that open what is sent to it: RFC 8291, written out."""

    def __init__(self, endpoint: str) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._auth = b"0123456789abcdef"
        self.subscription = Subscription.model_validate(
            {"endpoint": endpoint, "expirationTime": None,
             "keys": {"p256dh": coded(self._public), "auth": coded(self._auth)}}
        )  # fmt: skip

    @property
    def _public(self) -> bytes:
        return self._private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    def read(self, body: bytes) -> dict[str, str]:
        salt, key_length = body[:16], body[20]
        sender, sealed = body[21 : 21 + key_length], body[21 + key_length :]
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self._private.exchange(ec.ECDH(), point)
        secret = self._derive(self._auth, shared, b"WebPush: info\0" + self._public + sender, 32)
        key = self._derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
        nonce = self._derive(salt, secret, b"Content-Encoding: nonce\0", 12)
        plain = AESGCM(key).decrypt(nonce, sealed, None)
        assert plain.rstrip(b"\0").endswith(b"\2"), "the last record ends with 2"
        found: dict[str, str] = json.loads(plain.rstrip(b"\0")[:-1])
        return found

    @staticmethod
    def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
        return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


class PushService(ThreadingHTTPServer):
    """Keeps what it is asked to carry."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status = 201
        self.url = f"http://127.0.0.1:{self.server_port}/push/abc"


class _Handler(BaseHTTPRequestHandler):
    server: PushService

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def push_service() -> Iterator[PushService]:
    server = PushService()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    policy = AddressPolicy(frozenset({"http", "https"}), frozenset({"loopback"}))
    with build_client(policy, httpx.Timeout(2), lambda: Deadline(4), keeps_alive=False) as opened:
        yield opened


def test_browser_reads_what_was_sent_to_it(push_service: PushService, client: httpx.Client) -> None:
    browser = Browser(push_service.url)

    receipt = PushSink(browser.subscription, PushKey.generate(), client, WORDING).deliver(FALL)

    headers, body = push_service.requests[0]
    shown = browser.read(body)
    assert receipt.status == 201
    assert (shown["title"], shown["severity"], shown["tag"]) == ("Alarm: fall – the room", "alarm", "e1")
    assert (headers["content-encoding"], headers["urgency"], headers["ttl"]) == ("aes128gcm", "high", "14400")
    assert b"fall" not in body


def test_push_service_learns_who_sends(push_service: PushService, client: httpx.Client) -> None:
    key = PushKey.generate()

    PushSink(Browser(push_service.url).subscription, key, client, WORDING, contact="mailto:me@example.org").deliver(
        FALL
    )

    scheme, _, rest = push_service.requests[0][0]["authorization"].partition(" ")
    fields = dict(part.strip().split("=", 1) for part in rest.split(","))
    head, claims, signature = fields["t"].split(".")
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(fields["k"]))
    raw = decoded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    point.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    said = json.loads(decoded(claims))
    assert (scheme, fields["k"]) == ("vapid", key.public)
    assert (said["aud"], said["sub"]) == (push_service.url.removesuffix("/push/abc"), "mailto:me@example.org")
    assert time.time() < said["exp"] <= time.time() + 24 * 3600, "RFC 8292: a day at most"


@pytest.mark.parametrize("status", [404, 410])
def test_subscription_that_is_gone_is_given_up(push_service: PushService, client: httpx.Client, status: int) -> None:
    push_service.status = status
    gone: list[bool] = []
    sink = PushSink(
        Browser(push_service.url).subscription, PushKey.generate(), client, WORDING, lambda: gone.append(True)
    )

    with pytest.raises(DeliveryFailed) as caught:
        sink.deliver(FALL)

    assert (caught.value.is_final, caught.value.status, gone) == (True, status, [True])


@pytest.mark.parametrize(("status", "is_final"), [(429, False), (500, False), (503, False), (400, True), (413, True)])
def test_push_failure_says_whether_trying_again_can_help(
    push_service: PushService, client: httpx.Client, status: int, is_final: bool
) -> None:
    push_service.status = status

    with pytest.raises(DeliveryFailed) as caught:
        PushSink(Browser(push_service.url).subscription, PushKey.generate(), client, WORDING).deliver(FALL)

    assert caught.value.is_final is is_final


def test_push_goes_nowhere_that_the_settings_do_not_allow(push_service: PushService) -> None:
    with (
        build_client(AddressPolicy(frozenset({"http", "https"})), httpx.Timeout(2), lambda: Deadline(4)) as client,
        pytest.raises(DeliveryFailed, match="forbidden"),
    ):
        PushSink(Browser(push_service.url).subscription, PushKey.generate(), client, WORDING).deliver(FALL)

    assert push_service.requests == []


def test_key_pair_is_the_same_when_it_is_stored_and_read() -> None:
    key = PushKey.generate()

    again = PushKey.load(key.text)

    assert again.public == key.public
    assert len(decoded(key.public)) == 65


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "ftp://push.example/x"},
        {"endpoint": "https://"},
        {"endpoint": "push.example"},
        {"keys": {"p256dh": "AAAA", "auth": coded(bytes(16))}},
        {"keys": {"p256dh": coded(bytes(65)), "auth": coded(bytes(16))}},
        {"keys": {"p256dh": "!!", "auth": coded(bytes(16))}},
        {"keys": {"auth": coded(bytes(16))}},
        {"keys": None},
    ],
)
def test_subscription_is_refused_when_it_is_none(change: dict[str, object]) -> None:
    good = Browser("https://push.example/x").subscription.model_dump()

    with pytest.raises(ValidationError):
        Subscription.model_validate({**good, **change})


def test_subscription_is_refused_when_its_secret_has_another_length() -> None:
    good = Browser("https://push.example/x").subscription.model_dump()

    with pytest.raises(ValidationError, match="expected 16 bytes"):
        Subscription.model_validate({**good, "keys": {**good["keys"], "auth": coded(b"short")}})


def test_words_are_short_enough_for_a_push_service() -> None:
    long = Message("action.started", {"action": "x" * 5000, "rules": ["y" * 5000], "severity": "alarm"}, "room")

    told = WORDING.tell(Envelope.of(long, 1))

    assert len(told.title) + len(told.body) < 1000


def test_words_name_the_rule_the_time_and_the_camera() -> None:
    data: dict[str, JsonValue] = {
        "action": "nobody_seen", "severity": "warning", "rules": ["night"], "zones": ["bed"], "track_id": 0,
        "start_time": "2026-06-01T20:15:00.000Z",
    }  # fmt: skip
    wording = Wording(lambda _: "Room 4", "Europe/Berlin", "https://cameras.example/watch")

    told = wording.tell(Envelope.of(Message("action.started", data, "room", time=now()), 1))

    assert told.title == "Warning: Nobody is seen – Room 4"
    assert told.body == "2026-06-01 22:15, in bed, rule night"
    assert wording.as_text(told).endswith("\nhttps://cameras.example/watch/#/events")
