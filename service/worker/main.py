"""Inside a worker process: loads the networks once, runs tasks in threads, and obeys the supervisor."""

import faulthandler
import logging
import os
import resource
import signal
import threading
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection

from models.errors import ModelError
from pipelines.errors import PipelineError
from service.protocol.messages import (
    Ack,
    Drain,
    Drained,
    Heartbeat,
    Hello,
    Place,
    ProtocolMismatch,
    Ready,
    Sample,
    StartFailed,
    Stop,
    Task,
    TaskCommand,
    TaskEnded,
    Values,
    decode_command,
)
from service.protocol.pause_clock import PauseClock
from service.protocol.preview import ShowPreview
from service.protocol.track_history import AskTrack
from service.worker.channel import HEARTBEAT_S, Channel, Ended, MessageQueue
from service.worker.runners import BuildRunners, TaskRunners

logger = logging.getLogger(__name__)

_SAMPLES_MAX = 2000
_DRAIN_S = 12.0


class Worker:
    """The process's main object: takes commands in the main thread until the supervisor closes its end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queue = MessageQueue(connection)
        self._samples: deque[Sample] = deque(maxlen=_SAMPLES_MAX)
        self._clock = PauseClock(HEARTBEAT_S)
        self._channels: dict[str, Channel] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._runners: TaskRunners | None = None
        self._facts: Values = {}

    def run(self, build: BuildRunners) -> None:
        """Serve until the end."""
        sender = threading.Thread(target=self._queue.run, name="messages", daemon=True)
        pulse = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        sender.start()
        self._queue.urge(Hello(os.getpid()))
        pulse.start()
        runners = self._runners = self._open(build)
        if runners is not None:
            self._serve(runners)
        self._queue.flush(HEARTBEAT_S)
        self._is_over.set()
        self._queue.close()
        sender.join(HEARTBEAT_S)

    def _open(self, build: BuildRunners) -> TaskRunners | None:
        try:
            runners = build()
            self._queue.urge(Ready(runners.warm()))
        except (ModelError, PipelineError) as error:
            self._queue.urge(StartFailed(error.code, str(error)))
            return None
        except Exception as error:
            logger.exception("worker cannot start")
            self._queue.urge(StartFailed("internal", f"{type(error).__name__}: {error}"))
            return None
        return runners

    def _serve(self, runners: TaskRunners) -> None:
        while True:
            try:
                command = decode_command(self._connection.recv_bytes())
            except (EOFError, OSError):
                logger.debug("the supervisor closed its end: nobody would hear what tasks still do")
                return
            except ProtocolMismatch as error:
                logger.error("%s", error)
                continue
            match command:
                case Place(task=task):
                    self._begin(runners, task)
                case Stop() | AskTrack() | ShowPreview():
                    self._tell(command)
                case Ack(delivery_id=delivery_id):
                    self._queue.acknowledge(delivery_id)
                case Drain():
                    threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _begin(self, runners: TaskRunners, task: Task) -> None:
        channel = Channel(task, self._queue, self._samples, self._clock)
        thread = threading.Thread(
            target=self._run_task, args=(runners, task, channel), name=f"task-{task.task_id}", daemon=True
        )
        with self._lock:
            self._channels[task.task_id] = channel
            self._threads[task.task_id] = thread
        thread.start()

    def _run_task(self, runners: TaskRunners, task: Task, channel: Channel) -> None:
        try:
            ended = runners.run(task, channel)
        except (ModelError, PipelineError) as error:
            ended = Ended("failed", {}, error.code, str(error))
        except Exception as error:
            logger.exception("task %s", task.task_id)
            ended = Ended("failed", {}, "internal", f"{type(error).__name__} in the worker; see its log for the reason")
        with self._lock:
            self._channels.pop(task.task_id, None)
            self._threads.pop(task.task_id, None)
        try:
            self._queue.deliver(
                lambda delivery_id: TaskEnded(
                    delivery_id, task.task_id, ended.outcome, ended.code, ended.message, ended.facts
                )
            )
        except TimeoutError:
            logger.exception("the supervisor has stopped storing messages; ending, so that the work is placed again")
            os._exit(1)

    def _tell(self, command: TaskCommand) -> None:
        with self._lock:
            channel = self._channels.get(command.task_id)
        if channel is None:
            return  # it has just ended
        match command:
            case Stop(reason=reason):
                channel.stop_reason = channel.stop_reason or reason
            case AskTrack():
                channel.ask(command)
            case ShowPreview(for_s=for_s):
                channel.show(for_s)

    def _drain(self) -> None:
        deadline_s = time.monotonic() + _DRAIN_S
        with self._lock:
            threads = list(self._threads.values())
            for channel in self._channels.values():
                channel.stop_reason = channel.stop_reason or "drain"
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        self._queue.flush(max(0.0, deadline_s - time.monotonic()))
        self._queue.urge(Drained())
        self._queue.flush(HEARTBEAT_S)

    def _measure(self) -> Sequence[Sample]:
        try:
            return () if self._runners is None else self._runners.measure()
        except Exception:
            # A life sign must not fail for a figure.
            logger.exception("the worker could not be measured")
            return ()

    def _changed_facts(self) -> Values:
        try:
            facts = {} if self._runners is None else self._runners.facts()
        except Exception:
            logger.exception("the worker's facts could not be gathered")
            return {}
        changed = {name: value for name, value in facts.items() if self._facts.get(name) != value}
        self._facts = facts
        return changed

    def _beat(self) -> None:
        while not self._is_over.wait(HEARTBEAT_S):
            self._clock.tick()
            with self._lock:
                ages = {task_id: channel.age_s for task_id, channel in self._channels.items()}
            samples = (*self._measure(), *(self._samples.popleft() for _ in range(len(self._samples))))
            self._queue.urge(Heartbeat(_rss_bytes(), ages, samples, self._changed_facts()))


def _rss_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - once a second, on a pseudo file
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(build: BuildRunners, log_level: int, connection: Connection) -> None:
    """A worker process from its first line to its last."""
    faulthandler.enable()
    _log(log_level)
    # Ctrl-C reaches the whole terminal group; only the supervisor decides when a worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Worker(connection).run(build)
    # Task threads may be deep in a decoder: the interpreter's own way out would wait for them.
    logging.shutdown()
    os._exit(0)


def run_within(build: BuildRunners, log_level: int, connection: Connection) -> None:
    """A worker within a process that somebody else starts and ends; returns when it has said its last word."""
    _log(log_level)
    Worker(connection).run(build)


def _log(level: int) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s worker %(process)d %(name)s: %(message)s")
