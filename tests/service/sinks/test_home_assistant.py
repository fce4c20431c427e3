"""What Home Assistant finds with a real broker: held against its documented discovery, and another program's."""

import datetime as dt
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from service.envelope import Envelope
from service.sinks.mqtt import MqttSink
from service.sinks.topics import Topics, WatchedStream, can_tell
from service.sources import broker_policy
from tests.service.conftest import Serve
from tests.service.sinks.broker import WAIT_S, Broker, Listener

DOCK = WatchedStream("dock-1", "Dock", "running", actions=("fall", "lie", "drink water"))
ARABIC = WatchedStream("7", "غرفة 7", "connecting", actions=("fall", "خطر"))
CONFIG = "homeassistant/binary_sensor/actogram_dock-1/fall/config"

# The facts of https://www.home-assistant.io/integrations/mqtt/ and .../integrations/binary_sensor.mqtt/.
DISCOVERY_TOPIC = re.compile(r"homeassistant/binary_sensor/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")
ENTITY_ID = re.compile(r"binary_sensor\.[a-z0-9](?:[a-z0-9_]*[a-z0-9])?")
OPTIONS = frozenset([
    "availability", "availability_mode", "availability_topic", "availability_template", "payload_available",
    "payload_not_available", "default_entity_id", "device", "device_class", "enabled_by_default", "encoding",
    "entity_category", "entity_picture", "expire_after", "force_update", "icon", "json_attributes_template",
    "json_attributes_topic", "name", "off_delay", "origin", "payload_off", "payload_on", "platform", "qos",
    "state_topic", "unique_id", "value_template",
])  # fmt: skip
OF_AVAILABILITY = frozenset({"topic", "payload_available", "payload_not_available", "value_template"})
OF_DEVICE = frozenset([
    "configuration_url", "connections", "hw_version", "identifiers", "manufacturer", "model", "model_id",
    "name", "serial_number", "suggested_area", "sw_version", "via_device",
])  # fmt: skip
OF_ORIGIN = frozenset({"name", "sw_version", "support_url"})
DEVICE_CLASSES = frozenset({"safety", "motion", "occupancy", "presence", "problem", "tamper", "moving", "sound"})


def is_discovery(topic: str, payload: str) -> None:
    """Hold one announcement against the schema."""
    assert DISCOVERY_TOPIC.fullmatch(topic), topic
    config = json.loads(payload)
    assert set(config) <= OPTIONS
    assert {"state_topic", "unique_id", "device", "origin"} <= set(config)
    assert "+" not in config["state_topic"]
    assert "#" not in config["state_topic"]
    assert ENTITY_ID.fullmatch(config["default_entity_id"]), config["default_entity_id"]
    assert config["availability_mode"] in {"all", "any", "latest"}
    assert all(set(one) <= OF_AVAILABILITY and one["topic"] for one in config["availability"])
    assert set(config["device"]) <= OF_DEVICE
    assert config["device"]["identifiers"]
    assert config["device"].get("configuration_url", "http://").startswith(("http://", "https://", "homeassistant://"))
    assert set(config["origin"]) <= OF_ORIGIN
    assert config["origin"]["name"]
    assert config.get("device_class") in {None, *DEVICE_CLASSES}


@contextmanager
def connected(
    broker: Broker, streams: Callable[[], list[WatchedStream]], topics: Topics | None = None
) -> Iterator[MqttSink]:
    sink = MqttSink(broker.address, topics or Topics(), broker_policy(), streams)
    sink.open()
    yield sink
    sink.close()


def about(stream: str, kind: str, seq: int, **data: str) -> Envelope:
    return Envelope(seq=seq, type=kind, stream_id=stream, time=dt.datetime(2026, 1, 2, tzinfo=dt.UTC), data={**data})


def configs(listener: Listener) -> dict[str, dict[str, object]]:
    found = listener.payloads.items()
    return {topic: json.loads(payload) for topic, payload in found if topic.endswith("/config") and payload}


def left(broker: Broker) -> dict[str, str]:
    """What the broker keeps."""
    late = Listener(broker)
    assert late.expect("actogram/available")
    time.sleep(0.3)
    late.close()
    return {topic: payload for topic, payload in late.payloads.items() if payload}


def eventually(is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + WAIT_S
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)
    return is_so()


def test_every_sensor_is_there_before_anything_happened(broker: Broker, listener: Listener) -> None:
    with connected(broker, lambda: [DOCK, ARABIC]):
        assert eventually(lambda: len(configs(listener)) == 5)

    assert listener.payloads["actogram/dock-1/action/fall/active"] == "OFF"
    assert listener.payloads["actogram/dock-1/available"] == "online"
    assert listener.payloads["actogram/7/available"] == "offline"
    fall = configs(listener)[CONFIG]
    assert (fall["default_entity_id"], fall["device_class"]) == ("binary_sensor.actogram_dock_1_fall", "safety")
    assert fall["state_topic"] == "actogram/dock-1/action/fall/active"


def test_every_announcement_is_what_home_assistant_takes(broker: Broker, listener: Listener) -> None:
    topics = Topics("home/actogram", page_url="https://cameras.example.org/watch")

    with connected(broker, lambda: [DOCK, ARABIC], topics):
        assert eventually(lambda: len(configs(listener)) == 5)

    for topic, config in configs(listener).items():
        is_discovery(topic, json.dumps(config))


def test_device_bears_the_streams_name_and_follows_it(broker: Broker, listener: Listener) -> None:
    streams = [ARABIC]

    def device() -> object:
        return configs(listener)["homeassistant/binary_sensor/actogram_7/fall/config"]["device"]

    with connected(broker, lambda: streams) as sink:
        assert eventually(lambda: len(configs(listener)) == 2)
        first = device()
        streams[0] = replace(ARABIC, name="Küche")
        sink.put_in_order()
        assert eventually(lambda: device() != first)

    assert isinstance(first, dict)
    assert first["name"] == "غرفة 7"
    assert device() == {**first, "name": "Küche"}


def test_sensor_is_available_only_while_server_and_camera_are(broker: Broker, listener: Listener) -> None:
    with connected(broker, lambda: [DOCK]) as sink:
        assert eventually(lambda: CONFIG in listener.payloads)
        config = configs(listener)[CONFIG]
        sink.deliver(about("dock-1", "stream.state_changed", 1, state="reconnecting", code="timeout", message="x"))
        assert listener.expect("actogram/dock-1/available", "offline")

    assert config["availability"] == [{"topic": "actogram/available"}, {"topic": "actogram/dock-1/available"}]
    assert config["availability_mode"] == "all"
    assert listener.expect("actogram/available", "offline")


@pytest.mark.parametrize(
    ("state", "code", "is_able"),
    [
        ("running", None, True), ("degraded", "overloaded", True), ("degraded", "no_picture", False),
        ("degraded", "low_fps", False), ("connecting", None, False), ("reconnecting", "timeout", False),
        ("failed", "auth_failed", False), ("disabled", None, False),
    ],
)  # fmt: skip
def test_silence_means_nobody_only_where_somebody_would_be_seen(state: str, code: str | None, is_able: bool) -> None:
    assert can_tell(state, code) is is_able


def test_nothing_stays_of_a_stream_that_went_while_nobody_was_connected(broker: Broker) -> None:
    with connected(broker, lambda: [DOCK, ARABIC]) as sink:
        sink.deliver(about("7", "action.started", 1, action="fall", event_id="a"))
        assert eventually(lambda: sum("/config" in topic for topic in left(broker)) == 5)

    with connected(broker, lambda: [DOCK]):
        assert eventually(lambda: sum("/config" in topic for topic in left(broker)) == 3)

    assert [topic for topic in left(broker) if "/7/" in topic or "actogram_7" in topic] == []


def test_sensor_goes_with_the_action_that_another_model_does_not_know(broker: Broker) -> None:
    streams = [DOCK]
    with connected(broker, lambda: streams) as sink:
        assert eventually(lambda: CONFIG in left(broker))
        streams[0] = replace(DOCK, actions=("lie",))
        sink.put_in_order()

        assert eventually(lambda: CONFIG not in left(broker))

    assert sum("/config" in topic for topic in left(broker)) == 1


def test_one_of_two_who_lie_may_rise(broker: Broker, listener: Listener) -> None:
    topic = "actogram/dock-1/action/lie/active"
    with connected(broker, lambda: [DOCK]) as sink:
        for seq, (kind, event_id) in enumerate([("started", "a"), ("started", "b"), ("ended", "a")], start=1):
            sink.deliver(about("dock-1", f"action.{kind}", seq, action="lie", event_id=event_id))
        sink.put_in_order()
        assert listener.expect(topic, "ON")

        sink.deliver(about("dock-1", "action.ended", 4, action="lie", event_id="b"))

        assert listener.expect(topic, "OFF")


def test_other_programs_sensors_are_left_alone(broker: Broker, listener: Listener) -> None:
    other = pytest.importorskip("ha_mqtt_discoverable")
    sensors = pytest.importorskip("ha_mqtt_discoverable.sensors")
    device = other.DeviceInfo(name="actogram_dock-1", identifiers="theirs")
    info = sensors.BinarySensorInfo(name="fall door", unique_id="theirs_1", device=device)
    theirs = sensors.BinarySensor(
        other.Settings(mqtt=other.Settings.MQTT(host="127.0.0.1", port=broker.port), entity=info)
    )
    theirs.write_config()
    assert listener.expect(theirs.config_topic)

    with connected(broker, lambda: [DOCK]):
        assert eventually(lambda: CONFIG in left(broker))
    with connected(broker, list):
        assert eventually(lambda: CONFIG not in left(broker))

    assert theirs.config_topic in left(broker)
    theirs.mqtt_client.loop_stop()
    theirs.mqtt_client.disconnect()


def test_another_program_that_announces_sensors_understands_ours(broker: Broker, listener: Listener) -> None:
    other = pytest.importorskip("ha_mqtt_discoverable")
    sensors = pytest.importorskip("ha_mqtt_discoverable.sensors")

    with connected(broker, lambda: [DOCK]):
        assert eventually(lambda: CONFIG in listener.payloads)

    config = configs(listener)[CONFIG]
    assert other.DeviceInfo.model_validate(config["device"]).name == "Dock"
    read = sensors.BinarySensorInfo.model_validate({**config, "payload_on": "ON", "payload_off": "OFF"})
    assert (read.component, read.device_class, read.unique_id) == ("binary_sensor", "safety", "actogram_dock-1_fall")


def test_server_tells_of_its_streams_by_itself(broker: Broker, listener: Listener, serve: Serve) -> None:
    service = serve(mqtt_url=f"mqtt://127.0.0.1:{broker.port}")
    topic = "homeassistant/binary_sensor/actogram_dock/fall/config"

    def name() -> object:
        return json.loads(listener.payloads.get(topic) or '{"device": {"name": null}}')["device"]["name"]

    service.http.post("/v1/streams", json={"name": "Dock", "source": {"uri": "push:"}}).raise_for_status()
    assert eventually(lambda: name() == "Dock")
    service.http.patch("/v1/streams/dock", json={"name": "Loading dock"}).raise_for_status()
    assert eventually(lambda: name() == "Loading dock")
    service.http.delete("/v1/streams/dock").raise_for_status()

    assert eventually(lambda: [one for one in left(broker) if "dock" in one] == [])
