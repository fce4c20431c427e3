"""Event stage: labels become events through a small state machine per person and action.

provisional → confirmed → ended, or retracted. A window's answer belongs to the middle of the window, so an event begins
half a window before the tick that raised it, and no earlier than the person or the event before it.
One person does one thing at a time; only alarms, such as a fall, are followed whatever else is seen.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from models.runtime.contract import ActionRule
from pipelines.stream.config import EventConfig
from pipelines.types import ActionScores, Event, EventState, Poses

_EPSILON_S = 1e-6
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class EventDating:
    """How far a smoothed answer lags behind what it speaks of.

    window_s:  length of a window, seconds.
    smooth_s:  what the mean over windows adds, seconds.
    """

    window_s: float
    smooth_s: float


@dataclass(slots=True)
class _Run:
    """One action of one person while it goes on."""

    action: str
    onset_s: float
    start_s: float
    state: EventState = "provisional"
    evidence_s: float = 0.0
    announced_s: float | None = None
    score: float = 0.0
    is_paused: bool = False


@dataclass(slots=True)
class _Person:
    first_s: float
    last_s: float
    box: Box
    judged_s: float | None = None
    closed_s: float = 0.0
    partner: int | None = None
    runs: dict[str, _Run] = field(default_factory=dict)


class EventStage:
    """Keeps the open events of every person; the same windows give the same events, with the same ids."""

    def __init__(
        self,
        source_id: str,
        labels: Sequence[str],
        rules: Mapping[str, ActionRule],
        config: EventConfig,
        dating: EventDating,
    ) -> None:
        self._source_id = source_id
        self._labels = tuple(labels)
        self._rules = rules
        self._config = config
        self._dating = dating
        self._people: dict[int, _Person] = {}

    def __call__(self, poses: Poses, scores: tuple[ActionScores, ...]) -> tuple[Event, ...]:
        """The events that changed with this frame, in the order in which they changed."""
        self._see(poses)
        changed: list[Event] = []
        for item in scores:
            if item.track_id in self._people:
                changed.extend(self._advance(item))
        for track_id in self._gone(poses):
            changed.extend(self._close(track_id))
        return tuple(changed)

    def finish(self) -> tuple[Event, ...]:
        """Close everything: the source has no more frames."""
        return tuple(event for track_id in list(self._people) for event in self._close(track_id))

    def _see(self, poses: Poses) -> None:
        width, height = poses.size_wh
        for track_id, xyxy in zip(poses.track_id, poses.xyxy, strict=True):
            left, top, right, bottom = (float(value) for value in xyxy)
            person = self._people.setdefault(int(track_id), _Person(poses.time_s, poses.time_s, (0, 0, 0, 0)))
            person.last_s = poses.time_s
            person.box = (left / width, top / height, right / width, bottom / height)

    def _gone(self, poses: Poses) -> list[int]:
        """Tracks that ended, and those that nobody ended but that were out of sight for too long."""
        horizon_s = poses.time_s - max(self._config.freeze_s, 2.0)
        lost = [track_id for track_id, person in self._people.items() if person.last_s < horizon_s]
        ended = [track_id for track_id, _ in poses.ended if track_id in self._people]
        return [*ended, *(track_id for track_id in lost if track_id not in ended)]

    def _advance(self, item: ActionScores) -> Iterator[Event]:
        """One smoothed answer through every state machine of its person."""
        person = self._people[item.track_id]
        if item.status in ("warming_up", "not_assessable"):
            yield from self._freeze(item, person)
            return
        person.partner = item.partner
        score_of = {
            name: float(p) for name, p in zip(self._labels, item.probabilities, strict=True) if name in self._rules
        }
        for action in self._rules:
            yield from self._step(item, person, action, score_of)
        person.judged_s = item.time_s
        yield from self._exclude(item, person, score_of)

    def _freeze(self, item: ActionScores, person: _Person) -> Iterator[Event]:
        """Nothing moves while a person cannot be judged, until that has lasted too long."""
        for run in list(person.runs.values()):
            if item.time_s - run.evidence_s > self._config.freeze_s:
                yield self._stop(item.track_id, person, run, self._middle(person, run.evidence_s))

    def _step(self, item: ActionScores, person: _Person, action: str, score_of: Mapping[str, float]) -> Iterator[Event]:
        rule, run, score = self._rules[action], person.runs.get(action), score_of.get(action, 0.0)
        if run is None:
            if score < rule.threshold or (self._is_exclusive(action) and score < max(score_of.values())):
                return
            run = person.runs[action] = self._begin(item.time_s, person, action)
        if score >= (rule.threshold if run.is_paused else rule.offset_threshold):
            yield from self._continue(item, person, run, score)
        elif run.state == "provisional" or item.time_s - run.evidence_s > rule.merge_gap_s + _EPSILON_S:
            yield self._stop(item.track_id, person, run, self._middle(person, run.evidence_s))
        else:
            run.is_paused = True

    def _begin(self, time_s: float, person: _Person, action: str) -> _Run:
        """A new run; what the person's first window shows has lasted since the person came."""
        start_s = person.first_s if person.judged_s is None else self._middle(person, time_s)
        return _Run(action, time_s, max(start_s, person.closed_s) if self._is_exclusive(action) else start_s)

    def _continue(self, item: ActionScores, person: _Person, run: _Run, score: float) -> Iterator[Event]:
        run.evidence_s, run.is_paused, run.score = item.time_s, False, max(run.score, score)
        is_sure = item.time_s - run.onset_s >= self._rules[run.action].min_duration_s - _EPSILON_S
        if run.state == "provisional" and is_sure:
            run.state = "confirmed"
        elif run.announced_s is not None and item.time_s - run.announced_s < self._config.update_s - _EPSILON_S:
            return
        run.announced_s = item.time_s
        yield self._event(item.track_id, person, run, person.last_s)

    def _exclude(self, item: ActionScores, person: _Person, score_of: Mapping[str, float]) -> Iterator[Event]:
        """Of several confirmed actions the strongest goes on, and the others end where it began."""
        rivals = [r for r in person.runs.values() if r.state == "confirmed" and self._is_exclusive(r.action)]
        winner = max(rivals, key=lambda run: score_of[run.action], default=None)
        for run in rivals:
            if winner is not None and run is not winner:
                end_s = self._middle(person, run.evidence_s)
                end_s = min(end_s, winner.start_s) if winner.start_s > run.start_s else end_s
                yield self._stop(item.track_id, person, run, end_s)

    def _is_exclusive(self, action: str) -> bool:
        return self._rules[action].severity != "alarm"

    def _close(self, track_id: int) -> Iterator[Event]:
        """The person is gone: what still went on at the last answer lasted until then."""
        person = self._people.pop(track_id)
        for run in list(person.runs.values()):
            went_on = run.evidence_s == person.judged_s
            yield self._stop(track_id, person, run, person.last_s if went_on else self._middle(person, run.evidence_s))

    def _stop(self, track_id: int, person: _Person, run: _Run, end_s: float) -> Event:
        """Take a run off its person and say how it ended."""
        del person.runs[run.action]
        run.state = "ended" if run.state == "confirmed" else "retracted"
        end_s = max(end_s, run.start_s)
        if run.state == "ended" and self._is_exclusive(run.action):
            person.closed_s = max(person.closed_s, end_s)
        return self._event(track_id, person, run, end_s)

    def _middle(self, person: _Person, time_s: float) -> float:
        """The middle of what an answer at `time_s` was taken from."""
        begin_s = max(person.first_s, time_s - self._dating.window_s)
        return max((begin_s + time_s) / 2 - self._dating.smooth_s, person.first_s)

    def _event(self, track_id: int, person: _Person, run: _Run, end_s: float) -> Event:
        name = f"{self._source_id}|{track_id}|{run.action}|{round(run.onset_s * 1000)}"
        event_id = hashlib.sha256(name.encode()).hexdigest()[:24]
        return Event(
            event_id, track_id, run.action, run.state, run.start_s, end_s, run.score, person.box, person.partner
        )
