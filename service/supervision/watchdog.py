"""Keeps one worker alive: launches, listens, watches, buries, and launches again with back-off."""

import logging
import random
import threading
from collections.abc import Callable, Mapping

from service.protocol.listener import LossReason, TaskListener
from service.protocol.messages import (
    PROTOCOL,
    Ack,
    Drain,
    Drained,
    Fact,
    FromWorker,
    Heartbeat,
    Hello,
    Place,
    ProtocolMismatch,
    Ready,
    Sample,
    StartFailed,
    Task,
    TaskCommand,
    TaskEnded,
    TaskMessage,
    Values,
)
from service.protocol.metrics import WORKER_RESTARTS
from service.protocol.pause_clock import PauseClock
from service.supervision.crash_blame import CrashBlame
from service.supervision.diagnosis import WorkerLost, autopsy, check_heartbeat, check_time
from service.supervision.engine import Engine, NodeGone, WorkerGone
from service.supervision.task_table import TaskTable
from service.supervision.types import Limits, WorkerHealth, WorkerPlan
from service.supervision.worker_record import WorkerRecord

logger = logging.getLogger(__name__)

_LISTEN_S = 0.25


class WorkerWatchdog:
    """One worker, again and again; owned by its thread, the lock is for the others' questions.

    slots: kind of task → how many it takes at once.  listeners: kind of task → its owner.
    on_sample: gets every metric change with the worker's name.
    """

    def __init__(
        self, plan: WorkerPlan, engine: Engine, limits: Limits, listeners: Mapping[str, TaskListener],
        blame: CrashBlame,
        on_sample: Callable[[str, Sample], None],
    ) -> None:  # fmt: skip
        self._name = plan.name
        self._record = WorkerRecord()
        self._tasks = TaskTable(plan.slots)
        self._blame = blame
        self._engine = engine
        self._limits = limits
        self._listeners = listeners
        self._on_sample = on_sample
        self._clock = PauseClock(_LISTEN_S)
        self._generator = random.Random()  # noqa: S311 - spreads restarts, guards nothing
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._is_draining = True
        self._thread = threading.Thread(target=self._run, name=f"watchdog-{plan.name}", daemon=True)

    def start(self) -> None:
        """Launch the worker; returns at once."""
        self._thread.start()

    def stop(self, is_draining: bool) -> None:
        """End it: after its tasks are released, or at once. May be called twice."""
        self._is_draining = self._is_draining and is_draining
        self._stopping.set()
        with self._lock:
            handle = self._record.handle
        if handle is not None and not is_draining:
            handle.kill()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread.ident is not None:
            self._thread.join(self._limits.drain_s + 5.0)

    def slots(self, kind: str) -> int:
        """Slots for a kind of task when the worker is ready."""
        return self._tasks.slots(kind)

    def free_slots(self, kind: str) -> int:
        """Free slots for a kind of task; 0 when the worker is not ready."""
        with self._lock:
            if not self._record.is_ready or self._stopping.is_set():
                return 0
            return self._tasks.free_slots(kind)

    def place(self, task: Task) -> bool:
        """Hand a task over; False when the worker cannot take it."""
        with self._lock:
            if not self._record.is_ready:
                return False
            if not self._blame.may_join(task.task_id, self._tasks):
                return False
            try:
                self._record.require_handle().send(Place(task))
            except WorkerGone:
                return False
            self._tasks.add(task)
            self._blame.begin(task.task_id)
            return True

    def tell(self, command: TaskCommand) -> bool:
        """Pass something on to a task; False when it is not here."""
        with self._lock:
            handle = self._record.handle
            if command.task_id not in self._tasks or handle is None:
                return False
            try:
                handle.send(command)
            except WorkerGone:
                return False
            return True

    def is_ready(self, kind: str) -> bool:
        """Whether it is warm and takes this kind of task."""
        with self._lock:
            return self._record.is_ready and self._tasks.slots(kind) > 0

    def health(self) -> WorkerHealth:
        """How the worker is."""
        with self._lock:
            return self._record.health(self._name, self._tasks.counts(), self._clock.now_s())

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._launch()
            try:
                self._listen()
            except WorkerLost as lost:
                self._bury(lost)
            if self._stopping.is_set():
                break
            has_been_healthy = self._clock.now_s() - self._record.launched_s > self._limits.healthy_s
            failures = 0 if has_been_healthy else failures + 1
            self._back_off(failures)
        with self._lock:
            self._record.state = "stopped"

    def _launch(self) -> None:
        handle = self._engine.launch(self._name)
        self._clock.tick()
        with self._lock:
            self._record.begin(handle, self._clock.now_s())
            self._tasks.forget_settled()

    def _listen(self) -> None:
        handle = self._record.require_handle()
        drain_until_s: float | None = None
        while True:
            self._clock.tick()
            if self._stopping.is_set() and drain_until_s is None:
                drain_until_s = self._begin_drain()
            try:
                message = handle.receive(_LISTEN_S)
            except ProtocolMismatch as error:
                raise WorkerLost("crashed", str(error)) from error
            except WorkerGone as error:
                # Who lost its machine is placed again without blame, like who was told to end.
                is_wanted = self._stopping.is_set() or isinstance(error, NodeGone)
                raise autopsy(self._record, str(error), is_wanted=is_wanted) from error
            if isinstance(message, Drained):
                raise WorkerLost("ended", "drained")
            if message is not None:
                self._record.beat_s = self._clock.now_s()
                self._take(message)
            check_time(self._record, self._limits, self._clock.now_s(), drain_until_s)

    def _begin_drain(self) -> float:
        with self._lock:
            was_ready = self._record.is_ready
            self._record.state = "draining"
        if not (self._is_draining and was_ready):
            raise WorkerLost("ended", "stopped")
        try:
            self._record.require_handle().send(Drain())
        except WorkerGone as error:
            raise WorkerLost("ended", str(error)) from error
        return self._clock.now_s() + self._limits.drain_s

    def _take(self, message: FromWorker) -> None:
        match message:
            case Hello(pid=pid, protocol=protocol):
                if protocol != PROTOCOL:
                    raise WorkerLost("crashed", f"worker {pid} speaks protocol {protocol}, not {PROTOCOL}")
            case Ready(facts=facts):
                self._become_ready(facts)
            case StartFailed(code=code, message=text):
                logger.error("worker %s cannot start: %s: %s", self._name, code, text)
                with self._lock:
                    self._record.error = (code, text)
            case Heartbeat():
                self._take_heartbeat(message)
            case Drained():
                pass
            case _:
                self._take_task_message(message)

    def _become_ready(self, facts: Values) -> None:
        with self._lock:
            self._record.become_ready(facts)
        logger.info("worker %s is ready after %.1f s", self._name, self._clock.now_s() - self._record.launched_s)
        self._tell_free_slot()

    def _take_heartbeat(self, beat: Heartbeat) -> None:
        self._record.rss_bytes = beat.rss_bytes
        for sample in beat.samples:
            self._on_sample(self._name, sample)
        with self._lock:
            self._record.facts = {**self._record.facts, **beat.facts}
            kinds = self._tasks.kinds()
        check_heartbeat(beat, self._limits, kinds)

    def _take_task_message(self, message: TaskMessage) -> None:
        if isinstance(message, (Fact, TaskEnded)) and self._tasks.is_settled(message.delivery_id):
            # Said again because the acknowledgement was late: the task may have been placed anew since.
            self._acknowledge(message)
            return
        with self._lock:
            task = self._tasks.get(message.task_id)
        if task is not None:
            try:
                self._listeners[task.kind].on_message(message)
            except Exception:
                # The thread's edge: what is durable comes again; nothing that a task says may end its watchdog.
                logger.exception("%s of task %s not taken", message.type, message.task_id)
                return
        if isinstance(message, TaskEnded):
            with self._lock:
                self._tasks.remove(message.task_id, task)
            self._blame.forget(message.task_id)
        if isinstance(message, (Fact, TaskEnded)):
            self._tasks.settle(message.delivery_id)
            self._acknowledge(message)
        if isinstance(message, TaskEnded):
            self._tell_free_slot()

    def _acknowledge(self, message: Fact | TaskEnded) -> None:
        try:
            self._record.require_handle().send(Ack(message.delivery_id))
        except WorkerGone as error:
            raise WorkerLost("stalled", str(error)) from error

    def _bury(self, lost: WorkerLost) -> None:
        self._record.require_handle().close()
        with self._lock:
            tasks = self._tasks.clear()
            self._record.end()
        if lost.reason == "ended":
            logger.info("worker %s ended: %s", self._name, lost)
        else:
            logger.error("worker %s %s: %s; %d task(s) to place again", self._name, lost.reason, lost, len(tasks))
        culprit = lost.culprit
        if lost.reason != "ended" and culprit is None:
            culprit = self._blame.blame([task.task_id for task in tasks])
        for task in tasks:
            self._report_loss(task, lost.reason, task.task_id == culprit)

    def _report_loss(self, task: Task, reason: LossReason, is_culprit: bool) -> None:
        try:
            self._listeners[task.kind].on_lost(task, reason, is_culprit)
        except Exception:
            logger.exception("loss of task %s not taken", task.task_id)

    def _back_off(self, failures: int) -> None:
        self._record.restarts += 1
        self._on_sample(self._name, WORKER_RESTARTS.add())
        self._stopping.wait(self._limits.backoff.pause_s(failures, self._generator))

    def _tell_free_slot(self) -> None:
        for listener in self._listeners.values():
            listener.on_free_slot()
