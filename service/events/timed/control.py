"""What users do with rules over time: make, list, change and remove them."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

import sqlalchemy as sa

from service import idempotency
from service.database import Database
from service.errors import AtCapacity, InvalidRequest, NotFound
from service.event_log import EventLog
from service.events.timed import store
from service.events.timed.rules import Scene, TimedRule
from service.events.timed.schemas import TimedRuleCreate, TimedRulePatch, TimedRuleRead
from service.events.timed.watch import TimedRules
from service.idempotency import RepeatablePost

_PER_STREAM_MAX = 20


class TimedRuleControl:
    """Rules over time as the routes see them; `TimedRules` is who watches them."""

    def __init__(
        self, database: Database, log: EventLog, watch: TimedRules, scene_of: Callable[[str], Scene | None]
    ) -> None:
        self._database = database
        self._log = log
        self._watch = watch
        self._scene_of = scene_of

    def all(self, stream_id: str | None) -> list[TimedRuleRead]:
        """The rules of a stream, or of all."""
        with self._database.read() as connection:
            return [self.read(rule) for rule in store.of_stream(connection, stream_id)]

    def read(self, rule: TimedRule) -> TimedRuleRead:
        """A rule and how it stands."""
        return TimedRuleRead.of(rule, self._watch.standing(rule.rule_id))

    def require(self, rule_id: str) -> TimedRule:
        """A rule; raises NotFound."""
        with self._database.read() as connection:
            rule = store.get(connection, rule_id)
        if rule is None:
            raise NotFound(f"no rule {rule_id}")
        return rule

    def create(self, wanted: TimedRuleCreate, key: str | None) -> tuple[TimedRule, bool]:
        """Add a rule; the flag says that an earlier request had made it.

        Raises NotFound, InvalidRequest, AtCapacity, IdempotencyConflict.
        """
        post = RepeatablePost(store.SCOPE, key, idempotency.fingerprint(wanted.model_dump_json()))
        rule = TimedRule(
            f"tr_{secrets.token_hex(8)}", wanted.stream_id, wanted.name, wanted.kind, wanted.after_s, wanted.zone,
            tuple(wanted.hours), wanted.severity, wanted.enabled,
        )  # fmt: skip
        with self._log.transaction() as transaction:
            earlier = _find_made(transaction.connection, post)
            if earlier is not None:
                return earlier, True
            self._check(transaction.connection, rule)
            store.add(transaction.connection, rule)
            post.remember(transaction.connection, rule.rule_id)
        self._watch.put(rule)
        return rule, False

    def change(self, rule_id: str, patch: TimedRulePatch) -> TimedRule:
        """Change a rule, which then counts anew; raises NotFound, InvalidRequest."""
        given = patch.model_dump(exclude_unset=True, exclude={"hours"})
        if patch.hours is not None:
            given["week"] = tuple(patch.hours)
        if "enabled" in given:
            given["is_enabled"] = given.pop("enabled")
        changes = {name: value for name, value in given.items() if value is not None or name == "zone"}
        rule = replace(self.require(rule_id), **changes)
        with self._log.transaction() as transaction:
            self._check(transaction.connection, rule)
            store.change(transaction.connection, rule)
        self._watch.put(rule)
        return rule

    def remove(self, rule_id: str) -> None:
        """Remove a rule, if it exists."""
        self._watch.drop(rule_id)
        with self._database.write() as connection:
            store.remove(connection, rule_id)

    def forget_stream(self, stream_id: str) -> None:
        """Remove the rules of a stream that is gone."""
        with self._database.read() as connection:
            found = store.of_stream(connection, stream_id)
        for rule in found:
            self.remove(rule.rule_id)

    def sweep(self) -> int:
        """Forget old idempotency keys, and rules whose stream went while no server ran; returns how many."""
        with self._database.read() as connection:
            orphans = [one for one in store.of_stream(connection, None) if self._scene_of(one.stream_id) is None]
        for rule in orphans:
            self.remove(rule.rule_id)
        with self._database.write() as connection:
            return len(orphans) + idempotency.forget(connection, store.SCOPE)

    def _check(self, connection: sa.Connection, rule: TimedRule) -> None:
        scene = self._scene_of(rule.stream_id)
        if scene is None:
            raise NotFound(f"no stream {rule.stream_id}")
        _check_zone(rule, scene)
        others = [one for one in store.of_stream(connection, rule.stream_id) if one.rule_id != rule.rule_id]
        if any(one.name == rule.name for one in others):
            raise InvalidRequest(f"name: {rule.stream_id} has a rule {rule.name!r} already, expected another name")
        if len(others) >= _PER_STREAM_MAX:
            raise AtCapacity(f"{len(others)} rules over time of {rule.stream_id}, at most {_PER_STREAM_MAX}", 3600)


def _check_zone(rule: TimedRule, scene: Scene) -> None:
    names: Sequence[str] = [zone.name for zone in scene.zones if zone.kind == "include"]
    known = f"expected an include zone of {rule.stream_id}: {', '.join(names) or 'it has none'}"
    if rule.zone is None and rule.kind == "lies_outside":
        raise InvalidRequest(f"zone: found none, where people may lie; {known}")
    if rule.zone is not None and rule.zone not in names:
        raise InvalidRequest(f"zone: found {rule.zone!r}, {known}")


def _find_made(connection: sa.Connection, post: RepeatablePost) -> TimedRule | None:
    rule_id = post.find_made(connection)
    return None if rule_id is None else store.get(connection, rule_id)
