"""Keeps every enabled stream on a worker, and takes in what the workers report of it."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from service.event_log import EventLog, Message, Transaction
from service.periodic import Periodic
from service.protocol.facts import StateChanged, StreamFact
from service.protocol.listener import LossReason
from service.protocol.messages import Fact, FrameResults, StreamStatus, StreamTask, TaskEnded, TaskMessage
from service.protocol.preview import PreviewPicture
from service.protocol.track_history import TrackHistory
from service.replicas.leases import Leases
from service.streams import store
from service.streams.claims import Claims
from service.streams.placements import Pauses, Placements, tags_of
from service.streams.store import StreamRow, StreamState, needs_new_start

logger = logging.getLogger(__name__)

CRASHES_MAX = 2
_FORGIVE_S = 600.0
_FLOWING = ("running", "degraded")


class Placer(Protocol):
    """Where streams run."""

    def place(self, task: StreamTask) -> bool:
        """Give a stream to a worker; False when none has a slot."""
        ...

    def withdraw(self, task_id: str) -> bool:
        """Ask a stream to end; False when no worker has it."""
        ...

    def free_slots(self, kind: str) -> int:
        """Free slots."""
        ...


class Witness(Protocol):
    """Who keeps what happens in streams: the events' slice, joined in app.py."""

    def take(self, row: StreamRow, fact: StreamFact) -> None:
        """Store and announce a fact of an action, a track or a clip; knows what it was told before."""
        ...

    def close_within(self, transaction: Transaction, stream_id: str) -> None:
        """End what a stream left open."""
        ...

    def close_all(self, transaction: Transaction, spared: Collection[str]) -> None:
        """End what an earlier server left open, also of streams that were removed; not of those `spared`."""
        ...

    def changed(self, row: StreamRow) -> None:
        """Take a stream's new zones, rules and tags."""
        ...

    def removed(self, stream_id: str) -> None:
        """Forget a stream that will not come back."""
        ...

    def first_track_id(self, stream_id: str) -> int:
        """A number that no person of the stream ever had, nor a later one."""
        ...


@dataclass(frozen=True, slots=True)
class LiveOutputs:
    """Where a worker's messages go that are not stored.

    publish: messages of frames.  show: pictures.  answer: what a worker remembers of a person.
    """

    publish: Callable[[Message], None]
    show: Callable[[PreviewPicture], None]
    answer: Callable[[TrackHistory], None]


class StreamDispatcher:
    """Listens to the workers about streams; one thread places what is enabled and not placed.

    options: what every worker needs to know of a stream beside its config, such as where evidence is written.
    """

    def __init__(
        self, log: EventLog, placer: Placer, outputs: LiveOutputs, witness: Witness,
        options: Callable[[StreamRow], dict[str, JsonValue]], clock: Callable[[], float] = time.monotonic,
        leases: Leases | None = None,
    ) -> None:  # fmt: skip
        self._log = log
        self._placer = placer
        self._outputs = outputs
        self._witness = witness
        self._options = options
        # Held while a stream is handed to a worker or called back: no change may fall between reading and placing it.
        self._moving = threading.Lock()
        self._placements = Placements()
        self._leases = leases or Leases("stream")
        self._claims = Claims(self._leases, clock)
        self._pauses = Pauses(clock)
        self._rounds = Periodic("streams", self._place_all)

    def start(self) -> None:
        """End what an earlier server left open, and begin; what other servers have is left to them."""
        with self._log.transaction() as transaction:
            self._leases.take_over(transaction.connection, is_start=True)
            elsewhere = self._leases.all(transaction.connection)
            for row in store.all_streams(transaction.connection):
                if row.is_enabled and not row.is_final and row.stream_id not in elsewhere:
                    self._announce(transaction, row.stream_id, "connecting", None)
            self._witness.close_all(transaction, elsewhere)
        self._rounds.start()

    def stop(self) -> None:
        """Place nothing more; what runs goes on. May be called twice."""
        self._rounds.stop()

    def wake(self) -> None:
        """A stream was added or changed."""
        self._rounds.wake()

    def on_free_slot(self) -> None:
        """A worker may have a slot."""
        self._rounds.wake()

    def restart(self, stream_id: str) -> None:
        """Its settings changed: end it where it runs; it is placed again."""
        with self._moving:
            self._pauses.forget(stream_id)
            if self._placements.call_back(stream_id) and not self._placer.withdraw(stream_id):
                self._placements.remove(stream_id)
        self._rounds.wake()

    def figures(self, stream_id: str) -> dict[str, JsonValue]:
        """The worker's last word on a stream; empty before the first. Reconnects are those of all its workers."""
        return self._placements.figures(stream_id)

    def is_placed(self, stream_id: str) -> bool:
        """Whether a worker of any server has it, or has not let go of it yet."""
        if self._placements.get(stream_id) is not None:
            return True
        with self._log.reading() as connection:
            return self._leases.is_elsewhere(connection, stream_id)

    def owned(self) -> set[str]:
        """The streams that are this server's to run, of those that servers share."""
        with self._log.reading() as connection:
            held = self._leases.all(connection)
        return {stream_id for stream_id, replica_id in held.items() if replica_id == self._leases.replica_id}

    def on_message(self, message: TaskMessage) -> None:
        """Take what a worker says of a stream; what an older placement still says is ignored."""
        match message:
            case FrameResults():
                self._tell_frame(message)
            case StreamStatus():
                self._placements.note(message.task_id, message.generation, message.data)
            case PreviewPicture():
                if self._placements.current(message.task_id, message.generation) is not None:
                    self._outputs.show(message)
            case TrackHistory():
                self._outputs.answer(message)
            case Fact():
                self._take(message)
            case TaskEnded():
                self._end(message)
            case _:
                logger.error("stream %s sent %s, which only jobs send", message.task_id, message.type)

    def on_lost(self, task: object, reason: LossReason, is_suspect: bool) -> None:
        """Place a stream again whose worker is gone, or quarantine it when that happened twice."""
        assert isinstance(task, StreamTask)
        try:
            with self._log.transaction() as transaction:
                row = store.get(transaction.connection, task.task_id)
                if self._close(transaction, task.task_id) and row is not None:
                    self._judge_loss(transaction, row, reason, is_suspect)
            self._forget_removed(task.task_id, row)
        finally:
            # A loss is reported once: whatever the database says, the stream must be placed again.
            self._placements.remove(task.task_id)
            self._rounds.wake()

    def _judge_loss(self, transaction: Transaction, row: StreamRow, reason: LossReason, is_suspect: bool) -> None:
        crashes = store.count_crash(transaction.connection, row.stream_id) if is_suspect else row.crashes
        if is_suspect and crashes >= CRASHES_MAX:
            text = f"{row.name} ended its worker {crashes} times (last: {reason}); change it or enable it again"
            logger.error("stream %s is quarantined: %s", row.stream_id, text)
            self._announce(transaction, row.stream_id, "failed", ("source_quarantined", text))
        elif row.is_enabled:
            self._announce(transaction, row.stream_id, "reconnecting", ("worker_lost", f"its worker {reason}"))

    def _close(self, transaction: Transaction, stream_id: str) -> bool:
        """End what is left open; False for a stream that another server took over: it has done so."""
        if self._leases.is_elsewhere(transaction.connection, stream_id):
            return False
        self._witness.close_within(transaction, stream_id)
        return True

    def _forget_removed(self, stream_id: str, row: StreamRow | None) -> None:
        """A stream that was removed while it ran has no row any more."""
        if row is None and self._placements.get(stream_id) is not None:
            self._witness.removed(stream_id)
            self._pauses.forget(stream_id)

    def _place_all(self) -> None:
        num_free = self._placer.free_slots("stream")
        if num_free <= 0 and not self._leases.is_shared:
            return
        if self._leases.is_shared:
            with self._log.transaction() as transaction:
                self._take_over(transaction)
        with self._log.reading() as connection:
            rows = {row.stream_id: row for row in store.all_streams(connection)}
            held = self._leases.all(connection)
        self._placements.keep(set(rows))
        wanted = [row.stream_id for row in rows.values() if row.is_enabled and not row.is_final]
        self._follow(rows, held)
        for stream_id in self._claims.choose(wanted, held, num_free):
            if not self._rounds.is_over:
                with self._moving:
                    self._place(stream_id)
        for stream_id in self._claims.give_up(wanted, held, self._placements.ids, num_free):
            self._release(stream_id)
        for stream_id in self._claims.hand_over(wanted, held, self._placements.ids):
            logger.info("stream %s goes to a server that has fewer", stream_id)
            self.restart(stream_id)

    def _take_over(self, transaction: Transaction) -> None:
        """Streams whose server is gone are free again; what it left open ends here, once."""
        for stream_id in self._leases.take_over(transaction.connection):
            self._witness.close_within(transaction, stream_id)
            row = store.get(transaction.connection, stream_id)
            if row is not None and row.is_enabled and not row.is_final:
                fault = ("worker_lost", "the server that had it is gone")
                self._announce(transaction, stream_id, "reconnecting", fault)

    def _follow(self, rows: Mapping[str, StreamRow], held: Mapping[str, str]) -> None:
        """Take in what was changed on another server; here it has been taken in already."""
        if not self._leases.is_shared:
            return
        for stream_id in self._placements.ids:
            placement, row = self._placements.get(stream_id), rows.get(stream_id)
            if placement is None or placement.is_leaving:
                continue
            is_ours = held.get(stream_id) == self._leases.replica_id
            is_changed = row is not None and row.config != placement.row.config
            if row is None or not row.is_enabled or not is_ours or (is_changed and needs_new_start(placement.row, row)):
                self.restart(stream_id)
            elif is_changed:
                self._placements.change(row)
                self._witness.changed(row)
        for row in rows.values():
            # Somebody changed or enabled it since it failed here.
            if row.state == "connecting" and self._placements.get(row.stream_id) is None:
                self._pauses.forget(row.stream_id)

    def _release(self, stream_id: str) -> None:
        with self._moving, self._log.transaction() as transaction:
            if self._placements.get(stream_id) is None:
                self._leases.release(transaction.connection, stream_id)

    def _place(self, stream_id: str) -> None:
        if self._pauses.holds(stream_id) or self._placements.get(stream_id) is not None:
            return
        with self._log.transaction() as transaction:
            if not self._leases.claim(transaction.connection, stream_id):
                return
            row = store.next_placement(transaction.connection, stream_id)
        if row is None:
            return
        config = {
            **row.config, **self._options(row), "first_track_id": self._witness.first_track_id(row.stream_id)
        }  # fmt: skip
        source = row.config["source"]
        assert isinstance(source, dict)
        self._placements.add(row, self._leases.replica_id)
        if not self._placer.place(StreamTask(row.stream_id, row.generation, str(source["uri"]), config)):
            self._placements.remove(row.stream_id)

    def _take(self, fact: Fact) -> None:
        placement = self._placements.current(fact.task_id, fact.generation)
        if placement is None or placement.replica_id != self._leases.replica_id:
            logger.debug("stream %s: %s of an older placement is ignored", fact.task_id, fact.content.name)
            return
        if isinstance(fact.content, StateChanged):
            self._take_state(fact.task_id, fact.content)
            return
        self._witness.take(placement.row, fact.content)

    def _take_state(self, stream_id: str, change: StateChanged) -> None:
        fault = (change.code, change.message or change.code) if change.code else None
        with self._log.transaction() as transaction:
            row = store.get(transaction.connection, stream_id)
            if row is None or not row.is_enabled:
                return
            if change.state in _FLOWING:
                self._pauses.forget(row.stream_id)
                if change.media_time_s is not None and change.media_time_s > _FORGIVE_S:
                    store.forgive(transaction.connection, row.stream_id)
            self._announce(transaction, row.stream_id, change.state, fault)

    def _end(self, message: TaskEnded) -> None:
        placement = self._placements.get(message.task_id)
        # What was called back ends as it likes; only what ends by itself has something to say.
        is_called_back = placement is not None and placement.is_leaving
        is_own_end = not is_called_back and message.outcome in ("failed", "succeeded")
        with self._log.transaction() as transaction:
            row = store.get(transaction.connection, message.task_id)
            if self._rounds.is_over:
                # This server ends: another one may begin at once.
                self._leases.release(transaction.connection, message.task_id)
            if self._close(transaction, message.task_id) and row is not None:
                if not row.is_enabled:
                    self._announce(transaction, row.stream_id, "disabled", None)
                elif is_own_end:
                    self._announce(transaction, row.stream_id, "failed", _fault(message))
        if is_own_end:
            self._pauses.begin(message.task_id)
        self._forget_removed(message.task_id, row)
        # Last: from here on it may be placed again.
        self._placements.remove(message.task_id)
        self._rounds.wake()

    def _announce(
        self, transaction: Transaction, stream_id: str, state: StreamState, fault: tuple[str, str] | None
    ) -> None:
        row = store.set_state(transaction.connection, stream_id, state, fault)
        if row is not None:
            transaction.announce(state_message(row))

    def _tell_frame(self, message: FrameResults) -> None:
        placement = self._placements.current(message.task_id, message.generation)
        if placement is None:
            return
        self._outputs.publish(
            Message(
                "frame", message.data, stream_id=message.task_id, media_time_s=message.media_time_s,
                frame_index=message.frame_index, tags=placement.tags,
            )
        )  # fmt: skip


def _fault(message: TaskEnded) -> tuple[str, str]:
    if message.outcome == "succeeded":
        return "ended", "the file was played to its end; enable the stream again to play it once more"
    return message.code or "internal", message.message or message.code


def state_message(row: StreamRow) -> Message:
    """Tells that a stream's state changed."""
    data: dict[str, JsonValue] = {"state": row.state, "code": row.error_code, "message": row.error_message}
    return Message("stream.state_changed", data, stream_id=row.stream_id, tags=tags_of(row))
