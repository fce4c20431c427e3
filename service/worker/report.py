"""What a stream's worker says: facts of actions and tracks, frames for the page, figures of how it goes."""

import datetime as dt
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from pydantic import JsonValue

from pipelines.results import end_reason, persons
from pipelines.types import Event, FrameResult
from service.protocol.messages import Fact, FrameResults, Sample, StreamTask, Values
from service.worker.channel import Channel

Change: TypeAlias = Literal["add", "set", "observe"]
_Series: TypeAlias = tuple[str, Change, tuple[tuple[str, str], ...]]
_LATENCIES = 900
_DECIDE = ("window", "events")


@dataclass(slots=True)
class LiveFigures:
    """What happened since the stream began; the last minute or so for rates and latencies."""

    frames: int = 0
    tracks: set[int] = field(default_factory=set)
    frame_size: tuple[int, int] | None = None
    last_frame_s: float | None = None
    stage_ms: dict[str, float] = field(default_factory=dict)
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))

    def percentile(self, share: float) -> float | None:
        """A latency, milliseconds; None before the first frame."""
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
    """What was told of one frame.

    actions: (type of the message, event) in the order in which they changed.
    people: everyone in the frame, as clients see them.
    """

    actions: tuple[tuple[str, Event], ...]
    people: list[JsonValue]


class Reporter:
    """One stream's words to the supervisor; numbers of tracks go on where an earlier worker stopped.

    clock: monotonic seconds, the one that stamps frames.  wall: seconds since 1970.
    """

    def __init__(
        self, task: StreamTask, channel: Channel, model: str, clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._task = task
        self._channel = channel
        self._model = model
        self._clock = clock
        self._wall = wall
        self._first_track_id = int(str(task.config.get("first_track_id", 1)))
        self._told: set[str] = set()
        self._epoch_s: float | None = None
        self._counted: dict[_Series, list[float]] = {}
        self.figures = LiveFigures()

    def frame(self, result: FrameResult, began_s: float) -> "FrameReport":
        """Tell of a frame and of everything that changed with it."""
        now_s = self._clock()
        arrived_s = result.frame.wall_s if result.frame.wall_s is not None else began_s
        self._epoch_s = self._wall() - (now_s - arrived_s) - result.frame.time_s
        latency = _latency(result, arrived_s, began_s, now_s)
        self._count(result, latency, now_s)
        self._tracks(result)
        actions = tuple((self._action(event, result, latency), event) for event in result.events)
        people = self.persons(result)
        self._channel.offer(
            FrameResults(
                self._task.task_id, self._task.generation, result.frame.index, result.frame.time_s,
                {
                    "frame_size": list(result.frame.size_wh), "layout": "coco17", "persons": people,
                    "latency_ms": {name: round(ms, 1) for name, ms in latency.items()},
                },
            )
        )  # fmt: skip
        return FrameReport(actions, people)

    def finish(self, events: tuple[Event, ...]) -> None:
        """Tell what the end of the stream closed."""
        for event in events:
            self._action(event, None, {})
        self._lose_tracks()
        self.flush()

    def state(self, state: str, code: str | None, message: str | None) -> None:
        """Tell that the source's state changed."""
        data: Values = {"state": state, "code": code, "message": message}
        self._fact("stream.state_changed", data, self.figures.last_frame_s)

    def clip(self, event_id: str, facts: Values, *, is_ready: bool) -> None:
        """Tell that the evidence of an event is there, or never will be."""
        self._fact("clip.ready" if is_ready else "clip.failed", {"event_id": event_id, **facts})

    def persons(self, result: FrameResult) -> list[JsonValue]:
        """Everyone in a frame, with the numbers that clients see."""
        found: list[JsonValue] = []
        for person in persons(result.poses, result.states):
            number = self.track_id(int(str(person["track_id"])))
            found.append(cast("dict[str, JsonValue]", {**person, "track_id": number}))
        return found

    def track_id(self, number: int) -> int:
        """The number that clients see."""
        return self._first_track_id + number - 1

    def silence(self, events: tuple[Event, ...]) -> "FrameReport":
        """Tell what ended because no pictures come any more; the stream goes on."""
        actions = tuple((self._action(event, None, {}), event) for event in events)
        self._lose_tracks()
        return FrameReport(actions, [])

    def measure(self, metric: str, change: Change, value: float, **labels: str) -> None:
        """Count something; it is told with the next `flush`."""
        values = self._counted.setdefault((metric, change, tuple(labels.items())), [])
        if change == "observe":
            values.append(value)
        else:
            values[:] = [value + sum(values) if change == "add" else value]

    def flush(self) -> None:
        """Pass on what was counted: once a second, because many streams times many stages times frames is much."""
        counted, self._counted = self._counted, {}
        for (metric, change, labels), values in counted.items():
            self._channel.measure(Sample(metric, change, tuple(values), dict(labels)))

    def _tracks(self, result: FrameResult) -> None:
        seen = {self.track_id(int(number)) for number in result.poses.track_id}
        at = _rfc3339(self._wall())
        for track_id in sorted(seen - self.figures.tracks):
            self._fact("track.started", {"track_id": track_id, "time": at}, result.frame.time_s)
        self.figures.tracks |= seen
        for number, reason in result.poses.ended:
            track_id = self.track_id(number)
            if track_id in self.figures.tracks:
                self.figures.tracks.discard(track_id)
                told, cut = end_reason(reason)
                data: Values = {"track_id": track_id, "reason": told, "time": at, **({"break": cut} if cut else {})}
                self._fact("track.ended", data, result.frame.time_s)

    def _lose_tracks(self) -> None:
        for track_id in sorted(self.figures.tracks):
            self._fact("track.ended", {"track_id": track_id, "reason": "lost", "time": _rfc3339(self._wall())})
        self.figures.tracks.clear()

    def _action(self, event: Event, result: FrameResult | None, latency: dict[str, float]) -> str:
        name = self._name(event)
        size = self.figures.frame_size or (1, 1)
        epoch_s = self._epoch_s or 0.0
        box: JsonValue = None
        if event.xyxy is not None:
            box = [round(value / side, 5) for value, side in zip(event.xyxy, (*size, *size), strict=True)]
        data: Values = {
            "event_id": event.event_id, "track_id": self.track_id(event.track_id), "action": event.action,
            "score": round(event.score, 4), "start_s": event.start_s, "end_s": event.end_s,
            "start_time": _rfc3339(epoch_s + event.start_s), "end_time": _rfc3339(epoch_s + event.end_s),
            "frame_size": list(size), "box": box, "model": self._model,
            "latency_ms": {key: round(ms, 1) for key, ms in latency.items()},
            "frame_index": None if result is None else result.frame.index,
        }  # fmt: skip
        self._fact(name, data, event.end_s)
        self.measure("actions_total", "add", 1.0, action=event.action, state=event.state)
        if name == "action.started" and latency:
            self.measure("event_latency_seconds", "observe", latency["total"] / 1000)
        return name

    def _name(self, event: Event) -> str:
        if event.state == "confirmed":
            is_first = event.event_id not in self._told
            self._told.add(event.event_id)
            return "action.started" if is_first else "action.updated"
        if event.state in ("ended", "retracted"):
            self._told.discard(event.event_id)
        return f"action.{event.state}"

    def _fact(self, name: str, data: Values, media_time_s: float | None = None) -> None:
        task = self._task
        index = self.figures.frames - 1 if self.figures.frames else None
        self._channel.deliver(
            lambda delivery_id: Fact(delivery_id, task.task_id, task.generation, name, media_time_s, index, data)
        )

    def _count(self, result: FrameResult, latency: dict[str, float], now_s: float) -> None:
        figures, stream = self.figures, self._task.task_id
        figures.frames += 1
        figures.frame_size = result.frame.size_wh
        figures.last_frame_s = result.frame.time_s
        figures.latencies_ms.append(latency["total"])
        figures.times_s.append(now_s)
        for stage, ms in result.latency_ms.items():
            figures.stage_ms[stage] = 0.95 * figures.stage_ms.get(stage, ms) + 0.05 * ms
            self.measure("stage_seconds", "observe", ms / 1000, stage=stage)
        self.measure("queue_wait_seconds", "observe", latency["queue"] / 1000, stage="buffer")
        self.measure("frames_total", "add", 1.0, stream=stream, stage="analysed")


def _latency(result: FrameResult, arrived_s: float, began_s: float, now_s: float) -> dict[str, float]:
    """Where the time went, milliseconds; `decode` is before the frame's arrival is stamped and not known here."""
    decide = sum(result.latency_ms.get(stage, 0.0) for stage in _DECIDE)
    whole = sum(result.latency_ms.values())
    return {
        "queue": 1000 * max(0.0, began_s - arrived_s),
        "infer": whole - decide,
        "decide": decide,
        "total": 1000 * max(0.0, now_s - arrived_s),
    }


def _rfc3339(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
