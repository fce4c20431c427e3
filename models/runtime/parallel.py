"""One pose estimator over several processor cores: the crops of a picture are shared out among threads."""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.pose import Landmarks, PoseEstimator
from models.runtime.session import Session, sessions_of
from models.runtime.spare import SpareThreads


class ParallelPose:
    """Runs an estimator in up to `threads` threads at once, each with its share of the crops.

    The estimator must be safe to call from several threads, and its session should have one thread of its own: the
    layers of BlazePose are so small that a second thread inside a layer buys nothing (one crop 10.8 ms with one thread,
    12.2 with two), while two crops side by side take 12.6 ms instead of 20.6.
    spare: threads beside these, while no other call runs.
    """

    def __init__(self, estimator: PoseEstimator, threads: int, spare: SpareThreads | None = None) -> None:
        self._estimator = estimator
        self._threads = threads
        self._spare = spare or SpareThreads(1)
        self._pool = ThreadPoolExecutor(max(threads, self._spare.threads), thread_name_prefix="pose")

    @property
    def layout(self) -> str:
        """The layout of the keypoints."""
        return self._estimator.layout

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return sessions_of(self._estimator)

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """One image per region; equal to the estimator's own answer. Raises what the estimator raises."""
        with self._spare.borrow() as spare:
            return self._shared_out(images, regions, min(max(self._threads, spare), len(regions)))

    def _shared_out(self, images: Sequence[Image], regions: FloatArray, shares: int) -> Landmarks:
        if shares < 2:
            return self._estimator(images, regions)
        bounds = [round(len(regions) * share / shares) for share in range(shares + 1)]
        spans = list(itertools.pairwise(bounds))
        found = list(
            self._pool.map(lambda span: self._estimator(images[span[0] : span[1]], regions[span[0] : span[1]]), spans)
        )
        return Landmarks(
            np.concatenate([part.keypoints for part in found]),
            np.concatenate([part.presence for part in found]),
            np.concatenate([part.next_region for part in found]),
            found[0].follows_region,
        )
