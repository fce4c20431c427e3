"""The people chain: one frame in, everyone in it with their joints out. The order of its stages stands only here."""

from pipelines.stream.people.detect import DetectStage
from pipelines.stream.people.pose import PoseStage
from pipelines.stream.people.track import TrackStage
from pipelines.stream.stats import StageClock
from pipelines.types import Frame, Poses


class PeopleChain:
    """Detect, track, pose for one source; not for use from several threads at once.

    clock: gets one lap per stage.
    """

    def __init__(
        self, detect: DetectStage, track: TrackStage, pose: PoseStage, clock: StageClock | None = None
    ) -> None:
        self._detect = detect
        self._track = track
        self._pose = pose
        self._clock = clock or StageClock()

    def __call__(self, frame: Frame) -> Poses:
        """Everyone whose joints were seen in this frame. Raises ModelError where a network fails."""
        lap = self._clock.lap
        boxes = self._detect(frame, self._track.demand())
        lap("detect")
        tracks = self._track(frame, boxes)
        lap("track")
        sightings = self._pose(frame, tracks)
        lap("pose")
        poses = self._track.observe(sightings)
        lap("track")
        return poses
