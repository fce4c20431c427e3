"""Keeps one worker alive: launches, listens, watches, buries, and launches again with back-off."""

import logging
import random
import signal
import threading
from collections import deque
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
from service.protocol.pause_clock import PauseClock
from service.supervision.crash_blame import CrashBlame
from service.supervision.local import Engine, WorkerGone, WorkerHandle
from service.supervision.types import Limits, WorkerHealth, WorkerPlan, WorkerState

logger = logging.getLogger(__name__)

_SETTLED_MAX = 4096
_LISTEN_S = 0.25


class _Lost(Exception):
    """A worker must be replaced."""

    def __init__(self, reason: LossReason, message: str) -> None:
        super().__init__(message)
        self.reason: LossReason = reason


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
        self._slots = plan.slots
        self._blame = blame
        self._engine = engine
        self._limits = limits
        self._listeners = listeners
        self._on_sample = on_sample
        self._clock = PauseClock(_LISTEN_S)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._is_draining = True
        self._thread = threading.Thread(target=self._run, name=f"watchdog-{plan.name}", daemon=True)
        self._handle: WorkerHandle | None = None
        self._state: WorkerState = "starting"
        self._tasks: dict[str, Task] = {}
        self._stalest: str | None = None
        self._settled: deque[int] = deque(maxlen=_SETTLED_MAX)
        self._restarts = 0
        self._launched_s = self._beat_s = 0.0
        self._rss_bytes = 0
        self._facts: Values = {}
        self._error: tuple[str, str] | None = None

    def start(self) -> None:
        """Launch the worker; returns at once."""
        self._thread.start()

    def stop(self, is_draining: bool) -> None:
        """End it: after its tasks are released, or at once. May be called twice."""
        self._is_draining = self._is_draining and is_draining
        self._stopping.set()
        with self._lock:
            handle = self._handle
        if handle is not None and not is_draining:
            handle.kill()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread.ident is not None:
            self._thread.join(self._limits.drain_s + 5.0)

    def slots(self, kind: str) -> int:
        """Slots for a kind of task when the worker is ready."""
        return self._slots.get(kind, 0)

    def room(self, kind: str) -> int:
        """Free slots for a kind of task; 0 when the worker is not ready."""
        with self._lock:
            if self._state != "ready" or self._stopping.is_set():
                return 0
            return self._slots.get(kind, 0) - sum(task.kind == kind for task in self._tasks.values())

    def place(self, task: Task) -> bool:
        """Hand a task over; False when the worker cannot take it."""
        with self._lock:
            if self._state != "ready" or self._handle is None:
                return False
            if not self._blame.may_join(task.task_id, self._tasks):
                return False
            try:
                self._handle.send(Place(task))
            except WorkerGone:
                return False
            self._tasks[task.task_id] = task
            self._blame.begin(task.task_id)
            return True

    def tell(self, command: TaskCommand) -> bool:
        """Pass something on to a task; False when it is not here."""
        with self._lock:
            if command.task_id not in self._tasks or self._handle is None:
                return False
            try:
                self._handle.send(command)
            except WorkerGone:
                return False
            return True

    def is_ready(self, kind: str) -> bool:
        """Whether it is warm and takes this kind of task."""
        with self._lock:
            return self._state == "ready" and self._slots.get(kind, 0) > 0

    def health(self) -> WorkerHealth:
        """How the worker is."""
        with self._lock:
            counts: dict[str, int] = {}
            for task in self._tasks.values():
                counts[task.kind] = counts.get(task.kind, 0) + 1
            age_s = self._clock.now_s() - self._beat_s if self._handle is not None and self._beat_s else None
            return WorkerHealth(
                self._name, self._state, self._handle.pid if self._handle else None, self._restarts, counts, age_s,
                self._rss_bytes, dict(self._facts), self._error,
            )  # fmt: skip

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._launch()
            try:
                self._listen()
            except _Lost as lost:
                self._bury(lost)
            if self._stopping.is_set():
                break
            has_been_healthy = self._clock.now_s() - self._launched_s > self._limits.healthy_s
            failures = 0 if has_been_healthy else failures + 1
            self._back_off(failures)
        with self._lock:
            self._state = "stopped"

    def _launch(self) -> None:
        handle = self._engine.launch(self._name)
        self._clock.tick()
        with self._lock:
            self._handle = handle
            self._state = "starting"
            self._launched_s = self._beat_s = self._clock.now_s()
            self._stalest = None
        self._settled.clear()

    def _listen(self) -> None:
        assert self._handle is not None
        drain_until_s: float | None = None
        while True:
            self._clock.tick()
            if self._stopping.is_set() and drain_until_s is None:
                drain_until_s = self._begin_drain()
            try:
                message = self._handle.receive(_LISTEN_S)
            except ProtocolMismatch as error:
                raise _Lost("crashed", str(error)) from error
            except WorkerGone as error:
                raise self._autopsy(str(error)) from error
            if isinstance(message, Drained):
                raise _Lost("ended", "drained")
            if message is not None:
                self._beat_s = self._clock.now_s()
                self._take(message)
            self._watch(drain_until_s)

    def _begin_drain(self) -> float:
        assert self._handle is not None
        with self._lock:
            was_ready = self._state == "ready"
            self._state = "draining"
        if not (self._is_draining and was_ready):
            raise _Lost("ended", "stopped")
        try:
            self._handle.send(Drain())
        except WorkerGone as error:
            raise _Lost("ended", str(error)) from error
        return self._clock.now_s() + self._limits.drain_s

    def _watch(self, drain_until_s: float | None) -> None:
        now_s = self._clock.now_s()
        if drain_until_s is not None and now_s > drain_until_s:
            raise _Lost("ended", f"did not drain within {self._limits.drain_s:.0f} s")
        if self._state == "starting" and now_s - self._launched_s > self._limits.start_s:
            raise _Lost("stalled", f"not ready {self._limits.start_s:.0f} s after its start")
        # Loading a large library may hold a starting process still for a while.
        silence_s = self._limits.silence_s * (4 if self._state == "starting" else 1)
        if now_s - self._beat_s > silence_s:
            raise _Lost("stalled", f"silent for {silence_s:.0f} s")

    def _autopsy(self, message: str) -> _Lost:
        assert self._handle is not None
        status = self._handle.wait(2.0)
        if self._stopping.is_set() or status == -signal.SIGTERM or (status == 0 and self._error is not None):
            return _Lost("ended", message)
        return _Lost("crashed", f"{message} with status {status}")

    def _take(self, message: FromWorker) -> None:
        match message:
            case Hello(pid=pid, protocol=protocol):
                if protocol != PROTOCOL:
                    raise _Lost("crashed", f"worker {pid} speaks protocol {protocol}, not {PROTOCOL}")
            case Ready(facts=facts):
                self._become_ready(facts)
            case StartFailed(code=code, message=text):
                logger.error("worker %s cannot start: %s: %s", self._name, code, text)
                with self._lock:
                    self._error = (code, text)
            case Heartbeat():
                self._take_heartbeat(message)
            case Drained():
                pass
            case _:
                self._take_task_message(message)

    def _become_ready(self, facts: Values) -> None:
        with self._lock:
            self._facts = facts
            self._error = None
            if self._state == "starting":
                self._state = "ready"
        logger.info("worker %s is ready after %.1f s", self._name, self._clock.now_s() - self._launched_s)
        self._tell_room()

    def _take_heartbeat(self, beat: Heartbeat) -> None:
        self._rss_bytes = beat.rss_bytes
        for sample in beat.samples:
            self._on_sample(self._name, sample)
        with self._lock:
            kinds = {task_id: task.kind for task_id, task in self._tasks.items()}
        if beat.rss_bytes > self._limits.memory_bytes:
            raise _Lost("out_of_memory", f"{beat.rss_bytes} bytes resident, {self._limits.memory_bytes} allowed")
        for task_id, age_s in beat.ages_s.items():
            limit_s = self._limits.stall_s.get(kinds.get(task_id, ""))
            if limit_s is not None and age_s > limit_s:
                self._stalest = task_id
                raise _Lost("stalled", f"task {task_id} without progress for {age_s:.0f} s")

    def _take_task_message(self, message: TaskMessage) -> None:
        if isinstance(message, (Fact, TaskEnded)) and message.delivery_id in self._settled:
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
                # Its owner may have placed it again the moment it heard of the end.
                if self._tasks.get(message.task_id) is task:
                    self._tasks.pop(message.task_id, None)
            self._blame.forget(message.task_id)
        if isinstance(message, (Fact, TaskEnded)):
            self._settled.append(message.delivery_id)
            self._acknowledge(message)
        if isinstance(message, TaskEnded):
            self._tell_room()

    def _acknowledge(self, message: TaskMessage) -> None:
        assert self._handle is not None
        assert isinstance(message, (Fact, TaskEnded))
        try:
            self._handle.send(Ack(message.delivery_id))
        except WorkerGone as error:
            raise _Lost("stalled", str(error)) from error

    def _bury(self, lost: _Lost) -> None:
        assert self._handle is not None
        self._handle.close()
        with self._lock:
            tasks = list(self._tasks.values())
            self._tasks.clear()
            self._handle = None
            self._rss_bytes = 0
            self._state = "backing_off"
        if lost.reason == "ended":
            logger.info("worker %s ended: %s", self._name, lost)
        else:
            logger.error("worker %s %s: %s; %d task(s) to place again", self._name, lost.reason, lost, len(tasks))
        culprit = self._stalest
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
        first_s, longest_s = self._limits.backoff_s
        wait_s = min(longest_s, first_s * 2 ** max(0, failures - 1))
        self._restarts += 1
        self._on_sample(self._name, Sample("worker_restarts_total", "add", (1.0,)))
        # Many workers that lost the same disk must not come back in the same instant.
        self._stopping.wait(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads restarts, guards nothing

    def _tell_room(self) -> None:
        for listener in self._listeners.values():
            listener.on_room()
