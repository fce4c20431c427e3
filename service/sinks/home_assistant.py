"""What Home Assistant is told of a stream: a binary sensor for each action, on a device that is the stream.

Its rules: the levels of a discovery topic are ASCII letters, digits, `_` and `-`; an entity's id is `binary_sensor.`
and lower-case letters, digits and `_`; a device has an identifier; `availability` with the mode `all` needs every one.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import quote

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Sensor:
    """One action of one stream.

    prefix, stream, action: levels of our own topics. stream_name: as people call it.
    """

    prefix: str
    stream: str
    action: str
    stream_name: str

    @property
    def node(self) -> str:
        """The level of the discovery topic that all sensors of the stream share."""
        return _level(f"{self.prefix}_{self.stream}")

    @property
    def unique_id(self) -> str:
        """What Home Assistant knows the entity by, whatever it is called."""
        return f"{self.prefix}_{self.stream}_{self.action}"

    def topic(self, prefix: str) -> str:
        """Where it is announced, below Home Assistant's prefix."""
        return f"{prefix}/binary_sensor/{self.node}/{_level(self.action)}/config"


def discovery(sensor: Sensor, server_available: str, page_url: str | None = None) -> dict[str, JsonValue]:
    """The configuration of one binary sensor.

    server_available: the topic of the server's last will. page_url: where people look at the page.
    """
    base = f"{sensor.prefix}/{sensor.stream}"
    topic = f"{base}/action/{sensor.action}"
    device: dict[str, JsonValue] = {
        "identifiers": [f"{sensor.prefix}_{sensor.stream}"], "name": sensor.stream_name, "manufacturer": "Actogram",
        "model": "Camera", "sw_version": version("actogram"),
    }  # fmt: skip
    if page_url is not None:
        device["configuration_url"] = f"{page_url}/#/live/{quote(sensor.stream)}"
    config: dict[str, JsonValue] = {
        "name": sensor.action.replace("_", " "), "unique_id": sensor.unique_id,
        "default_entity_id": f"binary_sensor.{_entity(sensor.unique_id)}", "state_topic": f"{topic}/active",
        "json_attributes_topic": topic, "json_attributes_template": "{{ value_json.data | tojson }}",
        "availability": [{"topic": server_available}, {"topic": f"{base}/available"}], "availability_mode": "all",
        "device": device, "origin": {"name": "Actogram", "sw_version": version("actogram")},
    }  # fmt: skip
    if sensor.action == "fall":
        config["device_class"] = "safety"
    return config


def _level(name: str) -> str:
    """A level of a discovery topic; what had to be changed ends in a hash, so that two stay two."""
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}_{_digest(name)}"


def _entity(name: str) -> str:
    plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    return plain if name.isascii() else f"{plain}_{_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:6]
