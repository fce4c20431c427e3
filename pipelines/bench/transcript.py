"""What one analysis said of a clip, and how two of them differ."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.arrays import FloatArray
from pipelines.stream.people.boxes import overlap
from pipelines.types import Event, FrameResult

LATE_S = 1.5
"""A fall confirmed later than this after the ground is not found."""
_SAME_BOX = 0.5  # overlap (IoU) from which two boxes in one frame are one person

Labels = tuple[str, ...]


@dataclass(slots=True)
class Transcript:
    """What was said of one clip.

    boxes: per track, frame index → (4,) box. shown: per track, the labels shown, one after another.
    events: by id, in their last state. confirmed_s: by id, media seconds of the confirmation.
    steps: per frame, what was decided in it, by kind, in the order in which the stages decide.
    """

    boxes: dict[int, dict[int, FloatArray]] = field(default_factory=dict)
    shown: dict[int, list[str]] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    confirmed_s: dict[str, float] = field(default_factory=dict)
    steps: list[tuple[float, Mapping[str, object]]] = field(default_factory=list)

    def add(self, result: FrameResult) -> None:
        """Take one frame."""
        poses = result.poses
        for track_id, box in zip(poses.track_id.tolist(), poses.xyxy, strict=True):
            self.boxes.setdefault(track_id, {})[poses.frame_index] = box
        for state in result.states:
            shown = self.shown.setdefault(state.track_id, [])
            if state.action is not None and shown[-1:] != [state.action]:
                shown.append(state.action)
        self.add_events(result.events, poses.time_s)
        self.steps.append((poses.time_s, _decisions(result)))

    def add_events(self, events: Iterable[Event], time_s: float) -> None:
        """Take events that changed at `time_s`."""
        for event in events:
            self.events[event.event_id] = event
            if event.state == "confirmed":
                self.confirmed_s.setdefault(event.event_id, time_s)

    def announced(self, track_id: int) -> Labels:
        """The actions that were confirmed of one track, in order of their begin."""
        sure = [self.events[key] for key in self.confirmed_s if self.events[key].track_id == track_id]
        return tuple(event.action for event in sorted(sure, key=lambda event: (event.start_s, event.action)))

    def falls(self) -> list[tuple[float, float, float]]:
        """(start, end, confirmed) seconds of every confirmed fall."""
        keys = [key for key in self.confirmed_s if self.events[key].action == "fall"]
        return [(self.events[key].start_s, self.events[key].end_s, self.confirmed_s[key]) for key in keys]


@dataclass(frozen=True, slots=True)
class Difference:
    """How a second transcript differs from a first.

    events, labels: whether every person has the same sequence of announced actions, of shown labels.
    first: seconds and kind of the first decision that differs, None where none does.
    """

    events: bool
    labels: bool
    first: tuple[float, str] | None


def compare(one: Transcript, other: Transcript) -> Difference:
    """Hold two transcripts of one clip against each other, person by person."""
    pairs = match_people(one, other)
    rest_of_one = set(one.boxes) - {first for first, _ in pairs}
    rest_of_other = set(other.boxes) - {second for _, second in pairs}
    events = [(one.announced(first), other.announced(second)) for first, second in pairs]
    events += [(one.announced(track_id), ()) for track_id in rest_of_one]
    events += [((), other.announced(track_id)) for track_id in rest_of_other]
    labels = [(one.shown[first], other.shown[second]) for first, second in pairs]
    labels += [(one.shown[track_id], []) for track_id in rest_of_one]
    labels += [([], other.shown[track_id]) for track_id in rest_of_other]
    return Difference(all(a == b for a, b in events), all(a == b for a, b in labels), _first(one.steps, other.steps))


def match_people(one: Transcript, other: Transcript) -> list[tuple[int, int]]:
    """Pairs of tracks that are one person: those that share most frames first, each track once."""
    shared = [
        (sum(overlap(box, theirs[frame]) > _SAME_BOX for frame, box in mine.items() if frame in theirs), first, second)
        for first, mine in one.boxes.items()
        for second, theirs in other.boxes.items()
    ]
    pairs: list[tuple[int, int]] = []
    for count, first, second in sorted(shared, key=lambda item: (-item[0], item[1], item[2])):
        if count and first not in {a for a, _ in pairs} and second not in {b for _, b in pairs}:
            pairs.append((first, second))
    return pairs


def count_falls(transcript: Transcript, falls: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """How many of the falls were found in time, and how many were invented."""
    said, found = transcript.falls(), 0
    for lost_s, ground_s in falls:
        mine = [fall for fall in said if fall[0] <= ground_s + LATE_S and fall[1] >= lost_s - LATE_S]
        found += any(confirmed_s - ground_s <= LATE_S for _, _, confirmed_s in mine)
        said = [fall for fall in said if fall not in mine]
    return found, len(said)


def _decisions(result: FrameResult) -> dict[str, object]:
    """The discrete decisions of one frame; tracks by number."""
    poses = result.poses
    return {
        "tracks": poses.track_id.tolist(),
        "ended": poses.ended,
        "turn": [_quarter(points) for points in poses.keypoints],
        "reason": poses.reason,
        "window": [(score.track_id, score.status, score.reason) for score in result.scores],
        "shown": [(state.track_id, state.action) for state in result.states],
        "events": [(event.track_id, event.action, event.state) for event in result.events],
    }


def _quarter(keypoints: FloatArray) -> int:
    """Which way the torso points, in quarters of a turn."""
    torso = keypoints[[5, 6], :2].mean(axis=0) - keypoints[[11, 12], :2].mean(axis=0)
    return round(float(np.arctan2(torso[0], -torso[1])) / (np.pi / 2)) % 4


def _first(
    one: Sequence[tuple[float, Mapping[str, object]]], other: Sequence[tuple[float, Mapping[str, object]]]
) -> tuple[float, str] | None:
    for (time_s, mine), (_, theirs) in zip(one, other, strict=True):
        for kind, value in mine.items():
            if value != theirs[kind]:
                return time_s, kind
    return None
