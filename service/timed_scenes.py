"""Joins the slice of streams and the rules over time: what a rule must know of its camera, and when that changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.database import Database
from service.events.timed.control import TimedRuleControl
from service.events.timed.rules import Scene
from service.events.timed.watch import TimedRules
from service.events.zones import Zone
from service.protocol.stream_config import StreamConfig
from service.streams import store
from service.streams.store import StreamRow


class Watcher(Protocol):
    """Told of what changes in a stream."""

    def changed(self, row: StreamRow) -> None:
        """Take its new zones and tags."""
        ...

    def removed(self, stream_id: str) -> None:
        """Forget it."""
        ...


@dataclass(frozen=True, slots=True)
class Scenes:
    """What rules over time ask of streams."""

    database: Database

    def get(self, stream_id: str) -> Scene | None:
        """Zones, time zone and tags of a stream; None where there is none."""
        with self.database.read() as connection:
            row = store.get(connection, stream_id)
        if row is None:
            return None
        config = StreamConfig.model_validate(dict(row.config))
        zones = tuple(Zone(spec.name, spec.kind, tuple(spec.polygon)) for spec in config.zones)
        return Scene(zones, config.time_zone, tuple(config.tags.items()))


@dataclass(frozen=True, slots=True)
class RuleKeeper:
    """Keeps the rules over time in step with their streams."""

    watch: TimedRules
    control: TimedRuleControl

    def changed(self, row: StreamRow) -> None:
        """A stream may have other zones."""
        self.watch.scene_changed(row.stream_id)

    def removed(self, stream_id: str) -> None:
        """A stream is gone, and its rules with it: a later one may have its name."""
        self.watch.scene_changed(stream_id)
        self.control.forget_stream(stream_id)


@dataclass(frozen=True, slots=True)
class Watchers:
    """Tells several watchers, one after the other."""

    watchers: Sequence[Watcher]

    def changed(self, row: StreamRow) -> None:
        """A stream has other zones, rules or tags."""
        for watcher in self.watchers:
            watcher.changed(row)

    def removed(self, stream_id: str) -> None:
        """A stream is gone."""
        for watcher in self.watchers:
            watcher.removed(stream_id)
