"""What a stream's worker reports: events and tracks, frames for the page, and figures on how it is doing."""

import datetime as dt
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from pydantic import JsonValue

from pipelines.event_json import STORED, event_object, parse_event
from pipelines.results import end_reason, networks_object, persons
from pipelines.types import Event, FrameResult, NetworksUsed
from service.protocol.facts import ActionReport, StateChanged, StreamFact, TrackEnded, TrackStarted, WatchState
from service.protocol.messages import Fact, FrameResults, Sample, StreamTask
from service.protocol.metrics import ACTIONS, EVENT_LATENCY, FRAMES, PERSONS_SKIPPED, QUEUE_WAIT, STAGE_TIME
from service.worker.channel import Channel

_Series: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
_LATENCIES = 900
_DECIDE = ("window", "smooth", "label", "events")


@dataclass(slots=True)
class LiveFigures:
    """Counts since the stream began; rates and latencies cover roughly the last minute."""

    frames: int = 0
    tracks: set[int] = field(default_factory=set)
    frame_size: tuple[int, int] | None = None
    last_frame_s: float | None = None
    stage_ms: dict[str, float] = field(default_factory=dict)
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))

    def percentile(self, share: float) -> float | None:
        """A latency in milliseconds; None before the first frame."""
        if not self.latencies_ms:
            return None
        ordered = sorted(self.latencies_ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    def rate_hz(self, now_s: float, window_s: float = 5.0) -> float:
        """Frames analysed per second, over the last seconds."""
        recent = sum(1 for time_s in self.times_s if now_s - time_s < window_s)
        return round(recent / window_s, 2)


@dataclass(frozen=True, slots=True)
class FrameReport:
    """What was reported of one frame.

    actions: the events that changed, in the order in which they did.
    people: everyone in the frame, as clients see them.
    """

    actions: tuple[ActionReport, ...]
    people: list[JsonValue]


class Reporter:
    """Reports one stream to the supervisor; track numbers continue where an earlier worker stopped.

    has_evidence: whether evidence is kept of an action, by its name.
    clock: monotonic seconds, the one that stamps frames.  wall: seconds since 1970.
    """

    def __init__(
        self, task: StreamTask, channel: Channel, networks: NetworksUsed, has_evidence: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._task = task
        self._channel = channel
        self._model = networks.action.name
        self._networks = networks_object(networks)
        self._has_evidence = has_evidence
        self._clock = clock
        self._wall = wall
        self._first_track_id = int(str(task.config.get("first_track_id", 1)))
        self._told: set[str] = set()
        self._epoch_s: float | None = None
        self._counted: dict[_Series, tuple[Sample, list[float]]] = {}
        self.figures = LiveFigures()

    def frame(self, result: FrameResult, began_s: float) -> FrameReport:
        """Report a frame and everything that changed with it."""
        now_s = self._clock()
        arrived_s = result.frame.wall_s if result.frame.wall_s is not None else began_s
        self._epoch_s = self._wall() - (now_s - arrived_s) - result.frame.time_s
        latency = _latency(result, arrived_s, began_s, now_s)
        self._count(result, latency, now_s)
        self._tracks(result)
        actions = tuple(self._action(event, result, latency) for event in result.events)
        people = self.persons(result)
        self._channel.offer(
            FrameResults(
                self._task.task_id, self._task.generation, result.frame.index, result.frame.time_s,
                {
                    "frame_size": list(result.frame.size_wh), "layout": result.poses.layout, "persons": people,
                    "latency_ms": {name: round(ms, 1) for name, ms in latency.items()},
                },
            )
        )  # fmt: skip
        return FrameReport(actions, people)

    def finish(self, events: tuple[Event, ...]) -> None:
        """Report what the end of the stream closed."""
        for event in events:
            self._action(event, None, {})
        self._lose_tracks()
        self.flush()

    def state(self, state: WatchState, code: str | None, message: str | None) -> None:
        """Report that the source's state changed."""
        self.deliver(StateChanged(state, code, message, self.figures.last_frame_s))

    def deliver(self, fact: StreamFact) -> None:
        """Report something that must not be lost; raises TimeoutError when nobody accepts it."""
        task = self._task
        self._channel.deliver(lambda delivery_id: Fact(delivery_id, task.task_id, task.generation, fact))

    def persons(self, result: FrameResult) -> list[JsonValue]:
        """Everyone in a frame, with the numbers that clients see."""
        found: list[JsonValue] = []
        for person in persons(result.poses, result.states):
            known = {"track_id": person["track_id"], "partner": person.get("partner")}
            numbers = {name: self.track_id(int(str(n))) for name, n in known.items() if n is not None}
            found.append(cast("dict[str, JsonValue]", {**person, **numbers}))
        return found

    def track_id(self, number: int) -> int:
        """The number that clients see."""
        return self._first_track_id + number - 1

    def silence(self, events: tuple[Event, ...]) -> FrameReport:
        """Report what ended because no more pictures arrive; the stream goes on."""
        actions = tuple(self._action(event, None, {}) for event in events)
        self._lose_tracks()
        return FrameReport(actions, [])

    def measure(self, sample: Sample) -> None:
        """Record a measurement; the next `flush` sends it."""
        _, values = self._counted.setdefault((sample.metric, tuple(sample.labels.items())), (sample, []))
        if sample.action == "observe":
            values.extend(sample.values)
        else:
            values[:] = [sum(sample.values) + sum(values) if sample.action == "add" else sample.values[-1]]

    def flush(self) -> None:
        """Send what was recorded; once a second, because a message per frame, stage and stream would be too many."""
        counted, self._counted = self._counted, {}
        for first, values in counted.values():
            self._channel.measure(replace(first, values=tuple(values)))

    def _tracks(self, result: FrameResult) -> None:
        seen = {self.track_id(int(number)) for number in result.poses.track_id}
        at = _utc(self._wall())
        for track_id in sorted(seen - self.figures.tracks):
            self.deliver(TrackStarted(track_id, at))
        self.figures.tracks |= seen
        for number, reason in result.poses.ended:
            track_id = self.track_id(number)
            if track_id in self.figures.tracks:
                self.figures.tracks.discard(track_id)
                told, broken_by = end_reason(reason)
                self.deliver(TrackEnded(track_id, at, told, broken_by))

    def _lose_tracks(self) -> None:
        for track_id in sorted(self.figures.tracks):
            self.deliver(TrackEnded(track_id, _utc(self._wall()), "lost"))
        self.figures.tracks.clear()

    def _action(self, event: Event, result: FrameResult | None, latency: dict[str, float]) -> ActionReport:
        epoch_s = self._epoch_s or 0.0
        report = ActionReport(
            self._numbered(event), self._is_first(event), _utc(epoch_s + event.start_s), _utc(epoch_s + event.end_s),
            self.figures.frame_size or (1, 1), self._has_evidence(event.action), self._model,
            {key: round(ms, 1) for key, ms in latency.items()}, None if result is None else result.frame.index,
            self._networks,
        )  # fmt: skip
        self.deliver(report)
        self.measure(ACTIONS.add(action=event.action, state=event.state))
        if report.name == "action.started" and latency:
            self.measure(EVENT_LATENCY.observe(latency["total"] / 1000))
        return report

    def _numbered(self, event: Event) -> Event:
        """The event as it is stored, its track under the number that clients see."""
        partner = None if event.partner is None else self.track_id(event.partner)
        rounded = parse_event(event_object(event, STORED))
        return replace(rounded, track_id=self.track_id(event.track_id), partner=partner)

    def _is_first(self, event: Event) -> bool:
        """Whether a confirmed event was not told as confirmed before; notes that it was, until it is over."""
        is_first = event.event_id not in self._told
        if event.state == "confirmed":
            self._told.add(event.event_id)
        elif event.state in ("ended", "retracted"):
            self._told.discard(event.event_id)
        return is_first

    def _count(self, result: FrameResult, latency: dict[str, float], now_s: float) -> None:
        figures, stream = self.figures, self._task.task_id
        figures.frames += 1
        figures.frame_size = result.frame.size_wh
        figures.last_frame_s = result.frame.time_s
        figures.latencies_ms.append(latency["total"])
        figures.times_s.append(now_s)
        for stage, ms in result.latency_ms.items():
            figures.stage_ms[stage] = 0.95 * figures.stage_ms.get(stage, ms) + 0.05 * ms
            self.measure(STAGE_TIME.observe(ms / 1000, stage=stage))
        self.measure(QUEUE_WAIT.observe(latency["queue"] / 1000, stage="buffer"))
        self.measure(FRAMES.add(stream=stream, stage="analysed"))
        for reason, number in _skipped(result).items():
            self.measure(PERSONS_SKIPPED.add(number, reason=reason))


def _skipped(result: FrameResult) -> Counter[str]:
    """Reason → people in this frame who were not judged."""
    judged = (state for state in result.states if state.status == "not_assessable")
    found: Counter[str] = Counter(str(state.reason) for state in judged if state.reason is not None)
    found["budget"] = result.poses.skipped
    return +found


def _latency(result: FrameResult, arrived_s: float, began_s: float, now_s: float) -> dict[str, float]:
    """Where the time went, in milliseconds; decoding happens before a frame is stamped, so it is not known here."""
    decide = sum(result.latency_ms.get(stage, 0.0) for stage in _DECIDE)
    whole = sum(result.latency_ms.values())
    return {
        "queue": 1000 * max(0.0, began_s - arrived_s),
        "infer": whole - decide,
        "decide": decide,
        "total": 1000 * max(0.0, now_s - arrived_s),
    }


def _utc(seconds: float) -> dt.datetime:
    """A time in whole milliseconds, which is how all times are stored and told."""
    exact = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)
