"""What an analysis says, as values and as the JSON objects of docs/results.md: one form for files, jobs and streams."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import JsonValue

from pipelines.event_json import FILE, event_object
from pipelines.exercises.repetitions import Repetitions
from pipelines.orientation import Rotation
from pipelines.types import (
    ActionState,
    BreakEnd,
    BreakReason,
    Event,
    EventState,
    Frame,
    FrameResult,
    NetworkId,
    NetworksUsed,
    Poses,
    ToldEnd,
    TrackEnd,
)

VERSION = 1
"""Version of the object shapes; raised when a reader of the old ones would misread the new ones."""

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Header:
    """What is known before the first frame.

    source: name of the video, without its folder. size_wh: pixels. model, labels: of the action model.
    layout: of the joints.
    duration_s: declared length, None where nothing is declared.
    networks: which made the results; None where nobody said.
    """

    source: str
    duration_s: float | None
    size_wh: tuple[int, int]
    model: str
    layout: str
    labels: tuple[str, ...]
    networks: NetworksUsed | None = None


@dataclass(frozen=True, slots=True)
class ActionSpan:
    """One action of one person; media seconds, score 0..1."""

    action: str
    start_s: float
    end_s: float
    score: float
    state: EventState


@dataclass(frozen=True, slots=True)
class PersonTimeline:
    """One person from first to last sighting, and what they did, in order of time."""

    track_id: int
    start_s: float
    end_s: float
    actions: tuple[ActionSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class RunStats:
    """What an analysis took.

    frames: pictures read, each with a result. analysed: those that went through the networks; joints in the others are
    interpolated. fps: frames per second of wall time. stage_ms: mean milliseconds per analysed frame and stage.
    label_flips: shown actions that were replaced by another one. peak_rss_bytes: most memory the process ever held.
    camera_moved: analysed pictures in which the camera moved too much to judge somebody. rotate_deg: by how much the
    picture should be turned clockwise so that people stand; 0 where they do.
    corrupt: pictures that could not be decoded. out_of_order: those whose time was not after the one before.
    skipped_rate: those left out because more came than are read per second. breaks: frames that do not follow on the
    one before, by reason. is_truncated: the file ended before what it declares. slow_motion: how many times slower than
    life the file says that it plays; None where it says nothing.
    """

    frames: int
    seconds: float
    fps: float
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    label_flips: int = 0
    peak_rss_bytes: int = 0
    corrupt: int = 0
    is_truncated: bool = False
    analysed: int = 0
    out_of_order: int = 0
    skipped_rate: int = 0
    breaks: Mapping[BreakReason, int] = field(default_factory=dict)
    slow_motion: float | None = None
    camera_moved: int = 0
    rotate_deg: Rotation = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole analysis; `duration_s` is the declared length, else the last frame's time.

    exercises: track → what was counted of each exercise that was asked for.
    """

    header: Header
    duration_s: float
    tracks: tuple[PersonTimeline, ...]
    stats: RunStats
    exercises: Mapping[int, tuple[Repetitions, ...]] = field(default_factory=dict)

    def numbered(self) -> Iterator[tuple[int, PersonTimeline]]:
        """Everyone with the number under which they are shown: 1, 2, 3 in order of appearance."""
        return enumerate(self.tracks, 1)


def header_object(header: Header) -> JsonObject:
    """The first line of a results file."""
    return {
        "type": "source",
        "v": VERSION,
        "source": header.source,
        "duration_s": _seconds(header.duration_s),
        "frame_size": list(header.size_wh),
        "model": header.model,
        "layout": header.layout,
        "labels": list(header.labels),
        **_networks(header),
    }


def frame_object(result: FrameResult) -> JsonObject:
    """One frame's line: everyone in it."""
    return {
        "type": "frame",
        "frame_index": result.frame.index,
        "media_time_s": _seconds(result.frame.time_s),
        "interpolated": result.is_interpolated,
        "persons": persons(result.poses, result.states),
    }


def persons(poses: Poses, states: Sequence[ActionState]) -> list[JsonObject]:
    """Everyone in a frame, boxes and joints as shares of the frame; joints may lie outside 0..1."""
    if not len(poses):
        return []
    scale = np.array(poses.size_wh, np.float64)
    boxes = np.round(poses.xyxy / np.tile(scale, 2), 4).tolist()
    joints = poses.keypoints.astype(np.float64)
    joints = np.concatenate([np.round(joints[..., :2] / scale, 4), np.round(joints[..., 2:], 2)], axis=2).tolist()
    return [
        {
            "track_id": state.track_id,
            "box": box,
            "keypoints": points,
            "action": state.action,
            "score": round(state.score, 3),
            "status": state.status,
            "reason": state.reason,
            **({} if state.partner is None else {"partner": state.partner}),
        }
        for state, box, points in zip(states, boxes, joints, strict=True)
    ]


def action_object(event: Event, media_time_s: float, frame_index: int) -> JsonObject:
    """An event as it stood at one frame; a later object with the same `event_id` replaces it."""
    return {
        "type": "action",
        **event_object(event, FILE),
        "media_time_s": _seconds(media_time_s),
        "frame_index": frame_index,
    }


def break_object(frame: Frame) -> JsonObject | None:
    """Where the frames before and this one have nothing to do with each other, and why; None where they have."""
    if frame.break_reason is None:
        return None
    return {
        "type": "break",
        "reason": frame.break_reason,
        "media_time_s": _seconds(frame.time_s),
        "frame_index": frame.index,
        "frame_size": list(frame.size_wh),
    }


def end_reason(reason: TrackEnd) -> tuple[ToldEnd, BreakEnd | None]:
    """Why a track ended, as clients know it (`left`, `lost`, `merged`), and the kind of break where one ended it."""
    if reason == "scene_cut" or reason == "gap":
        return "lost", reason
    return reason, None


def track_object(track_id: int, reason: TrackEnd, media_time_s: float, frame_index: int) -> JsonObject:
    """A person who is no longer followed, and why."""
    told, cut = end_reason(reason)
    return {
        "type": "track",
        "track_id": track_id,
        "state": "ended",
        "reason": told,
        **({"break": cut} if cut else {}),
        "media_time_s": _seconds(media_time_s),
        "frame_index": frame_index,
    }


def summary_object(summary: Summary) -> JsonObject:
    """The whole result as one object: `--format json`, and the last line of a results file."""
    header, stats = summary.header, summary.stats
    return {
        "source": header.source,
        "duration_s": _seconds(summary.duration_s),
        "frame_size": list(header.size_wh),
        "model": header.model,
        "layout": header.layout,
        **_networks(header),
        "tracks": [
            {**_track(number, track), **_exercises(summary.exercises.get(track.track_id, ()))}
            for number, track in summary.numbered()
        ],
        "stats": {
            "frames": stats.frames,
            "analysed": stats.analysed,
            "seconds": round(stats.seconds, 3),
            "fps": round(stats.fps, 2),
            "stage_ms": {name: round(value, 3) for name, value in stats.stage_ms.items()},
            "label_flips": stats.label_flips,
            "peak_rss_bytes": stats.peak_rss_bytes,
            "camera_moved": stats.camera_moved,
            "rotate_deg": stats.rotate_deg,
            "corrupt": stats.corrupt,
            "out_of_order": stats.out_of_order,
            "skipped_rate": stats.skipped_rate,
            "breaks": dict(stats.breaks),
            "slow_motion": stats.slow_motion,
            "is_truncated": stats.is_truncated,
        },
    }


def networks_object(used: NetworksUsed) -> dict[str, dict[str, str]]:
    """Which networks made a result: place → name and sha256, and where it is known engine and precision."""
    places = {"detector": used.detector, "pose": used.pose, "action": used.action}
    return {place: _network(one) for place, one in places.items()}


def networks_json(used: NetworksUsed | None) -> JsonValue:
    """The same as a value of JSON; null where nobody said which networks they were."""
    if used is None:
        return None
    return {place: {**one} for place, one in networks_object(used).items()}


def _network(one: NetworkId) -> dict[str, str]:
    told = {"name": one.name, "sha256": one.sha256}
    return {**told, "engine": one.engine, "precision": one.precision} if one.engine else told


def _networks(header: Header) -> JsonObject:
    return {} if header.networks is None else {"networks": networks_object(header.networks)}


def repetitions_object(found: Repetitions) -> JsonObject:
    """What was counted of one exercise of one person; `count` is null where it cannot be told."""
    return {
        "exercise": found.exercise,
        "status": found.status,
        "reason": found.reason,
        "count": found.count,
        "repetitions": [
            {
                "start_s": _seconds(one.start_s),
                "turn_s": _seconds(one.turn_s),
                "end_s": _seconds(one.end_s),
                "swing": one.swing,
            }
            for one in found.repetitions
        ],
    }


def _exercises(found: Sequence[Repetitions]) -> JsonObject:
    return {"exercises": [repetitions_object(one) for one in found]} if found else {}


def _track(number: int, track: PersonTimeline) -> JsonObject:
    return {
        "track_id": track.track_id,
        "number": number,
        "start_s": _seconds(track.start_s),
        "end_s": _seconds(track.end_s),
        "actions": [
            {
                "action": one.action,
                "start_s": _seconds(one.start_s),
                "end_s": _seconds(one.end_s),
                "score": round(one.score, 3),
                "state": one.state,
            }
            for one in track.actions
        ],
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
