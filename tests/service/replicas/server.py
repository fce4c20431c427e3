"""A server as `actogram serve` starts it, whose worker processes work with made-up streams: python -m ... NUMBER.

A stream says that it runs and then tells of one fall after the other, each with an id of its own; a job is a script.
"""

import itertools
import logging
import os
import sys
import time
from functools import partial

from service.app import create_app
from service.commands.serve import run_server
from service.home_lock import HomeLock
from service.protocol.facts import StateChanged, StreamFact
from service.protocol.messages import Fact, FrameResults, StreamTask, Task, Values
from service.protocol.preview import PreviewPicture
from service.settings import Settings, load_settings
from service.supervision.local import LocalEngine
from service.worker.channel import Channel, Ended
from service.worker.main import main as run_worker
from service.worker.runners import TaskRunners
from service.worker.staging import StagedRunners
from tests.fakes import ScriptedRunners
from tests.service.facts import report

_PERIOD_S = 0.2


class TickingRunners(ScriptedRunners):
    """Streams that tell of a fall every fifth of a second; jobs as scripts."""

    def warm(self) -> Values:
        return {"device": "fake", "fps_budget": 1000.0}

    def run(self, task: Task, channel: Channel) -> Ended:
        return _tick(task, channel) if isinstance(task, StreamTask) else super().run(task, channel)


def _tick(task: StreamTask, channel: Channel) -> Ended:
    def say(fact: StreamFact) -> None:
        channel.deliver(lambda number: Fact(number, task.task_id, task.generation, fact))

    say(StateChanged("running", None, None, 0.0))
    for index in itertools.count():
        if channel.stop_reason is not None:
            return Ended("released" if channel.stop_reason == "drain" else "cancelled", {})
        event_id = f"{task.task_id}-{task.generation}-{index}"
        say(report("action.started", event_id, action="walk"))
        people: Values = {"persons": [], "frame_size": [640, 480], "layout": "coco17"}
        channel.offer(FrameResults(task.task_id, task.generation, index, index * _PERIOD_S, people))
        if channel.is_looked_at:
            channel.offer(PreviewPicture(task.task_id, task.generation, b"\xff\xd8 a picture"))
        time.sleep(_PERIOD_S)
        say(report("action.ended", event_id, end_s=3.0, action="walk"))
    raise AssertionError("counting ends")


def build(settings: Settings) -> TaskRunners:
    """In a worker's process."""
    from service.blob_choice import open_store

    runners = TickingRunners()
    if settings.blobs_url is None:
        return runners
    scratch = settings.blobs / "scratch" / str(os.getpid())
    return StagedRunners(runners, open_store(settings), scratch, lambda _: None)


def main() -> int:
    """Serve until a signal."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    port = int(sys.argv[1])
    settings = load_settings(replica_url=f"http://127.0.0.1:{port}")
    lock = HomeLock(settings)
    lock.acquire()
    engine = LocalEngine(partial(run_worker, partial(build, settings), logging.INFO))
    return run_server(create_app(settings, engine, lock=lock), "127.0.0.1", port, "info")


if __name__ == "__main__":
    sys.exit(main())
