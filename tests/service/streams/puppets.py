"""A stream's worker whose strings the test pulls, and a dispatcher over a fresh database with a placer that obeys."""

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.severity import Severity
from pipelines.addresses.policy import AddressPolicy
from service.database import Database, migrate
from service.event_log import EventLog, Message
from service.events.control import EventControl
from service.events.ingest import EventIngest
from service.protocol.facts import StateChanged, StreamFact, WatchState
from service.protocol.messages import (
    Fact,
    FrameResults,
    Sample,
    StreamStatus,
    StreamTask,
    Task,
    TaskEnded,
    TaskMessage,
    Values,
)  # fmt: skip
from service.protocol.preview import PreviewPicture
from service.protocol.track_history import TrackHistory
from service.stream_events import StreamEvents
from service.streams.control import StreamControl, WorkerCapacity
from service.streams.dispatch import LiveOutputs, StreamDispatcher
from service.streams.schemas import StreamCreate
from service.worker.channel import Channel, Ended

CAMERA = "rtsp://viewer:hunter2@192.168.7.9/live?token=hunter2"
JPEG = b"\xff\xd8 a picture \xff\xd9"
_WAIT_S = 10.0


class Puppet:
    """One stream on the puppet worker; shows pictures while somebody looks, and answers what it was taught."""

    def __init__(self, task: StreamTask, channel: Channel) -> None:
        self.task = task
        self.channel = channel
        self.is_painting = True
        self.is_deaf = False
        self.remembered: dict[int, list[str]] = {}
        self._ending = threading.Event()
        self._ended = Ended("succeeded", {})

    def play(self) -> Ended:
        while not self._ending.wait(0.01):
            self.channel.beat()
            self._paint()
            self._answer()
            if self.channel.stop_reason is not None and not self.is_deaf:
                return Ended("released" if self.channel.stop_reason == "drain" else "cancelled", {})
        return self._ended

    def say(self, fact: StreamFact) -> None:
        task = self.task
        self.channel.deliver(lambda number: Fact(number, task.task_id, task.generation, fact))

    def state(self, state: WatchState, code: str | None = None, message: str | None = None) -> None:
        self.say(StateChanged(state, code, message, 2.0))

    def frame(self, index: int) -> None:
        people: Values = {"persons": [], "frame_size": [640, 480], "layout": "coco17"}
        self.channel.offer(FrameResults(self.task.task_id, self.task.generation, index, index / 15, people))

    def status(self, data: Values) -> None:
        self.channel.offer(StreamStatus(self.task.task_id, self.task.generation, data))

    def _paint(self) -> None:
        if self.is_painting and self.channel.is_looked_at:
            self.channel.offer(PreviewPicture(self.task.task_id, self.task.generation, JPEG))

    def _answer(self) -> None:
        for question in self.channel.take_questions():
            lines = tuple(self.remembered.get(question.track_id, ()))
            self.channel.offer(TrackHistory(question.task_id, question.question_id, lines))

    def end(self, ended: Ended) -> None:
        self._ended = ended
        self._ending.set()


class PuppetRunners:
    """A worker's runners for the thread engine; every stream that is placed becomes a puppet."""

    def __init__(self, fps_budget: float = 100.0) -> None:
        self._placed: queue.Queue[Puppet] = queue.Queue()
        self._fps_budget = fps_budget

    def facts(self) -> Values:
        return {}

    def measure(self) -> Sequence[Sample]:
        return ()

    def warm(self) -> Values:
        return {"device": "fake", "fps_budget": self._fps_budget}

    def run(self, task: Task, channel: Channel) -> Ended:
        assert isinstance(task, StreamTask)
        puppet = Puppet(task, channel)
        self._placed.put(puppet)
        return puppet.play()

    def next(self) -> Puppet:
        """The next stream that is placed."""
        return self._placed.get(timeout=_WAIT_S)

    def is_idle(self) -> bool:
        return self._placed.empty()


@dataclass
class FakePlacer:
    """Takes every stream and does nothing with it; `refuses` has no free slot."""

    tasks: list[StreamTask] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    withdrawn: list[str] = field(default_factory=list)
    refuses: bool = False

    def place(self, task: StreamTask) -> bool:
        assert task.task_id not in self.running, "placed twice"
        if self.refuses:
            return False
        self.tasks.append(task)
        self.running.add(task.task_id)
        return True

    def withdraw(self, task_id: str) -> bool:
        self.withdrawn.append(task_id)
        return task_id in self.running

    def free_slots(self, kind: str) -> int:
        return 0 if self.refuses or kind != "stream" else 16


SEVERITIES: dict[str, dict[str, Severity]] = {"careful": {"fall": "warning", "walk": "alarm"}}
"""Action model of a stream's own → how urgent its actions are."""


class Desk:
    """Control, dispatcher and events over one database; `tick` does what the dispatcher's thread does once a second."""

    def __init__(self, folder: Path) -> None:
        self.told: list[Message] = []
        self.now_s = 0.0
        self.placer = FakePlacer()
        self.database = Database(f"sqlite:///{folder / 'streams.sqlite3'}")
        migrate(self.database)
        self.log = EventLog(self.database, self.told.append)
        ingest = EventIngest(self.database, self.log, lambda action: "alarm" if action == "fall" else "info")
        self.events = EventControl(self.database)
        self.forgotten: list[str] = []
        self.witness = StreamEvents(
            ingest, self.events, self.forgotten.append, self.forgotten.append, SEVERITIES.__getitem__
        )
        self.shown: list[PreviewPicture] = []
        self.answered: list[TrackHistory] = []
        self.dispatcher = self.next_server()
        policy = AddressPolicy(frozenset({"rtsp", "push"}))
        self.control = StreamControl(
            self.database,
            self.log,
            policy,
            self.dispatcher,
            self.witness,
            lambda _: None,
            lambda: WorkerCapacity(8, None),
            lambda _: ("fall", "lie", "walk"),
        )
        self._numbers = iter(range(1, 10_000))

    def next_server(self) -> StreamDispatcher:
        """A dispatcher that has placed nothing yet, over the same database."""
        outputs = LiveOutputs(self.told.append, self.shown.append, self.answered.append)
        return StreamDispatcher(self.log, self.placer, outputs, self.witness, lambda _: {}, lambda: self.now_s)

    def add(self, name: str = "dock", **config: object) -> None:
        wanted = {"name": name, "source": {"uri": CAMERA}, **config}
        self.control.create(StreamCreate.model_validate(wanted), None)

    def tick(self) -> None:
        self.dispatcher._place_all()

    def task(self) -> StreamTask:
        return self.placer.tasks[-1]

    def say(self, fact: StreamFact, task: StreamTask | None = None) -> None:
        one = task or self.task()
        self._hear(Fact(next(self._numbers), one.task_id, one.generation, fact))

    def end(self, ended: Ended) -> None:
        """The worker lets go of the newest task."""
        task = self.task()
        self.placer.running.discard(task.task_id)
        self._hear(TaskEnded(next(self._numbers), task.task_id, ended.outcome, ended.code, ended.message, ended.facts))

    def lose(self, is_suspect: bool = True) -> None:
        task = self.task()
        self.placer.running.discard(task.task_id)
        self.dispatcher.on_lost(task, "crashed", is_suspect)

    def kinds(self, family: str = "action") -> list[str]:
        return [message.type for message in self.told if message.type.startswith(family)]

    def _hear(self, message: TaskMessage) -> None:
        self.dispatcher.on_message(message)
