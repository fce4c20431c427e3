"""Inside a worker process: loads the networks once, runs tasks in threads, reports, and keeps what must not be lost."""

import faulthandler
import itertools
import logging
import os
import resource
import signal
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol

from models.errors import ModelError
from pipelines.errors import PipelineError
from service.protocol.messages import (
    Ack,
    BestEffort,
    Drain,
    Drained,
    Durable,
    Fact,
    FromWorker,
    Heartbeat,
    Hello,
    Outcome,
    Place,
    ProtocolMismatch,
    Ready,
    Sample,
    StartFailed,
    Stop,
    StopReason,
    Task,
    TaskEnded,
    Values,
    decode_command,
    encode,
)
from service.protocol.pause_clock import PauseClock

logger = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
_BEST_EFFORT_MAX = 512
_DURABLE_MAX = 2048
_RESEND_S = 10.0
_DELIVER_S = 30.0
_SAMPLES_MAX = 2000
_DRAIN_S = 12.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a task went: what `Bench.run` returns."""

    outcome: Outcome
    facts: Values
    code: str = ""
    message: str = ""


class Bench(Protocol):
    """What a worker works with; built inside its process."""

    def warm(self) -> Values:
        """Run every batch size once; returns facts such as the networks' names."""
        ...

    def run(self, task: Task, channel: "Channel") -> Ended:
        """Do a task; errors of pipelines and models may be raised. Returns soon after `channel.stop_reason` is set."""
        ...


BuildRunners = Callable[[], Bench]
"""Called in the worker; must be picklable: a function of a module, or a partial of one."""


class Outbox:
    """What waits to be sent: best effort in a ring that forgets, durable until acknowledged."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._filled = threading.Condition()
        self._urgent: deque[FromWorker] = deque()
        self._best: deque[BestEffort] = deque(maxlen=_BEST_EFFORT_MAX)
        self._durable: OrderedDict[int, tuple[Durable, float]] = OrderedDict()
        self._ids = itertools.count(1)
        self._is_closed = False

    def urge(self, message: FromWorker) -> None:
        """Send before everything else: life signs."""
        with self._filled:
            self._urgent.append(message)
            self._filled.notify_all()

    def offer(self, message: BestEffort) -> None:
        """Send when there is time; the oldest is forgotten when too many wait."""
        with self._filled:
            self._best.append(message)
            self._filled.notify_all()

    def deliver(self, make: Callable[[int], Durable]) -> None:
        """Send until acknowledged; waits while too many are unacknowledged.

        Raises TimeoutError when there was no room for 30 s.
        """
        with self._filled:
            if not self._filled.wait_for(lambda: self._is_closed or len(self._durable) < _DURABLE_MAX, _DELIVER_S):
                raise TimeoutError(f"{_DURABLE_MAX} messages have waited {_DELIVER_S:.0f} s to be stored")
            delivery_id = next(self._ids)
            self._durable[delivery_id] = (make(delivery_id), 0.0)
            self._filled.notify_all()

    def acknowledge(self, delivery_id: int) -> None:
        """Forget a durable message that is stored."""
        with self._filled:
            self._durable.pop(delivery_id, None)
            self._filled.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all durable messages are acknowledged; False when time ran out."""
        with self._filled:
            return self._filled.wait_for(lambda: self._is_closed or not (self._durable or self._urgent), timeout_s)

    def close(self) -> None:
        """Wake everyone; `run` ends."""
        with self._filled:
            self._is_closed = True
            self._filled.notify_all()

    def run(self) -> None:
        """Send until closed or the other side is gone."""
        while not self._is_closed:
            for message in self._next():
                try:
                    self._connection.send_bytes(encode(message))
                except (OSError, ValueError):
                    self.close()
                    return

    def _next(self) -> list[FromWorker]:
        with self._filled:
            self._filled.wait_for(lambda: self._is_closed or self._urgent or self._best or self._due(), HEARTBEAT_S)
            # Durable before best effort, in the order they came: an end never overtakes a start.
            out: list[FromWorker] = [*self._urgent, *self._due()]
            now_s = time.monotonic()
            for message in self._due():
                self._durable[message.delivery_id] = (message, now_s)
            out += self._best
            self._urgent.clear()
            self._best.clear()
            return out

    def _due(self) -> list[Durable]:
        horizon_s = time.monotonic() - _RESEND_S
        return [message for message, sent_s in self._durable.values() if sent_s < horizon_s]


class Channel:
    """One task's way to the supervisor."""

    def __init__(self, task: Task, outbox: Outbox, samples: "deque[Sample]", clock: PauseClock) -> None:
        self.task = task
        self.stop_reason: StopReason | None = None
        self._outbox = outbox
        self._samples = samples
        self._clock = clock
        self._alive_s = clock.now_s()

    @property
    def age_s(self) -> float:
        """Seconds since the task last made progress."""
        return self._clock.now_s() - self._alive_s

    def beat(self) -> None:
        """The task made progress."""
        self._alive_s = self._clock.now_s()

    def offer(self, message: BestEffort) -> None:
        """Report; may be lost."""
        self.beat()
        self._outbox.offer(message)

    def deliver(self, make: Callable[[int], Fact]) -> None:
        """Report something that must not be lost; `make` gets the delivery id."""
        self.beat()
        self._outbox.deliver(make)

    def measure(self, sample: Sample) -> None:
        """Count something; goes with the next heartbeat."""
        self._samples.append(sample)


class Worker:
    """The process's main object: takes commands in the main thread until the supervisor closes its end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._outbox = Outbox(connection)
        self._samples: deque[Sample] = deque(maxlen=_SAMPLES_MAX)
        self._clock = PauseClock(HEARTBEAT_S)
        self._channels: dict[str, Channel] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._is_over = threading.Event()

    def run(self, build: BuildRunners) -> None:
        """Serve until the end."""
        sender = threading.Thread(target=self._outbox.run, name="outbox", daemon=True)
        pulse = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        sender.start()
        self._outbox.urge(Hello(os.getpid()))
        pulse.start()
        bench = self._open(build)
        if bench is not None:
            self._serve(bench)
        self._outbox.flush(HEARTBEAT_S)
        self._is_over.set()
        self._outbox.close()
        sender.join(HEARTBEAT_S)

    def _open(self, build: BuildRunners) -> Bench | None:
        try:
            bench = build()
            self._outbox.urge(Ready(bench.warm()))
        except (ModelError, PipelineError) as error:
            self._outbox.urge(StartFailed(error.code, str(error)))
            return None
        except Exception as error:
            logger.exception("worker cannot start")
            self._outbox.urge(StartFailed("internal", f"{type(error).__name__}: {error}"))
            return None
        return bench

    def _serve(self, bench: Bench) -> None:
        while True:
            try:
                command = decode_command(self._connection.recv_bytes())
            except (EOFError, OSError):
                logger.debug("the supervisor closed its end: nobody can take what tasks still do")
                return
            except ProtocolMismatch as error:
                logger.error("%s", error)
                continue
            match command:
                case Place(task=task):
                    self._begin(bench, task)
                case Stop(task_id=task_id, reason=reason):
                    self._stop(task_id, reason)
                case Ack(delivery_id=delivery_id):
                    self._outbox.acknowledge(delivery_id)
                case Drain():
                    threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _begin(self, bench: Bench, task: Task) -> None:
        channel = Channel(task, self._outbox, self._samples, self._clock)
        thread = threading.Thread(
            target=self._run_task, args=(bench, task, channel), name=f"task-{task.task_id}", daemon=True
        )
        with self._lock:
            self._channels[task.task_id] = channel
            self._threads[task.task_id] = thread
        thread.start()

    def _run_task(self, bench: Bench, task: Task, channel: Channel) -> None:
        try:
            ended = bench.run(task, channel)
        except (ModelError, PipelineError) as error:
            ended = Ended("failed", {}, error.code, str(error))
        except Exception as error:
            logger.exception("task %s", task.task_id)
            ended = Ended("failed", {}, "internal", f"{type(error).__name__} in the worker; its log has the reason")
        with self._lock:
            self._channels.pop(task.task_id, None)
            self._threads.pop(task.task_id, None)
        try:
            self._outbox.deliver(
                lambda delivery_id: TaskEnded(
                    delivery_id, task.task_id, ended.outcome, ended.code, ended.message, ended.facts
                )
            )
        except TimeoutError:
            logger.exception("the supervisor stores nothing; ending, so that the work is placed again")
            os._exit(1)

    def _stop(self, task_id: str, reason: StopReason) -> None:
        with self._lock:
            channel = self._channels.get(task_id)
            if channel is not None:
                channel.stop_reason = channel.stop_reason or reason

    def _drain(self) -> None:
        deadline_s = time.monotonic() + _DRAIN_S
        with self._lock:
            threads = list(self._threads.values())
            for channel in self._channels.values():
                channel.stop_reason = channel.stop_reason or "drain"
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        self._outbox.flush(max(0.0, deadline_s - time.monotonic()))
        self._outbox.urge(Drained())
        self._outbox.flush(HEARTBEAT_S)

    def _beat(self) -> None:
        while not self._is_over.wait(HEARTBEAT_S):
            self._clock.tick()
            with self._lock:
                ages = {task_id: channel.age_s for task_id, channel in self._channels.items()}
            samples = tuple(self._samples.popleft() for _ in range(len(self._samples)))
            self._outbox.urge(Heartbeat(_rss_bytes(), ages, samples))


def _rss_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - once a second, on a pseudo file
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(connection: Connection, build: BuildRunners, log_level: int) -> None:
    """A worker process from its first line to its last."""
    faulthandler.enable()
    logging.basicConfig(level=log_level, format="%(asctime)s %(levelname)s worker %(process)d %(name)s: %(message)s")
    # Ctrl-C reaches the whole terminal group; only the supervisor decides when a worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Worker(connection).run(build)
    # Task threads may be deep in a decoder: the interpreter's own way out would wait for them.
    logging.shutdown()
    os._exit(0)
