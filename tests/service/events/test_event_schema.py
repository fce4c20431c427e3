"""One schema: whatever an `Event` has is told, stored and shown everywhere, without a word in between."""

import json
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from pipelines.results import action_object
from pipelines.types import Event
from service.database import Database, migrate
from service.envelope import Envelope
from service.event_log import EventLog, Message
from service.events.ingest import EventIngest, Origin
from service.events.schemas import EventRead
from service.events.store import events
from service.protocol.messages import Fact, decode, encode
from tests.service.facts import report


@pytest.fixture
def places(tmp_path: Path) -> Mapping[str, Collection[str]]:
    """Where an event is told → the names that are found there."""
    told: list[Message] = []
    database = Database(f"sqlite:///{tmp_path / 'events.sqlite3'}")
    migrate(database)
    sent = encode(Fact(1, "door", 1, report()))
    received = decode(sent)
    assert isinstance(received, Fact)
    assert received.content == report()

    row = EventIngest(database, EventLog(database, told.append), lambda _: "alarm").take(Origin("door"), report())

    assert row is not None
    return {
        "file": action_object(report().event, 2.0, 29),
        "worker": json.loads(sent)["content"]["event"],
        "database": events.c.keys(),
        "channel, webhook, MQTT, events file": Envelope.of(told[0], 1).model_dump(mode="json")["data"],
        "REST": EventRead.of(row).model_dump(mode="json"),
    }


@pytest.mark.parametrize("name", [one.name for one in fields(Event)])
def test_field_of_an_event_is_told_everywhere(places: Mapping[str, Collection[str]], name: str) -> None:
    without = [place for place, names in places.items() if name not in names]

    assert without == []
