"""What a worker works with."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from models.arrays import Image
from models.runtime.batching import BatchedDetector, BatchedPose
from models.runtime.detector import DetectedPeople
from pipelines.stream.build import Networks
from service.bench import shared
from tests.stream_fakes import FakeDetector, networks_of


def test_streams_call_the_networks_themselves_on_a_cpu() -> None:
    networks = networks_of()

    assert shared(networks, "cpu") is networks


def test_streams_share_batches_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    meeting = threading.Barrier(4)

    class Counting(FakeDetector):
        def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
            sizes.append(len(images))
            return super().__call__(images)

    monkeypatch.setattr("service.bench._BATCH_S", 0.5)
    plain = networks_of()
    together = shared(Networks(Counting((0, 0, 9, 9)), plain.pose, plain.action, plain.names), "cuda:0")

    def stream() -> None:
        meeting.wait(10)
        together.detector([np.zeros((8, 8, 3), np.uint8)])

    threads = [threading.Thread(target=stream) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert isinstance(together.detector, BatchedDetector)
    assert isinstance(together.pose, BatchedPose)
    assert sum(sizes) == 4
    assert max(sizes) > 1
    together.detector.close()
    together.pose.close()
