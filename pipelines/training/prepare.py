"""Skeletons out of videos, made with the stream's own stages, so that training sees what serving will see."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.arrays import FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.stream.build import PeopleNetworks, build_people
from pipelines.stream.config import PipelineConfig
from pipelines.stream.file_names import printable
from pipelines.stream.sources.file import FileSource
from pipelines.training.formats.assemble import distinct
from pipelines.training.formats.recordings import Recording, below
from pipelines.training.skeletons import Annotation
from pipelines.types import Frame, Poses

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts"})
Share = Callable[[float], None]
"""Called with the share of a video that is done."""


@dataclass(frozen=True, slots=True)
class VideoJob:
    """One video to look at.

    min_s: shorter tracks are dropped. stop_s: nothing later is needed; None reads it to its end.
    """

    path: Path
    min_s: float = 1.0
    stop_s: float | None = None


@dataclass(slots=True)
class _Track:
    time_s: list[float] = field(default_factory=list)
    frame: list[int] = field(default_factory=list)
    keypoints: list[FloatArray] = field(default_factory=list)


def find_videos(inputs: Sequence[Path]) -> list[Recording]:
    """Video files among files and folders, each once, named by their paths below the folder that was given.

    Raises DatasetInvalid when there is none.
    """
    found: dict[Path, Recording] = {}
    for path in inputs:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inside:
            if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file():
                name = below(file, path) if path.is_dir() else file.stem
                found.setdefault(file.absolute(), Recording(file, printable(name)))
    if not found:
        raise DatasetInvalid(
            f"no video among {', '.join(map(str, inputs))} (endings {' '.join(sorted(VIDEO_SUFFIXES))})"
        )
    return distinct(list(found.values()))


def tracks_of(job: VideoJob, networks: PeopleNetworks, on_share: Share = lambda _: None) -> list[Annotation]:
    """One sequence per person who was followed for long enough, called by the number of the track, without a label.

    Raises SourceError where the video cannot be read.
    """
    people = build_people(networks, PipelineConfig())
    return list(_sequences(map(people, _frames(job, on_share)), job.min_s))


def _frames(job: VideoJob, on_share: Share) -> Iterator[Frame]:
    with closing(FileSource(job.path)) as source:
        duration_s = min(source.info.duration_s or 0.0, job.stop_s or float("inf"))
        for frame in source:
            if job.stop_s is not None and frame.time_s > job.stop_s:
                break
            on_share(min(frame.time_s / duration_s, 1.0) if duration_s else 0.0)
            yield frame


def _sequences(poses_of_frames: Iterable[Poses], min_s: float) -> Iterator[Annotation]:
    tracks: dict[int, _Track] = {}
    size_wh = (0, 0)
    for poses in poses_of_frames:
        size_wh = poses.size_wh
        for row, track_id in enumerate(poses.track_id.tolist()):
            track = tracks.setdefault(track_id, _Track())
            track.time_s.append(poses.time_s)
            track.frame.append(poses.frame_index)
            track.keypoints.append(poses.keypoints[row])
    for track_id, track in tracks.items():
        if len(track.frame) > 1 and track.time_s[-1] - track.time_s[0] >= min_s:
            yield _annotation(str(track_id), track, size_wh)


def _annotation(name: str, track: _Track, size_wh: tuple[int, int]) -> Annotation:
    """One sequence without holes: frames in which the person was not seen have score 0."""
    first, last = track.frame[0], track.frame[-1]
    joints = np.stack(track.keypoints)
    keypoint = np.zeros((1, last - first + 1, joints.shape[1], 2), np.float32)
    score = np.zeros(keypoint.shape[:3], np.float32)
    rows = np.array(track.frame) - first
    keypoint[0, rows], score[0, rows] = joints[..., :2], joints[..., 2]
    time_s = np.interp(np.arange(last - first + 1), rows, track.time_s)
    rate_hz = (len(time_s) - 1) / (time_s[-1] - time_s[0])
    extra = {"rate_hz": round(float(rate_hz), 3), "time_s": time_s.astype(np.float32), "first_frame": first}
    return Annotation(name, -1, keypoint, score, (size_wh[1], size_wh[0]), extra)
