"""A broker and a listener for the tests of MQTT."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.sinks.broker import Broker, Listener


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    running = Broker(tmp_path)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    opened = Listener(broker)
    yield opened
    opened.close()
