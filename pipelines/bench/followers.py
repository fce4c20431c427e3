"""Who follows people through a clip: our chain, and the trackers of the package `trackers` on our detector's boxes.

ByteTrack and OC-SORT get the boxes of every picture, as `supervision` has them; our chain asks the same detector when
it wants to, and follows joints in between.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from models.arrays import FloatArray
from pipelines.bench.tracking import Follow, Numbered
from pipelines.errors import PackageMissing
from pipelines.stream.build import PeopleNetworks, build_people
from pipelines.stream.config import PipelineConfig
from pipelines.stream.people.boxes import areas
from pipelines.types import Frame

OURS = "ours"
PEERS: Mapping[str, str] = {"bytetrack": "ByteTrackTracker", "ocsort": "OCSORTTracker"}
"""Names of other trackers, and what the package calls them."""
_WEAKEST = 0.15

Update = Callable[[FloatArray], Numbered]
"""Boxes and scores of the next picture, (N, 5) → who is where in it."""
Begin = Callable[[float], Update]
"""How many pictures come a second → a tracker that has seen none yet."""


def followers(networks: PeopleNetworks, peers: Sequence[str]) -> Mapping[str, Follow]:
    """Our chain first, then the peers named, each of PEERS. Raises PackageMissing where they cannot be imported."""
    ours: Mapping[str, Follow] = {OURS: lambda frames, _: follow_ours(networks, frames)}
    return {**ours, **{name: follow_boxes(networks, begin_peer(name)) for name in peers}}


def follow_ours(networks: PeopleNetworks, frames: Sequence[Frame]) -> list[Numbered]:
    """The people that our chain shows."""
    chain = build_people(networks, PipelineConfig())
    shown = [chain(frame) for frame in frames]
    return [list(zip(poses.track_id.tolist(), poses.xyxy, strict=True)) for poses in shown]


def follow_boxes(networks: PeopleNetworks, begin: Begin) -> Follow:
    """A tracker of boxes, on the detector's answer to every picture."""

    def follow(frames: Sequence[Frame], rate_hz: float) -> list[Numbered]:
        update = begin(rate_hz)
        return [update(_boxes(networks, frame)) for frame in frames]

    return follow


def begin_peer(name: str) -> Begin:
    """One of PEERS; raises PackageMissing."""
    try:
        import supervision
        import trackers
    except ImportError as error:
        raise PackageMissing(
            f"{name} needs the packages trackers and supervision ({error}); install them with `pip install "
            "'trackers>=2.6'`, or compare nothing with --peers ''"
        ) from error
    kind = getattr(trackers, PEERS[name])

    def begin(rate_hz: float) -> Update:
        tracker = kind(frame_rate=rate_hz)

        def update(rows: FloatArray) -> Numbered:
            classes = np.zeros(len(rows), np.int64)
            boxes = supervision.Detections(xyxy=rows[:, :4], confidence=rows[:, 4], class_id=classes)
            tracked = tracker.update(boxes)
            numbers = () if tracked.tracker_id is None else tracked.tracker_id
            pairs = zip(numbers, tracked.xyxy, strict=False)
            return [(int(number), np.asarray(box, np.float32)) for number, box in pairs if number >= 0]

        return update

    return begin


def _boxes(networks: PeopleNetworks, frame: Frame) -> FloatArray:
    """(N, 5) boxes and scores, those that our own chain would keep."""
    found = networks.detector([frame.image])[0]
    keep = (found.score >= _WEAKEST) & (areas(found.xyxy) > 0)
    return np.concatenate([found.xyxy[keep], found.score[keep, None]], axis=1)
