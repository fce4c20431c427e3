"""A real MQTT broker of one's own, and a client that listens to all of it."""

import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from service.sinks.mqtt import BrokerAddress

WAIT_S = 10.0


class Broker:
    """A mosquitto of its own, that can be ended and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto") or ("/usr/sbin/mosquitto" if Path("/usr/sbin/mosquitto").exists() else None)
        if program is None:
            pytest.skip("mosquitto is not installed")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._command = [program, "-c", str(config)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail("mosquitto did not listen in time")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress.parse(f"mqtt://127.0.0.1:{self.port}")


class Listener:
    """Subscribes to everything and keeps the newest payload per topic."""

    def __init__(self, broker: Broker) -> None:
        self.payloads: dict[str, str] = {}
        self._changed = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def _on_message(self, _: paho.Client, __: object, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.payloads[message.topic] = message.payload.decode()
            self._changed.notify_all()

    def expect(self, topic: str, payload: str | None = None) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: topic in self.payloads and payload in (None, self.payloads[topic]), WAIT_S
            )

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
