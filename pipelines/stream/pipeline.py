"""The stream, straight down: one frame in, everything that is known of it out."""

from dataclasses import dataclass

from pipelines.stream.actions.classify import ActionStage
from pipelines.stream.actions.events import EventStage
from pipelines.stream.actions.label import LabelStage
from pipelines.stream.actions.smooth import SmoothStage
from pipelines.stream.actions.window import WindowStage
from pipelines.stream.people.detect import DetectStage
from pipelines.stream.people.pose import PoseStage
from pipelines.stream.people.track import TrackStage
from pipelines.stream.stats import StageClock
from pipelines.types import Event, Frame, FrameResult


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one stream, in the order in which a frame meets them."""

    detect: DetectStage
    track: TrackStage
    pose: PoseStage
    window: WindowStage
    action: ActionStage
    smooth: SmoothStage
    label: LabelStage
    events: EventStage


class Pipeline:
    """One source's way through the stages; not for use from several threads at once."""

    def __init__(self, stages: Stages, clock: StageClock | None = None) -> None:
        self._stages = stages
        self._clock = clock or StageClock()

    def process(self, frame: Frame) -> FrameResult:
        """Everything that is known after this frame. Raises ModelError where a network fails."""
        do, lap = self._stages, self._clock.lap
        self._clock.start()
        boxes = do.detect(frame, do.track.demand())
        lap("detect")
        tracks = do.track(frame, boxes)
        lap("track")
        sightings = do.pose(frame, tracks)
        lap("pose")
        poses = do.track.observe(sightings)
        lap("track")
        windows = do.window(poses)
        lap("window")
        scores = do.smooth(poses, do.action(windows))
        lap("action")
        states = do.label(poses, scores)
        events = do.events(poses, scores)
        lap("events")
        return FrameResult(frame, poses, states, events, scores, self._clock.frame_ms)

    def finish(self) -> tuple[Event, ...]:
        """The events that close because the source has no more frames."""
        return self._stages.events.finish()

    @property
    def stage_ms(self) -> dict[str, float]:
        """Mean milliseconds per frame and stage so far."""
        return self._clock.mean_ms()

    @property
    def label_flips(self) -> int:
        """How often a shown action was replaced by another one."""
        return self._stages.label.num_flips
