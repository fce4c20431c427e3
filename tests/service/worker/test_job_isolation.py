"""A decoder that dies or gets stuck costs its job; the worker goes on."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from models.arrays import Image
from models.runtime.detector import DetectedPeople, Detector
from pipelines.addresses.policy import AddressPolicy
from service.protocol.messages import JobTask
from service.settings import load_settings
from service.worker.job import JobRunner
from tests.fakes import SilentChannel
from tests.processes import held, own_children
from tests.service.worker.action_models import only
from tests.stream_fakes import networks_of
from tests.videos import Clip, write_video

PERSON = (10.0, 5.0, 38.0, 75.0)


class Interrupting:
    """A detector that does something at its third picture, once."""

    def __init__(self, inner: Detector, interrupt: Callable[[], None]) -> None:
        self._inner = inner
        self._interrupt = interrupt
        self._num_calls = 0

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        self._num_calls += 1
        if self._num_calls == 3:
            self._interrupt()
        return self._inner(images)


def runner_of(home: Path, interrupt: Callable[[], None]) -> JobRunner:
    networks = networks_of((5.0, 0.0, 0.0), PERSON)
    networks = replace(networks, detector=Interrupting(networks.detector, interrupt))
    return JobRunner(only(networks), AddressPolicy(frozenset(), frozenset()), load_settings(home=home))


def task_of(folder: Path) -> JobTask:
    folder.mkdir()
    source = write_video(folder / "source.mp4", Clip(size_wh=(48, 80), num_frames=120, fps=15))
    return JobTask("job_1", 1, str(source), str(folder), {"name": "film.mp4", "video": True})


def signal_decoder(others: set[int], number: int) -> None:
    """Send a signal to the children that came since."""
    for pid in own_children() - others:
        os.kill(pid, number)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(signal.SIGKILL, "killed", id="out of memory"),
        pytest.param(signal.SIGSEGV, "crashed on it (SIGSEGV)", id="crash"),
    ],
)
def test_decoder_that_dies_fails_its_job_and_the_next_one_is_done(tmp_path: Path, number: int, text: str) -> None:
    others = own_children()
    run = runner_of(tmp_path, lambda: signal_decoder(others, number))
    first, second = task_of(tmp_path / "first"), task_of(tmp_path / "second")
    before = held()

    failed = run(first, SilentChannel())
    done = run(second, SilentChannel())

    assert (failed.outcome, failed.code) == ("failed", "decoder_failed")
    assert failed.message.startswith("film.mp4: the decoder")
    assert text in failed.message
    assert [path.name for path in (tmp_path / "first").iterdir()] == ["source.mp4"]
    assert (done.outcome, done.facts["num_frames"]) == ("succeeded", 120)
    assert held()[1:] == before[1:]


def test_job_whose_decoder_is_stuck_can_be_cancelled_at_once(tmp_path: Path) -> None:
    others, channel, stuck = own_children(), SilentChannel(), threading.Event()

    def stop_decoder() -> None:
        signal_decoder(others, signal.SIGSTOP)
        stuck.set()

    def cancel() -> None:
        stuck.wait()
        channel.stop_reason = "cancelled"

    thread = threading.Thread(target=cancel)
    thread.start()
    started_s = time.monotonic()
    ended = runner_of(tmp_path, stop_decoder)(task_of(tmp_path / "job"), channel)
    thread.join()

    assert ended.outcome == "cancelled"
    assert time.monotonic() - started_s < 20
    assert own_children() == others
