"""Publishes messages to an MQTT 3.1.1 or 5 broker, with retained state, a last will, and Home Assistant discovery.

Topics: `<prefix>/<stream>/action/<action>` for actions, retained `<prefix>/<stream>/state`, `<prefix>/available`
(`online`, last will `offline`). Discovery: Home Assistant's MQTT discovery, `<discovery>/binary_sensor/.../config`.
What is retained of a stream goes with the stream.
"""

import json
import logging
import queue
import re
import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import JsonValue

from pipelines.addresses.dial import dial
from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceError
from service.envelope import Envelope
from service.event_log import ERASED
from service.sinks.delivery import DeliveryFailed, Receipt

logger = logging.getLogger(__name__)

_QOS = 1
_ACTIVE = frozenset({"action.started", "action.updated"})
_QUIET_S = 0.3
_LEFT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """The broker's address: `mqtt://user:password@host:port` or `mqtts://`; the password is never shown."""

    host: str
    port: int
    username: str | None
    password: str | None
    is_tls: bool

    @classmethod
    def parse(cls, url: str) -> "BrokerAddress":
        """Read a URL; raises ValueError naming what is wrong, without the URL itself."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # whose words may hold the password
            raise ValueError("mqtt_url is no address; escape @, :, / and # in the password") from None
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError(f"expected mqtt://host or mqtts://host, found the scheme {parts.scheme or 'none'!r}")
        is_tls = parts.scheme == "mqtts"
        return cls(
            parts.hostname, port or (8883 if is_tls else 1883),
            unquote(parts.username) if parts.username else None, unquote(parts.password) if parts.password else None,
            is_tls,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"BrokerAddress({self.host}:{self.port})"


def topic_part(name: str) -> str:
    """A name as one level of a topic: no wildcard, no separator, never empty."""
    return re.sub(r"[^\w.-]", "_", name) or "_"


@dataclass(frozen=True, slots=True)
class Publication:
    """One MQTT message."""

    topic: str
    payload: str
    is_retained: bool = False


class Topics:
    """Which topics a message goes to.

    prefix: first level of our topics. discovery: Home Assistant's prefix; empty switches discovery off.
    """

    def __init__(self, prefix: str = "actogram", discovery: str = "homeassistant") -> None:
        self._prefix = prefix
        self._discovery = discovery
        self._announced: set[tuple[str, str]] = set()
        self._going: dict[tuple[str, str], set[str]] = {}
        self._removed: set[str] = set()
        self._last_seq = 0

    @property
    def available(self) -> str:
        """The topic of the last will."""
        return f"{self._prefix}/available"

    def forget(self) -> None:
        """Announce every sensor again, as after a new connection."""
        self._announced.clear()

    def of_stream(self, stream_id: str) -> list[str]:
        """Filters that match every topic of a stream."""
        stream = topic_part(stream_id)
        sensors = [f"{self._discovery}/binary_sensor/{self._prefix}_{stream}/#"] if self._discovery else []
        return [f"{self._prefix}/{stream}/#", *sensors]

    def publications(self, envelope: Envelope) -> list[Publication]:
        """What to publish for one message; empty for messages that MQTT does not carry."""
        self._note_gap(envelope)
        if envelope.stream_id is None:
            return []
        stream = topic_part(envelope.stream_id)
        if envelope.type.startswith("action."):
            return self._action(stream, envelope)
        if envelope.type == "stream.state_changed":
            self._removed.discard(stream)
            return [Publication(f"{self._prefix}/{stream}/state", json.dumps(envelope.data), is_retained=True)]
        if envelope.type == "stream.removed":
            self._removed.add(stream)
            self._going = {key: ids for key, ids in self._going.items() if key[0] != stream}
            self._announced = {key for key in self._announced if key[0] != stream}
        return []

    def _note_gap(self, envelope: Envelope) -> None:
        """Whose end was among messages that are gone would be active for ever."""
        if envelope.type == ERASED or envelope.seq > self._last_seq + 1:
            self._going.clear()
        self._last_seq = envelope.seq

    def _action(self, stream: str, envelope: Envelope) -> list[Publication]:
        action = topic_part(str(envelope.data.get("action", "unknown")))
        topic = f"{self._prefix}/{stream}/action/{action}"
        found = [Publication(topic, envelope.model_dump_json())]
        if stream in self._removed:
            # What its worker ends after a stream is gone must leave nothing with the broker.
            return found
        if envelope.type != "action.provisional":
            state = "ON" if self._is_active(stream, action, envelope) else "OFF"
            found.append(Publication(f"{topic}/active", state, is_retained=True))
        if self._discovery and (stream, action) not in self._announced:
            found.insert(0, self._discover(stream, action, topic))
            self._announced.add((stream, action))
        return found

    def _is_active(self, stream: str, action: str, envelope: Envelope) -> bool:
        """Whether anybody does it, after this message: two may, and one of them may stop."""
        going = self._going.setdefault((stream, action), set())
        event_id = str(envelope.data.get("event_id", ""))
        if envelope.type in _ACTIVE:
            going.add(event_id)
        else:
            going.discard(event_id)
        return bool(going)

    def _discover(self, stream: str, action: str, topic: str) -> Publication:
        config: dict[str, JsonValue] = {
            "name": action.replace("_", " "),
            "unique_id": f"{self._prefix}_{stream}_{action}",
            "object_id": f"{self._prefix}_{stream}_{action}",
            "state_topic": f"{topic}/active",
            "json_attributes_topic": topic,
            "json_attributes_template": "{{ value_json.data | tojson }}",
            "availability_topic": self.available,
            "device": {"identifiers": [f"{self._prefix}_{stream}"], "name": stream, "manufacturer": "Actogram"},
        }
        if action == "fall":
            config["device_class"] = "safety"
        sensor = f"{self._discovery}/binary_sensor/{self._prefix}_{stream}/{action}/config"
        return Publication(sensor, json.dumps(config), is_retained=True)


class MqttSink:
    """One connection, kept by the client's own thread; a message counts as delivered when the broker acknowledged it.

    policy: where the broker may lie; asked at every connection.
    ack_s: how long the broker may take, seconds.
    """

    def __init__(
        self, address: BrokerAddress, topics: Topics, policy: AddressPolicy, *, version: int = 5, ack_s: float = 10.0
    ) -> None:
        self._topics = topics
        self._ack_s = ack_s
        self._address = address
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self._retained: queue.Queue[str] = queue.Queue(_LEFT_MAX)
        protocol = paho.MQTTv5 if version == 5 else paho.MQTTv311
        self._client = _CheckedClient(policy, protocol)
        self._client.max_queued_messages_set(100)
        if address.username is not None:
            self._client.username_pw_set(address.username, address.password)
        if address.is_tls:
            self._client.tls_set()
        self._client.will_set(topics.available, "offline", qos=_QOS, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.reconnect_delay_set(1, 30)

    def open(self) -> None:
        """Start connecting; retries until `close` while the broker is down."""
        self._client.connect_async(self._address.host, self._address.port, keepalive=20)
        self._client.loop_start()

    def close(self) -> None:
        """Publish that we are offline, and disconnect."""
        if self._connected.is_set():
            farewell = self._client.publish(self._topics.available, "offline", qos=_QOS, retain=True)
            _wait(farewell, 2.0)
        self._client.disconnect()
        self._client.loop_stop()

    def deliver(self, envelope: Envelope) -> Receipt:
        """Publish one message and wait for the broker; raises DeliveryFailed."""
        began_s = time.perf_counter()
        publications = self._topics.publications(envelope)
        is_removal = envelope.type == "stream.removed" and envelope.stream_id is not None
        if (publications or is_removal) and not self._connected.wait(self._ack_s):
            raise DeliveryFailed(f"no connection to the broker at {self._address.host}:{self._address.port}")
        if is_removal:
            publications = [Publication(topic, "", is_retained=True) for topic in self._left(str(envelope.stream_id))]
        for one in publications:
            told = self._client.publish(one.topic, one.payload, qos=_QOS, retain=one.is_retained)
            if not _wait(told, self._ack_s):
                self._topics.forget()
                raise DeliveryFailed(f"the broker did not acknowledge {one.topic} in {self._ack_s:g} s")
        return Receipt((time.perf_counter() - began_s) * 1000)

    def _left(self, stream_id: str) -> list[str]:
        """The topics of a stream for which the broker keeps a message, whoever of our runs left it."""
        filters = self._topics.of_stream(stream_id)
        self._subscribed.clear()
        self._client.subscribe([(one, _QOS) for one in filters])
        if not self._subscribed.wait(self._ack_s):
            raise DeliveryFailed(f"the broker did not say in {self._ack_s:g} s what it keeps of {stream_id}")
        found: list[str] = []
        try:
            while len(found) < _LEFT_MAX:
                found.append(self._retained.get(timeout=_QUIET_S))
        except queue.Empty:
            # The broker sends what it keeps right after its answer; silence is the end.
            self._client.unsubscribe(filters)
        return found

    def _on_message(self, _: paho.Client, __: object, message: paho.MQTTMessage) -> None:
        if message.retain and message.payload and not self._retained.full():
            self._retained.put_nowait(message.topic)

    def _on_connect(self, client: paho.Client, _: object, __: object, reason: ReasonCode, ___: object = None) -> None:
        if reason.is_failure:
            logger.warning("mqtt: the broker refused the connection: %s", reason)
            return
        self._topics.forget()
        client.publish(self._topics.available, "online", qos=_QOS, retain=True)
        self._connected.set()

    def _on_disconnect(self, *_: object) -> None:
        self._connected.clear()


class _CheckedClient(paho.Client):
    """Dials the checked address; TLS still asks for the broker's name."""

    def __init__(self, policy: AddressPolicy, protocol: MQTTProtocolVersion) -> None:
        # A name of its own per process: a second server must not throw the first one out.
        super().__init__(CallbackAPIVersion.VERSION2, client_id="", protocol=protocol)
        self._policy = policy

    def _create_socket_connection(self) -> socket.socket:
        try:
            return dial(self._policy, self.host, self.port, self.connect_timeout)
        except SourceError as error:
            # An OSError is what the client's thread expects, and tries again after.
            logger.warning("mqtt: the broker is not dialled: %s", error)
            raise OSError(str(error)) from error


def _wait(told: paho.MQTTMessageInfo, timeout_s: float) -> bool:
    try:
        told.wait_for_publish(timeout_s)
    except (RuntimeError, ValueError):  # paho's words for "not connected" and "queue full"
        return False
    return told.is_published()
