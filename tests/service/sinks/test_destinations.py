"""Destinations over HTTP: mailboxes, chats and browsers; nothing of their addresses comes out again."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from service.errors import InvalidRequest
from service.event_log import EventLog, Message
from service.sinks.apprise_process import scrub
from service.sinks.apprise_sink import AppriseRunner, scheme_of
from service.sinks.delivery import DeliveryFailed
from tests.service.conftest import Running, running
from tests.service.sinks.test_web_push import Browser, PushService

T = TypeVar("T", bound=ThreadingHTTPServer)
SECRET = "hunter2pass"
FALL = {"event_id": "e1", "action": "fall", "severity": "alarm", "rules": []}


class Chat(ThreadingHTTPServer):
    """A service that Apprise posts JSON to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: list[dict[str, str]] = []
        self.url = f"json://me:{SECRET}@127.0.0.1:{self.server_port}/room"


class _Handler(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        self.server.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def chat() -> Iterator[Chat]:
    yield from _serving(Chat())


@pytest.fixture
def push_service() -> Iterator[PushService]:
    yield from _serving(PushService())


def _serving(server: T) -> Iterator[T]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def http(service: Running) -> Iterator[httpx.Client]:
    """A client of a service without destinations."""
    yield service.http
    for one in service.http.get("/v1/destinations").json()["items"]:
        service.http.delete(f"/v1/destinations/{one['destination_id']}")


def subscription(browser: Browser) -> dict[str, object]:
    return {"name": "Phone", "subscription": browser.subscription.model_dump()}


def announce(service: Running, **data: object) -> None:
    log = service.app.state.parts[EventLog]
    assert isinstance(log, EventLog)
    with log.transaction() as transaction:
        transaction.announce(Message("action.started", {**FALL, **data}, "room"))  # type: ignore[dict-item]


def wait_for(found: list[object], count: int = 1) -> None:
    until = time.monotonic() + 20
    while len(found) < count:
        assert time.monotonic() < until, f"{len(found)} came, expected {count}"
        time.sleep(0.02)


def test_chat_is_told_in_words_and_shows_nothing_of_its_address(
    service: Running, http: httpx.Client, chat: Chat
) -> None:
    answer = http.post("/v1/destinations", json={"name": "Chat", "url": chat.url})
    made = answer.json()

    tested = http.post(f"/v1/destinations/{made['destination_id']}/test").json()
    announce(service)
    wait_for(chat.told, 2)  # type: ignore[arg-type]

    assert (answer.status_code, made["kind"], made["shown"], tested["delivered"]) == (
        201,
        "apprise",
        "json://***",
        True,
    )
    assert [one["title"] for one in chat.told] == ["Actogram: a test", "Alarm: fall – room"]
    everything = answer.text + http.get("/v1/destinations").text
    assert SECRET not in everything
    assert "127.0.0.1" not in everything
    assert SECRET.encode() not in (service.home / "actogram.sqlite3").read_bytes()


def test_browser_is_told_until_it_has_unsubscribed(
    service: Running, http: httpx.Client, push_service: PushService
) -> None:
    browser = Browser(push_service.url)
    key = http.get("/v1/push_key").json()["public_key"]
    made = http.post("/v1/push_subscriptions", json=subscription(browser)).json()

    tested = http.post(f"/v1/push_subscriptions/{made['destination_id']}/test").json()
    announce(service, event_id="e2")
    wait_for(push_service.requests, 2)  # type: ignore[arg-type]
    push_service.status = 410
    announce(service, event_id="e3")
    wait_for(push_service.requests, 3)  # type: ignore[arg-type]

    assert (tested["delivered"], made["kind"], made["shown"]) == (True, "push", "127.0.0.1")
    assert browser.read(push_service.requests[1][1])["tag"] == "e2"
    assert http.get("/v1/push_key").json()["public_key"] == key, "one pair, made once"
    until = time.monotonic() + 10
    while http.get(f"/v1/destinations/{made['destination_id']}").status_code != 404:
        assert time.monotonic() < until, "a browser that is gone is still a destination"


def test_browser_that_subscribes_again_is_one_destination(http: httpx.Client, push_service: PushService) -> None:
    body = subscription(Browser(push_service.url))
    first = http.post("/v1/push_subscriptions", json=body).json()

    again = http.post("/v1/push_subscriptions", json={**body, "name": "My phone"}).json()

    assert again["destination_id"] == first["destination_id"]
    assert [one["name"] for one in http.get("/v1/destinations").json()["items"]] == ["My phone"]


def test_unsubscribing_removes_browsers_and_nothing_else(
    http: httpx.Client, chat: Chat, push_service: PushService
) -> None:
    mail = http.post("/v1/destinations", json={"name": "Chat", "url": chat.url}).json()["destination_id"]
    browser = http.post("/v1/push_subscriptions", json=subscription(Browser(push_service.url))).json()["destination_id"]

    answers = [http.delete(f"/v1/push_subscriptions/{one}").status_code for one in (mail, browser, browser)]

    assert answers == [404, 204, 404]
    assert [one["destination_id"] for one in http.get("/v1/destinations").json()["items"]] == [mail]


def test_destination_is_changed_and_keeps_what_was_left_out(http: httpx.Client, chat: Chat) -> None:
    made = http.post("/v1/destinations", json={"name": "Chat", "url": chat.url, "escalate_after_s": 300}).json()
    path = f"/v1/destinations/{made['destination_id']}"

    changed = http.patch(
        path, json={"quiet_hours": [{"from": "22:00", "to": "06:00"}], "time_zone": "Europe/Berlin", "enabled": False}
    ).json()
    at_once = http.patch(path, json={"escalate_after_s": None, "min_severity": None}).json()

    assert (changed["escalate_after_s"], changed["min_severity"], changed["enabled"]) == (300, "warning", False)
    assert (changed["quiet_hours"][0]["to"], changed["time_zone"]) == ("06:00", "Europe/Berlin")
    assert (at_once["escalate_after_s"], at_once["min_severity"]) == (None, None)


def test_webhook_has_quiet_hours_and_escalation_as_well(http: httpx.Client) -> None:
    body = {
        "url": "http://127.0.0.1:9/x", "enabled": False, "quiet_hours": [{"from": "22:00", "to": "06:00"}],
        "escalate_after_s": 60, "min_severity": "alarm",
    }  # fmt: skip
    made = http.post("/v1/webhooks", json=body).json()

    found = http.get(f"/v1/webhooks/{made['webhook_id']}").json()

    http.delete(f"/v1/webhooks/{made['webhook_id']}")
    assert (found["escalate_after_s"], found["min_severity"], found["quiet_hours"][0]["from"]) == (60, "alarm", "22:00")
    assert found["messages"] == ["action.started", "action.ended"]


def test_quiet_hours_and_acknowledgement_are_said_among_deliveries(
    service: Running, http: httpx.Client, chat: Chat
) -> None:
    always = [{"from": "00:00", "to": "24:00"}]
    made = http.post("/v1/destinations", json={"name": "Chat", "url": chat.url, "quiet_hours": always}).json()
    announce(service, severity="warning")
    path = f"/v1/destinations/{made['destination_id']}/deliveries"
    until = time.monotonic() + 10
    while not (items := http.get(path).json()["items"]):
        assert time.monotonic() < until

    assert ([one["outcome"] for one in items], chat.told) == (["quiet"], [])
    assert http.get(f"{path}?outcome=dead").json()["items"] == []


def test_destinations_are_bounded(tmp_path: Path, chat: Chat) -> None:
    with running(tmp_path / "home", destinations_max=1) as service:
        first = service.http.post("/v1/destinations", json={"name": "a", "url": chat.url})
        second = service.http.post("/v1/destinations", json={"name": "b", "url": chat.url})
        browser = service.http.post("/v1/push_subscriptions", json=subscription(Browser("https://push.example/x")))

    assert [one.status_code for one in (first, second, browser)] == [201, 429, 429]


def test_browsers_survive_a_restart(tmp_path: Path, push_service: PushService) -> None:
    home = tmp_path / "home"
    browser = Browser(push_service.url)
    with running(home) as service:
        made = service.http.post("/v1/push_subscriptions", json=subscription(browser)).json()
        key = service.http.get("/v1/push_key").json()
    stored = (home / "actogram.sqlite3").read_bytes()

    with running(home) as service:
        tested = service.http.post(f"/v1/push_subscriptions/{made['destination_id']}/test").json()
        again = service.http.get("/v1/push_key").json()

    assert (tested["delivered"], again) == (True, key)
    assert b"/push/abc" not in stored, "an endpoint is a capability: whoever knows it may send"


@pytest.mark.parametrize(
    "url",
    [
        "dbus://", "syslog://localhost", "gnome://", "windows://", "exec://ls", "file:///etc/passwd", "vapid://a@b/c",
        "fcm://project@key/?keyfile=/etc/passwd", "http://example.org", "mailto", "mailto:me@example.org", "://x", "json://",
        "tgram://nonsense",
    ],
)  # fmt: skip
def test_destination_is_refused_whose_address_is_none(http: httpx.Client, url: str) -> None:
    answer = http.post("/v1/destinations", json={"name": "x", "url": url})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text


def test_refusal_of_an_address_says_nothing_of_its_secrets(http: httpx.Client) -> None:
    answer = http.post("/v1/destinations", json={"name": "x", "url": f"tgram://{SECRET}/"})

    assert answer.status_code == 422
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "parts",
    [
        {"escalate_after_s": 0}, {"escalate_after_s": 1e9}, {"escalate_after_s": "60"}, {"time_zone": "Mars/Phobos"},
        {"quiet_hours": [{"from": "22:00", "to": "22:00"}]}, {"min_severity": "loud"}, {"name": ""}, {"secret": "x"},
    ],
)  # fmt: skip
def test_destination_is_refused_when_a_wish_is_odd(http: httpx.Client, parts: dict[str, object]) -> None:
    answer = http.post("/v1/destinations", json={"name": "x", "url": "json://localhost:9/x", **parts})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_apprise_connects_only_where_the_settings_let_it(chat: Chat) -> None:
    message = {"url": chat.url, "title": "t", "body": "b"}

    AppriseRunner(frozenset({"loopback"})).run(message)
    with pytest.raises(DeliveryFailed) as caught:
        AppriseRunner(frozenset({"public"})).run(message)

    assert len(chat.told) == 1
    assert SECRET not in str(caught.value)


def test_apprise_is_given_up_when_it_takes_too_long(chat: Chat) -> None:
    with pytest.raises(DeliveryFailed, match="no answer within"):
        AppriseRunner(frozenset({"loopback"}), exchange_s=0.05).run({"url": chat.url, "title": "t", "body": "b"})


def test_scheme_is_read_whatever_its_case() -> None:
    assert scheme_of("MailTo://me@example.org") == "mailto"
    with pytest.raises(InvalidRequest) as caught:
        scheme_of(f"nothing://{SECRET}")
    assert SECRET not in str(caught.value)


def test_scrubbing_leaves_no_part_of_an_address() -> None:
    text = scrub(
        "401 for me: token abcd1234, password p/ss word, see https://example.org", "x://me:p%2Fss%20word@abcd1234"
    )

    assert "abcd1234" not in text
    assert "p/ss word" not in text
