"""Networks that remember what they saw in the pictures of one clip, so that replaying it costs little."""

from collections.abc import Sequence

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.detector import DetectedPeople, Detector
from models.runtime.pose import Landmarks, PoseEstimator
from pipelines.types import Frame

_Look = tuple[FloatArray, FloatArray, np.float32, FloatArray]
_ALIKE = np.array([0.004, 0.004, 0.008, 0.008], np.float32)


class RememberedDetector:
    """A detector that looks at each picture of one clip once: noise in the joints changes no picture.

    frames: the clip's; pictures that are not theirs (the crop of one person) are looked at every time.
    found: what was seen, by the picture's place in the clip.
    """

    def __init__(self, detector: Detector, frames: Sequence[Frame]) -> None:
        self._detector = detector
        self._place = _places(frames)
        self.found: dict[int, DetectedPeople] = {}

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """As the detector."""
        places = [self._place.get(id(image)) for image in images]
        return [self._look(image, place) for image, place in zip(images, places, strict=True)]

    def _look(self, image: Image, place: "_Place | None") -> DetectedPeople:
        if place is None:
            return self._detector([image])[0]
        if place.index not in self.found:
            self.found[place.index] = self._detector([image])[0]
        return self.found[place.index]


class RememberedPoses:
    """A pose estimator that takes a region for one it has seen where they differ by a pixel of the crop at most.

    A trial of many seeds then costs a tenth. What it leaves out is how the network itself answers to a crop that is
    moved by less than a pixel, so a number to report is measured without it.
    found: by the picture's place in the clip, (region, keypoints, presence, next region) of every look.
    """

    def __init__(self, estimator: PoseEstimator, frames: Sequence[Frame]) -> None:
        self._estimator = estimator
        self._place = _places(frames)
        self.layout = estimator.layout
        self.found: dict[int, list[_Look]] = {}
        self._follows_region = True

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """As the estimator."""
        if not len(regions):
            return self._estimator(images, regions)
        rows = [self._known(image, region) for image, region in zip(images, regions, strict=True)]
        new = [index for index, row in enumerate(rows) if row is None]
        if new:
            seen = self._estimator([images[index] for index in new], regions[new])
            self._follows_region = seen.follows_region
            for at, index in enumerate(new):
                look = (regions[index], seen.keypoints[at], seen.presence[at], seen.next_region[at])
                self.found.setdefault(self._place[id(images[index])].index, []).append(look)
                rows[index] = look
        _, keypoints, presence, following = zip(*(row for row in rows if row is not None), strict=True)
        return Landmarks(np.stack(keypoints), np.array(presence, np.float32), np.stack(following), self._follows_region)

    def _known(self, image: Image, region: FloatArray) -> _Look | None:
        for row in self.found.get(self._place[id(image)].index, ()):
            apart = region - row[0]
            apart[3] = (apart[3] + np.pi) % (2 * np.pi) - np.pi
            if (np.abs(apart) <= _ALIKE * np.array([region[2], region[2], region[2], 1], np.float32)).all():
                return row
        return None


class _Place:
    """Where in the clip a picture stands; holds the picture, so that its id is never given to another one."""

    def __init__(self, index: int, image: Image) -> None:
        self.index = index
        self.image = image


def _places(frames: Sequence[Frame]) -> dict[int, _Place]:
    return {id(frame.image): _Place(index, frame.image) for index, frame in enumerate(frames)}
