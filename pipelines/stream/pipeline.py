"""The stream, straight down: one frame in, everything that is known of it out."""

from dataclasses import dataclass, replace

from pipelines.stream.actions.classify import ActionStage
from pipelines.stream.actions.events import EventStage
from pipelines.stream.actions.label import LabelStage
from pipelines.stream.actions.smooth import SmoothStage
from pipelines.stream.actions.window import WindowStage
from pipelines.stream.people.detect import DetectStage
from pipelines.stream.people.pose import PoseStage
from pipelines.stream.people.track import TrackStage
from pipelines.stream.stats import StageClock
from pipelines.types import Event, Frame, FrameResult, TrackEnd


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
        self._size_wh: tuple[int, int] | None = None

    def process(self, frame: Frame) -> FrameResult:
        """Everything that is known after this frame. Raises ModelError where a network fails.

        Where the frame does not follow on the one before, every track and event ends first, as of the frame before.
        """
        if not frame.is_break:
            return self._process(frame)
        ended, events = self._break_off(frame)
        result = self._process(frame)
        poses = replace(result.poses, ended=(*ended, *result.poses.ended))
        return replace(result, poses=poses, events=(*events, *result.events))

    def _break_off(self, frame: Frame) -> tuple[tuple[tuple[int, TrackEnd], ...], tuple[Event, ...]]:
        """Forget everyone; the tracks that end, and the events that close, in pixels of this frame."""
        do = self._stages
        reason: TrackEnd = "scene_cut" if frame.break_reason == "scene_cut" else "gap"
        ended = tuple((track_id, reason) for track_id in do.track.reset())
        events = tuple(_scaled(event, self._size_wh or frame.size_wh, frame.size_wh) for event in do.events.finish())
        do.detect.reset()
        do.pose.reset()
        do.window.reset()
        do.smooth.reset()
        do.label.reset()
        return ended, events

    def _process(self, frame: Frame) -> FrameResult:
        self._size_wh = frame.size_wh
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


def _scaled(event: Event, from_wh: tuple[int, int], to_wh: tuple[int, int]) -> Event:
    """The event with its box in pixels of another picture: the same share of it."""
    if event.xyxy is None or from_wh == to_wh:
        return event
    x, y = to_wh[0] / from_wh[0], to_wh[1] / from_wh[1]
    left, top, right, bottom = event.xyxy
    return replace(event, xyxy=(left * x, top * y, right * x, bottom * y))
