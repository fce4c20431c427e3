"""Watches what the cameras tell, counts for every rule, and stores and announces what its rules find.

Nothing is asked of the database but a rule's own row: the pictures' messages pass by here as they pass by on the live
channel, and a thread looks once a second at what has gathered.
"""

import datetime as dt
import logging
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from service.database import Database, now
from service.event_log import EventLog, Message, Transaction
from service.events.timed import store
from service.events.timed.announce import announce, remind
from service.events.timed.gather import Gatherer
from service.events.timed.rules import Look, RuleState, Scene, TimedRule
from service.events.timed.tally import FRESH_S, Change, Tally
from service.periodic import Periodic
from service.weekly import holds

logger = logging.getLogger(__name__)

_SAVE_S = 15.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a rule stands now; counted_s: its longest count in seconds."""

    state: RuleState = "not_known"
    counted_s: float = 0.0


class TimedRules:
    """Every rule over time, and what it has counted.

    scene_of: a stream's zones and time zone; None where there is no such stream.
    ours: the streams that this server has, where several share them: each counts for its own. None: it has all.
    on_event: told the kind of a rule and the state of its event, for metrics.  clock: the time in UTC.
    """

    def __init__(
        self, database: Database, log: EventLog, scene_of: Callable[[str], Scene | None],
        on_event: Callable[[str, str], None] = lambda _, __: None, clock: Callable[[], dt.datetime] = now,
        ours: Callable[[], Collection[str]] | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._log = log
        self._scene_of = scene_of
        self._on_event = on_event
        self._clock = clock
        self._ours = ours
        self._owned: Collection[str] = ()
        self._gatherer = Gatherer()
        # Held over a round and over every change of the rules; messages of pictures wait for neither.
        self._rounds_lock = threading.Lock()
        self._tallies: dict[str, Tally] = {}
        self._scenes: dict[str, Scene | None] = {}
        self._standing: dict[str, Standing] = {}
        self._saved_at: dt.datetime | None = None
        self._periodic = Periodic("timed rules", self.round)

    def start(self) -> None:
        """Go on counting where an earlier server stopped."""
        self.load()
        self._remind()
        self._periodic.start()

    def load(self) -> None:
        """Read every rule and what it had counted."""
        with self._database.read() as connection:
            found = store.all_tallies(connection)
        with self._rounds_lock:
            self._tallies = {tally.rule.rule_id: tally for tally in found}
            self._watch()

    def stop(self) -> None:
        """End, and keep what was counted. May be called twice."""
        self._periodic.stop()
        with self._rounds_lock:
            self._store([tally for tally in self._tallies.values() if self._is_ours(tally)], [])
            self._tallies = {}

    def hear(self, message: Message) -> None:
        """Take in what a camera tells; called in the publisher's thread, for every message."""
        self._gatherer.hear(message)

    def standing(self, rule_id: str) -> Standing:
        """How a rule stands; before the first round nothing is known."""
        return self._standing.get(rule_id, Standing())

    def states(self) -> Sequence[RuleState]:
        """The state of each rule."""
        return [self.standing(rule_id).state for rule_id in list(self._tallies)]

    def named_states(self, stream_id: str) -> dict[str, str]:
        """The states of a stream's rules by their names."""
        rules = [one.rule for one in list(self._tallies.values()) if one.rule.stream_id == stream_id]
        return {rule.name: self.standing(rule.rule_id).state for rule in rules}

    def kinds(self, stream_id: str) -> tuple[str, ...]:
        """What the rules of a stream can tell."""
        return tuple(sorted({one.rule.kind for one in list(self._tallies.values()) if one.rule.stream_id == stream_id}))

    def put(self, rule: TimedRule) -> None:
        """Watch a new rule, or one that was changed: it counts anew."""
        with self._rounds_lock:
            self._end(rule.rule_id)
            self._tallies[rule.rule_id] = Tally(rule)
            self._watch()

    def drop(self, rule_id: str) -> None:
        """Watch a rule no longer; harmless when there is none."""
        with self._rounds_lock:
            self._end(rule_id)
            self._watch()

    def scene_changed(self, stream_id: str) -> None:
        """A stream has other zones, another time zone, or is gone: it is asked for anew."""
        with self._rounds_lock:
            self._scenes.pop(stream_id, None)

    def round(self) -> None:
        """Hold every rule against what has gathered."""
        at = self._clock()
        with self._rounds_lock:
            self._follow()
            looks = {one: self._gatherer.look(one, self._scene(one) or Scene()) for one in self._gatherer.streams}
            mine = [tally for tally in self._tallies.values() if self._is_ours(tally)]
            before = [(tally, tally.counts) for tally in mine]
            told: list[tuple[Tally, Change]] = []
            for tally in mine:
                changes = self._judge(tally, looks.get(tally.rule.stream_id), at)
                told.extend((tally, change) for change in changes)
            is_due = self._saved_at is None or abs((at - self._saved_at).total_seconds()) >= _SAVE_S
            # A count that ended must stay so: a server that is killed now must not go on with it.
            changed = [tally for tally, counts in before if counts.keys() - tally.counts.keys()]
            changed += [tally for tally, _ in told]
            if changed or is_due:
                try:
                    self._store([one for one in mine if is_due or one in changed], told)
                except BaseException:
                    # What could not be stored was not told: the next round finds it again.
                    for tally, counts in before:
                        tally.counts = counts
                    raise
                if is_due:
                    self._saved_at = at

    def _is_ours(self, tally: Tally) -> bool:
        return self._ours is None or tally.rule.stream_id in self._owned

    def _follow(self) -> None:
        """Take in what others changed, and what they had counted of the streams that have come here."""
        if self._ours is None:
            return
        before, self._owned = self._owned, self._ours()
        with self._database.read() as connection:
            stored = {tally.rule.rule_id: tally for tally in store.all_tallies(connection)}
        kept = {
            rule_id: tally
            for rule_id, tally in self._tallies.items()
            if rule_id in stored and tally.rule == stored[rule_id].rule and tally.rule.stream_id in before
        }
        if kept.keys() != self._tallies.keys() or stored.keys() != kept.keys():
            self._tallies = {**stored, **kept}
            self._watch()

    def _judge(self, tally: Tally, look: Look | None, at: dt.datetime) -> list[Change]:
        rule, scene = tally.rule, self._scene(tally.rule.stream_id)
        rest = _why_at_rest(rule, scene, at)
        if rest is not None:
            self._standing[rule.rule_id] = Standing(rest)
            return tally.clear(at)
        changes = tally.wait(at) if look is None else tally.take(look)
        is_fresh = tally.looked_at is not None and abs((at - tally.looked_at).total_seconds()) <= FRESH_S
        self._standing[rule.rule_id] = Standing(_state(tally, is_fresh), round(tally.counted_s, 1))
        return changes

    def _store(self, tallies: Sequence[Tally], told: Sequence[tuple[Tally, Change]]) -> None:
        """Events and counts in one transaction: after a crash nothing was told twice, and nothing is lost."""
        if not tallies:
            return
        with self._log.transaction() as transaction:
            self._tell(transaction, told)
            for tally in tallies:
                store.save(transaction.connection, tally)
        for tally, change in told:
            self._on_event(tally.rule.kind, "confirmed" if change.name == "started" else "ended")

    def _tell(self, transaction: Transaction, told: Sequence[tuple[Tally, Change]]) -> None:
        for tally, change in told:
            scene = self._scene(tally.rule.stream_id) or Scene()
            announce(transaction, tally.rule, change, dict(scene.tags))

    def _remind(self) -> None:
        """Say again what goes on: who was told by an earlier server, such as a broker, may have let go of it.

        Where several servers share the streams another one may still be telling of it, and nothing is said.
        """
        if self._ours is not None:
            return
        with self._rounds_lock:
            counts = [count for tally in self._tallies.values() for count in tally.counts.values()]
        going = [count.event_id for count in counts if count.event_id is not None]
        if going:
            with self._log.transaction() as transaction:
                for event_id in going:
                    remind(transaction, event_id)

    def _end(self, rule_id: str) -> None:
        """End what a rule has told, before it is changed or goes."""
        tally = self._tallies.pop(rule_id, None)
        self._standing.pop(rule_id, None)
        if tally is not None:
            changes = tally.clear(self._clock())
            self._store([tally] if changes else [], [(tally, change) for change in changes])

    def _watch(self) -> None:
        """Gather for the streams that have rules, and for no other."""
        self._gatherer.watch({tally.rule.stream_id for tally in self._tallies.values()})

    def _scene(self, stream_id: str) -> Scene | None:
        if stream_id not in self._scenes:
            self._scenes[stream_id] = self._scene_of(stream_id)
        return self._scenes.get(stream_id)


def _why_at_rest(rule: TimedRule, scene: Scene | None, at: dt.datetime) -> RuleState | None:
    """Why a rule counts nothing now; None when it does."""
    if not rule.is_enabled or scene is None:
        return "off"
    if rule.zone is not None and not scene.has(rule.zone):
        return "zone_missing"
    if rule.week and not holds(rule.week, scene.time_zone, at):
        return "resting"
    return None


def _state(tally: Tally, is_fresh: bool) -> RuleState:
    if not is_fresh:
        return "not_known"
    if tally.is_met:
        return "met"
    return "counting" if tally.counts else "clear"
