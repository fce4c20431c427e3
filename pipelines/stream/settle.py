"""Settle: frames of a file are told when nothing can change any more what was done in them.

An action is named some time after it began, and its end is known later still. Whoever reads a file's results wants one
story: so a frame waits until every event that may cover it is decided, and then says what the timeline says of that
moment. A live stream cannot wait; its frames say what is known, and its events correct that.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from models.arrays import Image
from models.runtime.contract import ActionContract
from models.runtime.overrides import judging_rules
from pipelines.errors import SinkError
from pipelines.stream.config import PipelineConfig
from pipelines.types import ActionState, Event, Frame, FrameResult

_JPEG_QUALITY = 95
_SLACK_S = 0.5
_GONE_S = 2.0
"""How long a person may be out of sight before their events are closed, at least: as the event stage has it."""


def settling_s(contract: ActionContract, config: PipelineConfig) -> float:
    """Media seconds after which no event of such a pipeline can begin or end at a frame any more.

    The longest way back is that of an event whose person is first not to be judged and then out of sight, and of one
    that has lasted since the person came.
    """
    rules = judging_rules(contract.actions, config.actions).values()
    freeze_s = config.events.freeze_s
    decided_s = max([freeze_s + max(freeze_s, _GONE_S), *(max(r.min_duration_s, r.merge_gap_s) for r in rules)])
    return contract.window_s + config.smooth.mean_s + config.window.stride_s + decided_s + _SLACK_S


class Settled:
    """Holds back results for `hold_s` media seconds, and gives them on with their labels settled.

    keeps_pictures: whether somebody wants the pictures; they are kept as JPEG, so that seconds of full HD take tens of
                    megabytes. Without it the frames come out black.
    """

    def __init__(self, hold_s: float, *, keeps_pictures: bool) -> None:
        self._hold_s = hold_s
        self._keeps_pictures = keeps_pictures
        self._held: deque[tuple[FrameResult, _Kept]] = deque()
        self._events: dict[int, dict[str, Event]] = {}

    def add(self, result: FrameResult) -> Iterator[FrameResult]:
        """Take the next result; give on those that are old enough. Raises SinkError for one too big for JPEG."""
        self._see(result.events)
        kept = _Kept.of(result.frame, keeps_picture=self._keeps_pictures)
        self._held.append((replace(result, frame=replace(result.frame, image=kept.blank())), kept))
        while self._held and self._held[0][0].frame.time_s < result.frame.time_s - self._hold_s:
            yield self._give()
        self._forget()

    def finish(self, events: Iterable[Event]) -> Iterator[FrameResult]:
        """Take what the end decided; give on all that is left."""
        self._see(events)
        while self._held:
            yield self._give()

    def _see(self, events: Iterable[Event]) -> None:
        for event in events:
            self._events.setdefault(event.track_id, {})[event.event_id] = event

    def _forget(self) -> None:
        """Events that ended before the first frame that is still held."""
        if not self._held:
            return
        first_s = self._held[0][0].frame.time_s
        for track_id, events in list(self._events.items()):
            left = {name: event for name, event in events.items() if _may_matter(event, first_s)}
            if left:
                self._events[track_id] = left
            else:
                del self._events[track_id]

    def _give(self) -> FrameResult:
        result, kept = self._held.popleft()
        states = settled(result.states, result.frame.time_s, self._events)
        return replace(result, frame=replace(result.frame, image=kept.picture()), states=states)


def settled(
    states: Sequence[ActionState], time_s: float, events: Mapping[int, Mapping[str, Event]]
) -> tuple[ActionState, ...]:
    """What is shown of each person at a moment, by the events of their track: the surest of those that cover it.

    time_s: media seconds. events: by track, then by id, each in its last state.
    """
    return tuple(_settled(state, time_s, events.get(state.track_id, {}).values()) for state in states)


def _settled(state: ActionState, time_s: float, events: Iterable[Event]) -> ActionState:
    sure = [event for event in events if event.state in ("confirmed", "ended") and event.start_s <= time_s]
    covering = [event for event in sure if time_s < _end_s(event)] or [e for e in sure if time_s == _end_s(e)]
    if covering:
        best = max(covering, key=lambda event: event.score)
        return replace(
            state, action=best.action, score=best.score, status="assessed", reason=None, partner=best.partner
        )
    if state.status == "assessed":
        return replace(state, action=None, score=0.0, status="none")
    return state


def _end_s(event: Event) -> float:
    return event.end_s if event.state == "ended" else float("inf")


def _may_matter(event: Event, first_s: float) -> bool:
    return event.state in ("provisional", "confirmed") or (event.state == "ended" and event.end_s >= first_s)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The picture of a held frame: its shape, and its JPEG where somebody wants it."""

    shape: tuple[int, ...]
    jpeg: bytes | None

    @classmethod
    def of(cls, frame: Frame, *, keeps_picture: bool) -> "_Kept":
        if not keeps_picture:
            return cls(frame.image.shape, None)
        done, data = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not done:
            width, height = frame.size_wh
            raise SinkError(f"a picture of {width} x {height} pixels cannot be kept as JPEG")
        return cls(frame.image.shape, data.tobytes())

    def blank(self) -> Image:
        """A black picture of this shape that takes no memory."""
        return np.broadcast_to(np.zeros((), np.uint8), self.shape)

    def picture(self) -> Image:
        """(H, W, 3) uint8 BGR."""
        if self.jpeg is None:
            return self.blank()
        return np.asarray(cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
