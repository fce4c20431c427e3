"""The networks as many streams share them: each call rides in one batch with whatever the others ask at the time."""

import weakref
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from models.arrays import AnyArray, FloatArray, Image
from models.runtime.action import Network
from models.runtime.batching import Batcher, Gathering
from models.runtime.detector import DetectedPeople, Detector
from models.runtime.pose import Landmarks, PoseEstimator
from models.runtime.session import Session, sessions_of


class BatchedDetector:
    """A detector that many streams share."""

    def __init__(self, detector: Detector, gathering: Gathering) -> None:
        self._batcher = Batcher[Image, DetectedPeople](detector, gathering)

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture. Raises what the detector raises, and BatcherClosed."""
        return self._batcher(images)

    def close(self) -> None:
        """Wake every waiting call and end the thread."""
        self._batcher.close()


class BatchedPose:
    """A pose estimator that many streams share."""

    def __init__(self, pose: PoseEstimator, gathering: Gathering) -> None:
        self._pose = pose
        self._batcher = Batcher[tuple[Image, FloatArray], Landmarks](self._each, gathering)

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


_Row = dict[str, AnyArray]


class BatchedNetwork:
    """A network that many streams share, by the rows of what it is fed: windows, or the steps of tracks.

    Ends its thread when nobody holds it any more.
    """

    def __init__(self, network: Network, gathering: Gathering) -> None:
        self._network = network
        # The thread must not hold this object, which would then never go.
        self._batcher = Batcher[_Row, _Row](partial(_each_row, network), gathering)
        weakref.finalize(self, self._batcher.end)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return sessions_of(self._network)

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """The outputs for one batch, rows in the order of the feeds'. Raises what the network raises, BatcherClosed."""
        num_rows = min((len(value) for value in feeds.values()), default=0)
        if not num_rows:
            return dict(self._network.run(feeds))
        found = self._batcher([{name: value[row] for name, value in feeds.items()} for row in range(num_rows)])
        return {name: np.stack([row[name] for row in found]) for name in found[0]}

    def close(self) -> None:
        """Wake every waiting call and end the thread."""
        self._batcher.close()


def _each_row(network: Network, rows: Sequence[_Row]) -> list[_Row]:
    outputs = network.run({name: np.stack([row[name] for row in rows]) for name in rows[0]})
    return [{name: value[index] for name, value in outputs.items()} for index in range(len(rows))]
