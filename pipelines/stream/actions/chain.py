"""The action chain: everyone's joints in, what they do out. The order of its stages stands only here."""

from dataclasses import dataclass
from typing import Protocol

from models.arrays import Image
from pipelines.stream.actions.events import EventStage
from pipelines.stream.actions.label import LabelStage
from pipelines.stream.actions.smooth import SmoothStage
from pipelines.stream.actions.window import WindowStage
from pipelines.stream.stats import StageClock
from pipelines.types import ActionScores, ActionState, Event, Poses, WindowBatch


class ClassifyStage(Protocol):
    """Says what the windows that are due show."""

    def see(self, poses: Poses, image: Image | None) -> None:
        """Take one more frame: its poses, and its picture where there is one. Raises ModelError."""

    def __call__(self, batch: WindowBatch) -> tuple[ActionScores, ...]:
        """One answer per window and per withheld person. Raises ModelError."""
        ...

    def reset(self) -> None:
        """Forget the frames taken so far, because the next one does not follow on the last."""


@dataclass(frozen=True, slots=True)
class ActionStages:
    """The stages of one source, in the order in which its poses meet them."""

    window: WindowStage
    classify: ClassifyStage
    smooth: SmoothStage
    label: LabelStage
    events: EventStage


@dataclass(frozen=True, slots=True)
class Actions:
    """What is known of everyone's actions after one frame.

    raw:    the model's answer to each window that was due, before smoothing.
    scores: the same, smoothed. states: one per person of the frame. events: those that changed.
    """

    raw: tuple[ActionScores, ...]
    scores: tuple[ActionScores, ...]
    states: tuple[ActionState, ...]
    events: tuple[Event, ...]


class ActionChain:
    """Window, classify, smooth, label, events for one source; not for use from several threads at once.

    clock: gets one lap per stage; the network's is called `action`.
    """

    def __init__(self, stages: ActionStages, clock: StageClock | None = None) -> None:
        self._stages = stages
        self._clock = clock or StageClock()

    def __call__(self, poses: Poses, image: Image | None = None) -> Actions:
        """What the poses of one more frame, and its picture, tell. Raises ModelError where the network fails."""
        do, lap = self._stages, self._clock.lap
        windows = do.window(poses)
        lap("window")
        do.classify.see(poses, image)
        raw = do.classify(windows)
        lap("action")
        scores = do.smooth(poses, raw)
        lap("smooth")
        states = do.label(poses, scores)
        lap("label")
        events = do.events(poses, scores)
        lap("events")
        return Actions(raw, scores, states, events)

    def finish(self) -> tuple[Event, ...]:
        """The events that close because no frame follows on the last one; everybody's past is forgotten."""
        self._stages.window.reset()
        self._stages.classify.reset()
        self._stages.smooth.reset()
        self._stages.label.reset()
        return self._stages.events.finish()

    @property
    def label_flips(self) -> int:
        """How often a shown action was replaced by another one."""
        return self._stages.label.num_flips
