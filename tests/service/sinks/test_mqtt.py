"""MQTT against a real broker (mosquitto) on loopback."""

import datetime as dt
import json
import time
from dataclasses import replace

import pytest

from pipelines.addresses.policy import AddressPolicy
from service.envelope import Envelope
from service.sinks.delivery import DeliveryFailed
from service.sinks.mqtt import BrokerAddress, MqttSink
from service.sinks.topics import Topics, topic_part
from service.sources import broker_policy
from tests.service.sinks.broker import WAIT_S, Broker, Listener

ANYWHERE = broker_policy()


def envelope(kind: str, **data: str) -> Envelope:
    return Envelope(seq=3, type=kind, stream_id="dock 1", time=dt.datetime(2026, 1, 2, tzinfo=dt.UTC), data={**data})


@pytest.mark.parametrize("version", [3, 5])
def test_mqtt_carries_actions_state_and_availability(broker: Broker, listener: Listener, version: int) -> None:
    sink = MqttSink(broker.address, Topics(), ANYWHERE, version=version)
    sink.open()

    sink.deliver(envelope("action.started", action="fall"))
    sink.deliver(envelope("stream.state_changed", state="running"))

    assert listener.expect("actogram/available", "online")
    assert listener.expect("actogram/dock_1/action/fall/active", "ON")
    assert listener.expect("actogram/dock_1/state")
    assert json.loads(listener.payloads["actogram/dock_1/action/fall"])["type"] == "action.started"
    assert listener.expect("homeassistant/binary_sensor/actogram_dock_1/fall/config")
    sink.close()
    assert listener.expect("actogram/available", "offline")


def test_mqtt_delivers_after_the_broker_is_back(broker: Broker) -> None:
    sink = MqttSink(broker.address, Topics(), ANYWHERE, ack_s=0.2)
    sink.open()
    sink.deliver(envelope("action.started", action="fall"))
    broker.kill()
    with pytest.raises(DeliveryFailed):
        sink.deliver(envelope("action.ended", action="fall"))

    broker.start()
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            sink.deliver(envelope("action.ended", action="fall"))
            break
        except DeliveryFailed:
            continue
    else:
        pytest.fail("nothing was delivered after the broker came back")

    late = Listener(broker)
    assert late.expect("actogram/dock_1/action/fall/active", "OFF")
    late.close()
    sink.close()


def test_topics_announce_a_sensor_once_per_connection() -> None:
    topics = Topics()

    first = topics.publications(envelope("action.started", action="fall"))
    second = topics.publications(envelope("action.ended", action="fall"))

    assert sum(one.topic.startswith("homeassistant") for one in first) == 1
    assert not any(one.topic.startswith("homeassistant") for one in second)


@pytest.mark.parametrize(("name", "level"), [("dock/1", "dock_1"), ("a+b#c", "a_b_c"), ("", "_"), ("tür", "tür")])
def test_topic_part_holds_no_separator_and_no_wildcard(name: str, level: str) -> None:
    assert topic_part(name) == level


def test_broker_address_never_shows_the_password() -> None:
    address = BrokerAddress.parse("mqtts://user:p%40ss@broker")

    assert address.password == "p@ss"
    assert "p@ss" not in repr(address)
    assert address.port == 8883


def test_broker_address_refuses_other_schemes() -> None:
    with pytest.raises(ValueError, match="mqtt://host"):
        BrokerAddress.parse("http://broker")


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "fe80::1"])
def test_mqtt_dials_no_metadata_service(address: str, caplog: pytest.LogCaptureFixture) -> None:
    policy = replace(ANYWHERE, resolve=lambda host, port: [address])
    sink = MqttSink(BrokerAddress.parse("mqtt://broker.example"), Topics(), policy, ack_s=0.3)

    sink.open()
    with pytest.raises(DeliveryFailed):
        sink.deliver(envelope("action.started", action="fall"))
    sink.close()

    assert "never allowed" in caplog.text


def test_mqtt_dials_the_address_that_was_checked(broker: Broker, listener: Listener) -> None:
    policy = AddressPolicy(frozenset(), frozenset({"loopback"}), resolve=lambda host, port: ["127.0.0.1"])
    sink = MqttSink(BrokerAddress.parse(f"mqtt://broker.example:{broker.port}"), Topics(), policy)

    sink.open()

    assert listener.expect("actogram/available", "online")
    sink.close()


@pytest.mark.parametrize(
    "url", ["mqtt://user:hunter2/x@broker", "mqtt://user:hunter2", "mqtt://broker:99999", "mqtt://[x"]
)
def test_broker_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="escape") as caught:
        BrokerAddress.parse(url)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def about(kind: str, seq: int, event_id: str, stream_id: str = "dock 1") -> Envelope:
    """A message of the action `lie`, with its number in the log."""
    data = {"action": "lie", "event_id": event_id}
    return envelope(kind, **data).model_copy(update={"seq": seq, "stream_id": stream_id})


def active(topics: Topics, *messages: Envelope) -> list[str]:
    """What is told of `active` after each message."""
    told = [
        [one.payload for one in topics.publications(message) if one.topic.endswith("/active")] for message in messages
    ]
    return [payload for payloads in told for payload in payloads]


def test_action_stays_active_while_anybody_still_does_it() -> None:
    states = active(
        Topics(), about("action.started", 1, "a"), about("action.started", 2, "b"), about("action.ended", 3, "a"),
        about("action.updated", 4, "b"), about("action.ended", 5, "b"),
    )  # fmt: skip

    assert states == ["ON", "ON", "ON", "ON", "OFF"]


@pytest.mark.parametrize("missed", ["messages that are gone", "an erased message"])
def test_action_whose_end_was_missed_is_not_active_for_ever(missed: str) -> None:
    topics = Topics()
    topics.publications(about("action.started", 1, "a"))

    if missed == "an erased message":
        topics.publications(Envelope(seq=2, type="log.erased", time=dt.datetime(2026, 1, 2, tzinfo=dt.UTC)))
    states = active(topics, about("action.started", 9, "b"), about("action.ended", 10, "b"))

    assert states == ["ON", "OFF"]


def test_mqtt_leaves_nothing_of_a_removed_stream(broker: Broker) -> None:
    earlier, sink = (MqttSink(broker.address, Topics(), ANYWHERE) for _ in range(2))
    earlier.open()
    earlier.deliver(about("action.started", 1, "a"))
    earlier.deliver(about("action.started", 2, "b", "other"))
    earlier.close()
    sink.open()
    sink.deliver(about("stream.state_changed", 3, "", "dock 1"))

    sink.deliver(about("stream.removed", 4, "", "dock 1"))
    sink.deliver(about("action.ended", 5, "a"))

    late = Listener(broker)
    assert late.expect("actogram/other/action/lie/active", "ON")
    assert late.expect("actogram/available", "online")
    assert [topic for topic in late.payloads if "dock_1" in topic] == []
    late.close()
    sink.close()


def test_mqtt_tells_of_a_stream_that_was_added_again() -> None:
    topics = Topics()
    for message in (about("stream.removed", 1, ""), about("stream.state_changed", 2, "")):
        topics.publications(message)

    states = active(topics, about("action.started", 3, "a"))

    assert states == ["ON"]
