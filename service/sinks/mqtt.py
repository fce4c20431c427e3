"""Publishes messages to an MQTT 3.1.1 or 5 broker, with retained state, a last will, and Home Assistant discovery.

What the broker keeps of streams is held against what there is: at every connection with what it really keeps, so that
nothing stays of a stream that was removed while the broker, or this server, was away.
"""

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from pipelines.addresses.dial import dial
from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceError
from service.envelope import Envelope
from service.periodic import Periodic
from service.sinks.delivery import DeliveryFailed, Receipt
from service.sinks.topics import Publication, Topics, WatchedStream

logger = logging.getLogger(__name__)

_QOS = 1
_QUIET_S = 0.3
_KEPT_MAX = 20_000
_CHUNK = 50
"""Fewer than the client queues."""
_LOOK_S = 5.0


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


class MqttSink:
    """One connection, kept by the client's own thread; a message counts as delivered when the broker acknowledged it.

    policy: where the broker may lie; asked at every connection.
    streams: which there are now; None keeps to what messages say.
    ack_s: how long the broker may take, seconds.
    """

    def __init__(
        self, address: BrokerAddress, topics: Topics, policy: AddressPolicy,
        streams: Callable[[], Sequence[WatchedStream]] | None = None, *, version: int = 5, ack_s: float = 10.0,
    ) -> None:  # fmt: skip
        self._topics = topics
        self._streams = streams
        self._ack_s = ack_s
        self._address = address
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self._kept: queue.Queue[tuple[str, str]] = queue.Queue(_KEPT_MAX)
        # Held while somebody talks to the broker: deliveries, or the rounds that put in order what it keeps.
        self._talking = threading.Lock()
        # Topic → payload of what the broker keeps; None until it was asked, after each connection anew.
        self._told: dict[str, str] | None = None
        self._rounds = Periodic("mqtt", self.put_in_order, _LOOK_S)
        self._client = _CheckedClient(policy, paho.MQTTv5 if version == 5 else paho.MQTTv311)
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
        """Start connecting; retries until `close` while the broker is down. May be opened again after that."""
        self._rounds = Periodic("mqtt", self.put_in_order, _LOOK_S)
        self._client.connect_async(self._address.host, self._address.port, keepalive=20)
        self._client.loop_start()
        self._rounds.start()

    def close(self) -> None:
        """Publish that we are offline, and disconnect."""
        self._rounds.stop()
        if self._connected.is_set():
            farewell = self._client.publish(self._topics.available, "offline", qos=_QOS, retain=True)
            _wait(farewell, 2.0)
        self._client.disconnect()
        self._client.loop_stop()

    def deliver(self, envelope: Envelope) -> Receipt:
        """Publish one message and wait for the broker; raises DeliveryFailed."""
        began_s = time.perf_counter()
        with self._talking:
            publications = self._topics.publications(envelope)
            is_removal = envelope.type == "stream.removed" and envelope.stream_id is not None
            if (publications or is_removal) and not self._connected.wait(self._ack_s):
                raise DeliveryFailed(f"no connection to the broker at {self._address.host}:{self._address.port}")
            if is_removal:
                kept = self._ask(self._topics.of_stream(str(envelope.stream_id)))
                publications = [Publication(topic, "", is_retained=True) for topic in kept]
            self._publish(publications)
        if envelope.type.startswith("stream."):
            self._rounds.wake()
        return Receipt((time.perf_counter() - began_s) * 1000)

    def put_in_order(self) -> None:
        """Make the broker keep what there is of every stream, and nothing of one that is gone."""
        if self._streams is None or not self._connected.is_set():
            return
        with self._talking:
            wanted = self._topics.retained(self._streams())
            try:
                if self._told is None:
                    self._told = self._ask(self._topics.kept())
                told = self._told
                gone = [Publication(topic, "", is_retained=True) for topic in told if topic not in wanted]
                fresh = [Publication(*one, is_retained=True) for one in wanted.items() if told.get(one[0]) != one[1]]
                self._publish([*gone, *fresh])
            except DeliveryFailed as error:
                logger.warning("mqtt: what the broker keeps is not in order yet: %s", error)

    def _publish(self, publications: Sequence[Publication]) -> None:
        for start in range(0, len(publications), _CHUNK):
            self._publish_some(publications[start : start + _CHUNK])

    def _publish_some(self, publications: Sequence[Publication]) -> None:
        """Send all, then wait for all: a broker that is far away would take its time for each."""
        sent = [self._client.publish(one.topic, one.payload, qos=_QOS, retain=one.is_retained) for one in publications]
        for one, told in zip(publications, sent, strict=True):
            if not _wait(told, self._ack_s):
                self._topics.forget()
                self._told = None
                raise DeliveryFailed(f"the broker did not acknowledge {one.topic} in {self._ack_s:g} s")
            if self._told is not None and one.is_retained:
                self._told[one.topic] = one.payload
                if not one.payload:
                    del self._told[one.topic]

    def _ask(self, filters: Sequence[str]) -> dict[str, str]:
        """Topic → payload of what the broker keeps of ours, whichever of our runs left it."""
        self._subscribed.clear()
        self._client.subscribe([(one, _QOS) for one in filters])
        if not self._subscribed.wait(self._ack_s):
            raise DeliveryFailed(f"the broker did not say in {self._ack_s:g} s what it keeps")
        found: dict[str, str] = {}
        try:
            while len(found) < _KEPT_MAX:
                topic, payload = self._kept.get(timeout=_QUIET_S)
                found[topic] = payload
        except queue.Empty:
            # The broker sends what it keeps right after its answer; silence is the end.
            self._client.unsubscribe(list(filters))
        return found

    def _on_message(self, _: paho.Client, __: object, message: paho.MQTTMessage) -> None:
        if not message.retain or not message.payload or self._kept.full():
            return
        payload = message.payload.decode("utf-8", "replace")
        if self._topics.is_ours(message.topic, payload):
            self._kept.put_nowait((message.topic, payload))

    def _on_connect(self, client: paho.Client, _: object, __: object, reason: ReasonCode, ___: object = None) -> None:
        if reason.is_failure:
            logger.warning("mqtt: the broker refused the connection: %s", reason)
            return
        self._topics.forget()
        self._told = None
        client.publish(self._topics.available, "online", qos=_QOS, retain=True)
        self._connected.set()
        self._rounds.wake()

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
