"""Gathers the calls of many streams into batches for one network: what is ready by the deadline goes."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.detector import DetectedPeople, Detector
from models.runtime.pose import Landmarks, PoseEstimator

ItemT = TypeVar("ItemT")
AnswerT = TypeVar("AnswerT")


class BatcherClosed(RuntimeError):
    """A call to a batcher that was closed, or that was waiting in it when it was closed."""


@dataclass(frozen=True, slots=True)
class _Call(Generic[ItemT, AnswerT]):
    items: Sequence[ItemT]
    future: "Future[list[AnswerT]]"


class Batcher(Generic[ItemT, AnswerT]):
    """A network that many threads call and that runs in one thread, with at most `max_batch` items a run.

    network:    answers a list of items with one answer each, same order.
    deadline_s: how long the first call of a batch waits for others; nothing waits for a source that is absent.
    A call's exception is the network's: every call of that batch gets it, later ones are not touched.
    """

    def __init__(
        self,
        network: Callable[[Sequence[ItemT]], Sequence[AnswerT]],
        max_batch: int,
        deadline_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._network = network
        self._max_batch = max_batch
        self._deadline_s = deadline_s
        self._clock = clock
        # Each caller waits for its answer before it calls again, so there are never more calls than callers.
        self._calls: queue.SimpleQueue[_Call[ItemT, AnswerT] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    def __call__(self, items: Sequence[ItemT]) -> list[AnswerT]:
        """The network's answers to these items. Raises what the network raises, and BatcherClosed."""
        if not items:
            return []
        call: _Call[ItemT, AnswerT] = _Call(items, Future())
        with self._lock:
            if self._closed:
                raise BatcherClosed("the batcher is closed")
            self._calls.put(call)
        return call.future.result()

    def close(self) -> None:
        """Wake every waiting call with BatcherClosed and end the thread; a batch that runs is finished first."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        held: _Call[ItemT, AnswerT] | None = None
        while True:
            call = held if held is not None else self._calls.get()
            if call is None:
                break
            batch, held, ended = self._gather(call)
            self._answer(batch)
            if ended:
                break
        self._refuse(held)

    def _gather(
        self, first: _Call[ItemT, AnswerT]
    ) -> tuple[list[_Call[ItemT, AnswerT]], _Call[ItemT, AnswerT] | None, bool]:
        """Calls until the batch is full or late; a call that does not fit is held back; whether the end was met."""
        batch, size = [first], len(first.items)
        late_s = self._clock() + self._deadline_s
        while size < self._max_batch:
            try:
                call = self._calls.get(timeout=max(late_s - self._clock(), 0))
            except queue.Empty:
                break
            if call is None:
                return batch, None, True
            if size + len(call.items) > self._max_batch:
                return batch, call, False
            batch.append(call)
            size += len(call.items)
        return batch, None, False

    def _answer(self, batch: Sequence[_Call[ItemT, AnswerT]]) -> None:
        items = [item for call in batch for item in call.items]
        try:
            answers: list[AnswerT] = []
            for at in range(0, len(items), self._max_batch):
                answers += self._network(items[at : at + self._max_batch])
            if len(answers) != len(items):
                raise RuntimeError(f"the network gave {len(answers)} answers to {len(items)} items")
        except BaseException as error:  # noqa: BLE001 - a thread's edge: the callers raise it
            for call in batch:
                call.future.set_exception(error)
            return
        at = 0
        for call in batch:
            call.future.set_result(answers[at : at + len(call.items)])
            at += len(call.items)

    def _refuse(self, held: "_Call[ItemT, AnswerT] | None") -> None:
        if held is not None:
            held.future.set_exception(BatcherClosed("the batcher was closed"))
        while True:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return
            if call is not None:
                call.future.set_exception(BatcherClosed("the batcher was closed"))


class BatchedDetector:
    """A detector that many streams share."""

    def __init__(self, detector: Detector, max_batch: int, deadline_s: float) -> None:
        self._batcher = Batcher[Image, DetectedPeople](detector, max_batch, deadline_s)

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture. Raises what the detector raises, and BatcherClosed."""
        return self._batcher(images)

    def close(self) -> None:
        """Wake every waiting call and end the thread."""
        self._batcher.close()


class BatchedPose:
    """A pose estimator that many streams share."""

    def __init__(self, pose: PoseEstimator, max_batch: int, deadline_s: float) -> None:
        self._pose = pose
        self._batcher = Batcher[tuple[Image, FloatArray], Landmarks](self._each, max_batch, deadline_s)

    @property
    def layout(self) -> str:
        """The layout of the keypoints."""
        return self._pose.layout

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """One image per region. Raises what the estimator raises, and BatcherClosed."""
        if not len(regions):
            return self._pose(images, regions)
        found = self._batcher(list(zip(images, regions, strict=True)))
        return Landmarks(
            np.concatenate([one.keypoints for one in found]),
            np.concatenate([one.presence for one in found]),
            np.concatenate([one.next_region for one in found]),
            found[0].follows_region,
        )

    def close(self) -> None:
        """Wake every waiting call and end the thread."""
        self._batcher.close()

    def _each(self, items: Sequence[tuple[Image, FloatArray]]) -> list[Landmarks]:
        found = self._pose([image for image, _ in items], np.stack([region for _, region in items]))
        rows = (slice(index, index + 1) for index in range(len(items)))
        return [
            Landmarks(found.keypoints[row], found.presence[row], found.next_region[row], found.follows_region)
            for row in rows
        ]


def warm_detector(detector: Detector, batch_sizes: Sequence[int], sizes_wh: Sequence[tuple[int, int]]) -> None:
    """Run black pictures of every size in every batch size, so that no stream pays for the first run of a shape."""
    for width, height in dict.fromkeys(sizes_wh):
        blank = np.zeros((height, width, 3), np.uint8)
        for size in dict.fromkeys(batch_sizes):
            detector([blank] * size)


def warm_pose(pose: PoseEstimator, batch_sizes: Sequence[int]) -> None:
    """Run a black picture in every batch size."""
    blank = np.zeros((64, 64, 3), np.uint8)
    for size in dict.fromkeys(batch_sizes):
        pose([blank] * size, np.tile(np.array([32, 32, 64, 0], np.float32), (size, 1)))
