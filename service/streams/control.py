"""What can be done with streams: add, look at, change, remove; and whether another one fits."""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import sqlalchemy as sa
from pydantic import JsonValue, ValidationError

from pipelines.addresses.policy import AddressPolicy
from pipelines.addresses.redact import redact
from service import erasures
from service.database import Database, now
from service.errors import ActionUnknown, AtCapacity, InvalidRequest, NotFound, TooManyNetworks
from service.event_log import EventLog
from service.idempotency import RepeatablePost, fingerprint
from service.protocol.network_pair import Pair, is_default, pair_of, told
from service.protocol.stream_config import Analysis, StreamConfig
from service.streams import store
from service.streams.dispatch import StreamDispatcher, state_message
from service.streams.schemas import (
    CapacityRead,
    JobRoom,
    StreamCreate,
    StreamPatch,
    StreamRead,
    StreamStatusRead,
    slug,
)
from service.streams.store import StreamRow, needs_new_start

logger = logging.getLogger(__name__)

_FPS_DEFAULT = 15.0
_FPS_MIN = 2.0
_LOCAL = ("push:", "webcam:")
_LATER = frozenset({"rotate", "mirror", "actions", "time_zone"})
_HIDDEN = "***"
_NETWORKS = ("detector", "pose")
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class WorkerCapacity:
    """What the workers can do.

    slots: streams that they take; None for as many as the budget allows.
    fps_budget: frames per second that the ready ones can analyse; None before any is.
    job_slots, free_job_slots: videos that they take at once, and how many more now.
    pairs_max: choices of detector and pose estimator, beside the default one, that each holds. default_pair: its names.
    """

    slots: int | None
    fps_budget: float | None
    job_slots: int = 0
    free_job_slots: int = 0
    workers: int = 0
    workers_ready: int = 0
    pairs_max: int = 1
    default_pair: Pair = (None, None)

    def facts(self) -> dict[str, JsonValue]:
        """What other servers need to know of it."""
        return {
            "slots": self.slots, "fps_budget": self.fps_budget, "job_slots": self.job_slots,
            "free_job_slots": self.free_job_slots, "workers": self.workers, "workers_ready": self.workers_ready,
        }  # fmt: skip

    def joined(self, facts: Mapping[str, JsonValue]) -> "WorkerCapacity":
        """Together with what another server told of its workers."""
        slots, budget = facts.get("slots"), facts.get("fps_budget")
        numbers = {name: _number(facts, name) for name in ("job_slots", "free_job_slots", "workers", "workers_ready")}
        return replace(
            self,
            slots=None if self.slots is None or not isinstance(slots, int) else self.slots + slots,
            fps_budget=(self.fps_budget or 0.0) + budget if isinstance(budget, int | float) else self.fps_budget,
            job_slots=self.job_slots + numbers["job_slots"],
            free_job_slots=self.free_job_slots + numbers["free_job_slots"],
            workers=self.workers + numbers["workers"], workers_ready=self.workers_ready + numbers["workers_ready"],
        )  # fmt: skip


class Watcher(Protocol):
    """Told of a stream's light changes: zones, rules, tags."""

    def changed(self, row: StreamRow) -> None:
        """Take the new ones."""
        ...

    def removed(self, stream_id: str) -> None:
        """Forget the stream."""
        ...


class StreamControl:
    """Streams as the routes see them.

    check_networks: raises ModelUnknown for a name that is no network of that kind (None: the active one), and
                    InvalidRequest for a window in seconds that is not the action model's.
    known_actions: the labels of an action model, of the active one for None.
    worker_capacity: asked at every new stream.
    """

    def __init__(
        self, database: Database, log: EventLog, policy: AddressPolicy, dispatcher: StreamDispatcher, watcher: Watcher,
        check_networks: Callable[[Analysis], None], worker_capacity: Callable[[], WorkerCapacity],
        known_actions: Callable[[str | None], Collection[str]],
    ) -> None:  # fmt: skip
        self._database = database
        self._log = log
        self._policy = policy
        self._dispatcher = dispatcher
        self._watcher = watcher
        self._check_networks = check_networks
        self._worker_capacity = worker_capacity
        self._known_actions = known_actions

    def create(self, wanted: StreamCreate, key: str | None) -> tuple[StreamRow, bool]:
        """Add a stream, whether its camera answers or not; the flag says that an earlier request had made it.

        Raises SourceForbidden, ModelUnknown, ActionUnknown, AtCapacity, IdempotencyConflict.
        """
        config = StreamConfig.model_validate(wanted.model_dump(exclude={"name", "enabled"}))
        self._check(config)
        post = RepeatablePost(store.SCOPE, key, _body(wanted.name, config))
        with self._log.transaction() as transaction:
            earlier = _find_made(transaction.connection, post)
            if earlier is not None:
                return earlier, True
            existing = store.all_streams(transaction.connection)
            if wanted.enabled:
                self._require_capacity(existing, config.analysis.fps)
                self._require_networks(existing, config.analysis)
            taken = {row.stream_id for row in existing} | erasures.streams(transaction.connection)
            row = StreamRow(
                _free_id(slug(wanted.name), taken), wanted.name,
                config.model_dump(mode="json"), wanted.enabled, "connecting" if wanted.enabled else "disabled",
            )  # fmt: skip
            store.put(transaction.connection, row)
            post.remember(transaction.connection, row.stream_id)
            transaction.announce(state_message(row))
        self._dispatcher.wake()
        return row, False

    def require(self, stream_id: str) -> StreamRow:
        """A stream; raises NotFound."""
        with self._database.read() as connection:
            row = store.get(connection, stream_id)
        if row is None:
            raise NotFound(f"no stream {stream_id}")
        return row

    def page(self, after_id: str, limit: int) -> Sequence[StreamRow]:
        """At most `limit` streams, by id."""
        with self._database.read() as connection:
            return store.page(connection, after_id, limit)

    def read(self, row: StreamRow) -> StreamRead:
        """A stream as clients see it: without the credentials of its source."""
        return StreamRead.of(row, shown_uri(_uri(row)))

    def status(self, row: StreamRow) -> StreamStatusRead:
        """How a stream is, now."""
        return StreamStatusRead.of(row, self._dispatcher.figures(row.stream_id))

    def change(self, stream_id: str, patch: StreamPatch) -> StreamRow:
        """Change a stream; what concerns its pictures starts it anew, what is as it was does not.

        Raises NotFound, InvalidRequest, SourceForbidden, ModelUnknown, ActionUnknown, AtCapacity.
        """
        with self._log.transaction() as transaction:
            row = store.get(transaction.connection, stream_id)
            if row is None:
                raise NotFound(f"no stream {stream_id}")
            changed = self._changed(row, patch)
            has_new_start = _has_new_start(row, changed, patch)
            if changed.is_enabled and (_fps(changed) > _fps(row) or not row.is_enabled):
                others = [one for one in store.all_streams(transaction.connection) if one.stream_id != stream_id]
                self._require_capacity(others, _fps(changed))
            if changed.is_enabled and (pair_of(_analysis(changed)) != pair_of(_analysis(row)) or not row.is_enabled):
                others = [one for one in store.all_streams(transaction.connection) if one.stream_id != stream_id]
                self._require_networks(others, _analysis(changed))
            if has_new_start:
                changed = replace(
                    changed, state="connecting" if changed.is_enabled else "disabled", state_since=now(), crashes=0,
                    error_code=None, error_message=None,
                )  # fmt: skip
                transaction.announce(state_message(changed))
            store.put(transaction.connection, changed)
        self._watcher.changed(changed)
        if has_new_start:
            self._dispatcher.restart(stream_id)
        return changed

    def remove(self, stream_id: str) -> None:
        """Remove a stream in any state; harmless when there is none. Its events stay."""
        with self._log.transaction() as transaction:
            row = store.get(transaction.connection, stream_id)
            if row is None:
                return
            store.remove(transaction.connection, stream_id)
            transaction.announce(replace(state_message(replace(row, state="disabled")), type="stream.removed"))
        self._dispatcher.restart(stream_id)
        self._watcher.removed(stream_id)

    def all(self) -> list[StreamRow]:
        """Every stream, by id."""
        with self._database.read() as connection:
            return store.all_streams(connection)

    def states(self) -> dict[str, str]:
        """Stream → state."""
        return {row.stream_id: row.state for row in self.all()}

    def capacity(self) -> CapacityRead:
        """What fits, and why not more."""
        with self._database.read() as connection:
            enabled = [row for row in store.all_streams(connection) if row.is_enabled]
        workers = self._worker_capacity()
        planned = sum(_fps(row) for row in enabled)
        budget = workers.fps_budget or 0.0
        free = max(0.0, budget - planned)
        by_budget = int(free // _FPS_DEFAULT)
        most = len(enabled) + by_budget if workers.slots is None else workers.slots
        slots = max(0, min(most - len(enabled), by_budget))
        return CapacityRead(
            streams=len(enabled), streams_max=most, fps_budget=round(budget, 1), fps_planned=round(planned, 1),
            fps_free=round(free, 1), free_slots=slots, why=_why(workers, len(enabled), free),
            jobs=JobRoom(slots=workers.job_slots, free=workers.free_job_slots), workers=workers.workers,
            workers_ready=workers.workers_ready,
        )  # fmt: skip

    def _changed(self, row: StreamRow, patch: StreamPatch) -> StreamRow:
        given = patch.model_dump(mode="json", exclude_none=True, exclude={"name", "enabled"})
        if "source" in given:
            given["source"] = _keep_credentials(given["source"], row)
        try:
            config = StreamConfig.model_validate({**row.config, **given})
        except ValidationError as error:
            # Each part was valid by itself; together they are not.
            fault = error.errors(include_input=False)[0]
            raise InvalidRequest(f"body: {fault['msg']}") from None
        if given.keys() & {"source", "analysis", "actions"}:
            self._check(config)
        is_enabled = row.is_enabled if patch.enabled is None else patch.enabled
        return replace(row, name=patch.name or row.name, config=config.model_dump(mode="json"), is_enabled=is_enabled)

    def _check(self, config: StreamConfig) -> None:
        uri = config.source.uri
        if not uri.startswith(_LOCAL) and _HIDDEN in uri:
            raise InvalidRequest(f"source.uri: {_HIDDEN} stands where credentials were hidden; give the whole address")
        self._policy.require(uri)
        if uri.startswith("push:") and uri != "push:":
            raise InvalidRequest("source.uri: a pushed stream is `push:` and nothing behind it")
        self._check_networks(config.analysis)
        self._check_actions(config)

    def _check_actions(self, config: StreamConfig) -> None:
        if not config.actions:
            return
        known = self._known_actions(config.analysis.model)
        unknown = sorted(set(config.actions) - set(known))
        if unknown:
            raise ActionUnknown(
                f"actions: found {', '.join(unknown[:_NAMES_SHOWN])}, expected some of: {', '.join(known)}"
            )

    def _require_capacity(self, existing: Sequence[StreamRow], fps: float) -> None:
        enabled = [row for row in existing if row.is_enabled]
        workers = self._worker_capacity()
        if workers.slots is not None and len(enabled) >= workers.slots:
            raise AtCapacity(f"{len(enabled)} streams are enabled, the workers take {workers.slots}", 30)
        if workers.fps_budget is None:
            return
        free = workers.fps_budget - sum(_fps(row) for row in enabled)
        if fps > free:
            fit = f"analysis.fps of {free:.0f} would fit" if free >= _FPS_MIN else "no lower rate would fit either"
            found = f"{max(free, 0.0):.1f} of {workers.fps_budget:.1f} are free"
            raise AtCapacity(f"{fps:g} frames per second asked for, {found}: {fit}", 30)

    def _require_networks(self, existing: Sequence[StreamRow], analysis: Analysis) -> None:
        """Raise TooManyNetworks where a stream names a pair for which the workers have no room."""
        workers = self._worker_capacity()
        named = {pair_of(_analysis(row)) for row in existing if row.is_enabled}
        held = {pair for pair in named if not is_default(pair, workers.default_pair)}
        wanted = pair_of(analysis)
        if is_default(wanted, workers.default_pair) or wanted in held or len(held) < workers.pairs_max:
            return
        shown = "; ".join(sorted(map(told, held))) or "none"
        raise TooManyNetworks(
            f"{told(wanted)}: enabled streams name {len(held)} other choices of detector and pose estimator already "
            f"({shown}), and a worker holds {workers.pairs_max}; name one of these, or raise "
            "ACTOGRAM_NETWORKS_PER_WORKER",
            30,
        )


def _body(name: str, config: StreamConfig) -> str:
    # The migration that carried older keys over computes the same from what is stored. What requests of earlier
    # versions could not name counts only where it is used.
    whole = config.model_dump(mode="json")
    whole["analysis"] = {key: value for key, value in whole["analysis"].items() if key not in _NETWORKS or value}
    if not whole["privacy"]["blur"]:
        del whole["privacy"]["blur"]
    body = {part: value for part, value in whole.items() if part not in _LATER or value}
    return fingerprint(name, json.dumps(body, sort_keys=True))


def _find_made(connection: sa.Connection, post: RepeatablePost) -> StreamRow | None:
    stream_id = post.find_made(connection)
    return None if stream_id is None else store.get(connection, stream_id)


def _has_new_start(row: StreamRow, changed: StreamRow, patch: StreamPatch) -> bool:
    """Whether the stream must begin anew; enabling one that failed is the wish to try again."""
    if changed.is_enabled != row.is_enabled:
        return True
    if needs_new_start(row, changed):
        return True
    return bool(patch.enabled) and row.state == "failed"


def shown_uri(uri: str) -> str:
    """A source's address without its credentials."""
    return uri if uri.startswith(_LOCAL) else redact(uri)


def _keep_credentials(source: Mapping[str, object], row: StreamRow) -> Mapping[str, object]:
    """A client that sends back the address it was shown keeps the credentials that it was not shown."""
    known = _uri(row)
    return {**source, "uri": known} if source["uri"] == shown_uri(known) else source


def _number(facts: Mapping[str, JsonValue], name: str) -> int:
    found = facts.get(name)
    return found if isinstance(found, int) else 0


def _uri(row: StreamRow) -> str:
    source = row.config["source"]
    assert isinstance(source, dict)
    return str(source["uri"])


def _fps(row: StreamRow) -> float:
    return _analysis(row).fps


def _analysis(row: StreamRow) -> Analysis:
    return Analysis.model_validate(row.config["analysis"])


def _free_id(wanted: str, taken: set[str]) -> str:
    if wanted not in taken:
        return wanted
    for number in range(2, 10_000):
        if (found := f"{wanted}-{number}") not in taken:
            return found
    raise InvalidRequest(f"name: ten thousand streams are called {wanted}")


def _why(workers: WorkerCapacity, num_enabled: int, free: float) -> str:
    if workers.fps_budget is None:
        return "no worker is ready yet"
    if workers.slots is not None and num_enabled >= workers.slots:
        return f"all {workers.slots} slots are taken"
    if free < _FPS_DEFAULT:
        return f"{free:.1f} frames per second are free, a stream at the default rate needs {_FPS_DEFAULT:g}"
    return f"{free:.1f} frames per second are free"
