"""A job's memory does not grow with its video: what is known of a frame goes to disk, and is forgotten."""

import gc
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.arrays import Image
from models.runtime.detector import DetectedPeople, Detector
from pipelines.addresses.policy import AddressPolicy
from service.protocol.messages import JobTask
from service.settings import load_settings
from service.worker.job import JobRunner
from tests.fakes import SilentChannel
from tests.service.worker.action_models import only
from tests.stream_fakes import networks_of
from tests.videos import Clip, write_video

PERSON = (10.0, 5.0, 38.0, 75.0)
NUM_FRAMES = 420
BYTES_PER_FRAME_MAX = 250.0  # what is told of a frame takes twice that, and other threads of the process allocate too


class Scales:
    """A detector that weighs the process now and then."""

    def __init__(self, inner: Detector) -> None:
        self._inner = inner
        self._num_calls = 0
        self.held_bytes: list[int] = []

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        self._num_calls += 1
        if self._num_calls % 20 == 0:
            gc.collect()  # what is only waiting to be collected is not kept
            self.held_bytes.append(tracemalloc.get_traced_memory()[0])
        return self._inner(images)


def test_memory_does_not_grow_with_the_length_of_the_video(tmp_path: Path) -> None:
    networks = networks_of((5.0, 0.0, 0.0), PERSON)
    scales = Scales(networks.detector)
    settings = load_settings(home=tmp_path)
    policy = AddressPolicy(frozenset(), frozenset())
    runner = JobRunner(only(replace(networks, detector=scales)), policy, settings)
    source = write_video(tmp_path / "source.mp4", Clip(size_wh=(48, 80), num_frames=NUM_FRAMES, fps=15))
    task = JobTask("job_1", 1, str(source), str(tmp_path), {"name": "long.mp4", "video": False})

    tracemalloc.start()
    ended = runner(task, SilentChannel())
    tracemalloc.stop()

    assert (ended.outcome, ended.facts["num_frames"], ended.facts["actions"]) == ("succeeded", NUM_FRAMES, ["walk"])
    third = len(scales.held_bytes) // 3
    grown = min(scales.held_bytes[2 * third :]) - min(scales.held_bytes[third : 2 * third])
    assert (tmp_path / "results.jsonl").stat().st_size > 2 * BYTES_PER_FRAME_MAX * NUM_FRAMES
    assert grown < BYTES_PER_FRAME_MAX * NUM_FRAMES / 3
