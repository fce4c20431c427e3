"""Which MQTT topics a message goes to, and what the broker should keep of every stream.

Topics: `<prefix>/<stream>/action/<action>` for actions, retained `<prefix>/<stream>/state` and `.../available`,
`<prefix>/available` (`online`, last will `offline`). Home Assistant's discovery: home_assistant.py.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from service.envelope import Envelope
from service.event_log import ERASED
from service.sinks.home_assistant import Sensor, discovery

_ACTIVE = frozenset({"action.started", "action.updated"})


def topic_part(name: str) -> str:
    """A name as one level of a topic: no wildcard, no separator, never empty."""
    return re.sub(r"[^\w.-]", "_", name) or "_"


@dataclass(frozen=True, slots=True)
class Publication:
    """One MQTT message."""

    topic: str
    payload: str
    is_retained: bool = False


@dataclass(frozen=True, slots=True)
class WatchedStream:
    """A stream as it is now; the streams' slice and the catalog answer, and wiring.py joins them.

    actions: all that its model can tell and that become events, the most urgent first.
    """

    stream_id: str
    name: str
    state: str
    code: str | None = None
    message: str | None = None
    actions: tuple[str, ...] = ()


class Topics:
    """Turns messages into publications, and remembers who does what.

    prefix: first level of our topics. discovery: Home Assistant's prefix; empty switches discovery off.
    page_url: where people look at the page; None where nobody said.
    """

    def __init__(self, prefix: str = "actogram", discovery: str = "homeassistant", page_url: str | None = None) -> None:
        self._prefix = prefix
        self._discovery = discovery
        self._page_url = page_url
        self._names: dict[str, str] = {}
        self._announced: set[tuple[str, str]] = set()
        self._going: dict[tuple[str, str], set[str]] = {}
        self._seen: dict[tuple[str, str], None] = {}
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
        node = Sensor(self._prefix, stream, "", "").node
        return [
            f"{self._prefix}/{stream}/#",
            *([f"{self._discovery}/binary_sensor/{node}/#"] if self._discovery else []),
        ]

    def kept(self) -> list[str]:
        """Filters that match all that the broker may keep of any stream, and of other programs' sensors."""
        ours = [f"{self._prefix}/+/{name}" for name in ("state", "available", "action/+/active")]
        return [*ours, *([f"{self._discovery}/binary_sensor/+/+/config"] if self._discovery else [])]

    def is_ours(self, topic: str, payload: str) -> bool:
        """Whether a message that the broker keeps is one of ours: other programs announce sensors, too."""
        if topic.startswith(f"{self._prefix}/"):
            return True
        try:
            config = json.loads(payload)
        except ValueError:
            return False
        return isinstance(config, dict) and str(config.get("state_topic", "")).startswith(f"{self._prefix}/")

    def retained(self, streams: Iterable[WatchedStream]) -> dict[str, str]:
        """Topic → payload of all that the broker should keep, with a sensor for each action from the start."""
        found: dict[str, str] = {}
        self._names = {}
        for stream in streams:
            part = topic_part(stream.stream_id)
            if part in self._removed:
                continue
            self._names[part] = stream.name
            state: dict[str, JsonValue] = {"state": stream.state, "code": stream.code, "message": stream.message}
            found |= {one.topic: one.payload for one in self._state(part, state)}
            seen = (action for known, action in self._seen if known == part)
            for action in dict.fromkeys([*map(topic_part, stream.actions), *seen]):
                is_on = bool(self._going.get((part, action)))
                found[f"{self._topic(part, action)}/active"] = "ON" if is_on else "OFF"
                if self._discovery:
                    sensor = self._sensor(part, action)
                    found[sensor.topic(self._discovery)] = self._config(sensor)
                    self._announced.add((part, action))
        return found

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
            return self._state(stream, envelope.data)
        if envelope.type == "stream.removed":
            self._removed.add(stream)
            self._names.pop(stream, None)
            self._going = {key: ids for key, ids in self._going.items() if key[0] != stream}
            self._announced = {key for key in self._announced if key[0] != stream}
            self._seen = {key: None for key in self._seen if key[0] != stream}
        return []

    def _note_gap(self, envelope: Envelope) -> None:
        """Whose end was among messages that are gone would be active for ever."""
        if envelope.type == ERASED or envelope.seq > self._last_seq + 1:
            self._going.clear()
        self._last_seq = envelope.seq

    def _state(self, stream: str, data: Mapping[str, JsonValue]) -> list[Publication]:
        is_available = can_tell(str(data.get("state")), data.get("code"))
        base = f"{self._prefix}/{stream}"
        return [
            Publication(f"{base}/state", json.dumps(dict(data)), is_retained=True),
            Publication(f"{base}/available", "online" if is_available else "offline", is_retained=True),
        ]

    def _action(self, stream: str, envelope: Envelope) -> list[Publication]:
        action = topic_part(str(envelope.data.get("action", "unknown")))
        topic = self._topic(stream, action)
        found = [Publication(topic, envelope.model_dump_json())]
        if stream in self._removed:
            # What its worker ends after a stream is gone must leave nothing with the broker.
            return found
        self._seen[stream, action] = None
        if envelope.type != "action.provisional":
            state = "ON" if self._is_active(stream, action, envelope) else "OFF"
            found.append(Publication(f"{topic}/active", state, is_retained=True))
        if self._discovery and (stream, action) not in self._announced:
            sensor = self._sensor(stream, action)
            found.insert(0, Publication(sensor.topic(self._discovery), self._config(sensor), is_retained=True))
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

    def _topic(self, stream: str, action: str) -> str:
        return f"{self._prefix}/{stream}/action/{action}"

    def _sensor(self, stream: str, action: str) -> Sensor:
        return Sensor(self._prefix, stream, action, self._names.get(stream, stream))

    def _config(self, sensor: Sensor) -> str:
        return json.dumps(discovery(sensor, self.available, self._page_url))


def can_tell(state: str, code: object) -> bool:
    """Whether a stream's silence means that nobody does anything; not where nothing is seen, or too little to judge."""
    return state == "running" or (state == "degraded" and code == "overloaded")
