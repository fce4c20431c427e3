"""Skeleton sets out of videos, made with the stream's own stages, so that training sees what serving will see."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from models.arrays import FloatArray
from models.skeleton.layouts import COCO17, layout_map, require_layout
from pipelines.errors import DatasetInvalid, SourceError
from pipelines.stream.build import PeopleNetworks, build_people
from pipelines.stream.config import PipelineConfig
from pipelines.stream.sources.file import FileSource
from pipelines.training.datasets import Annotation, SkeletonSet
from pipelines.types import Frame, Poses

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts"})
UNLABELLED = "unlabelled"


@dataclass(slots=True)
class _Track:
    time_s: list[float] = field(default_factory=list)
    frame: list[int] = field(default_factory=list)
    keypoints: list[FloatArray] = field(default_factory=list)


def find_videos(inputs: Sequence[Path]) -> list[Path]:
    """Video files among files and folders, sorted; raises DatasetInvalid when there is none."""
    found: list[Path] = []
    for path in inputs:
        inside = path.rglob("*") if path.is_dir() else [path]
        found += [file for file in inside if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file()]
    if not found:
        raise DatasetInvalid(
            f"no video among {', '.join(map(str, inputs))} (endings {' '.join(sorted(VIDEO_SUFFIXES))})"
        )
    return sorted({file.absolute(): file for file in found}.values())


def unique_names(videos: Sequence[Path]) -> list[str]:
    """A name for each video: its own, with its ending and with folders before it where others are called the same."""
    names = [path.stem for path in videos]
    for depth in range(max((len(path.absolute().parts) for path in videos), default=0)):
        for has_ending in (False, True):
            uses = Counter(names)
            if len(uses) == len(names):
                return names
            names = [
                name if uses[name] == 1 else _longer_name(path, depth, has_ending)
                for name, path in zip(names, videos, strict=True)
            ]
    return names


def _longer_name(path: Path, depth: int, has_ending: bool) -> str:
    folders = path.absolute().parts[-depth - 1 : -1]
    return "/".join((*folders, path.name if has_ending else path.stem))


def prepare(
    videos: Sequence[Path],
    networks: PeopleNetworks,
    name: str,
    min_seconds: float = 1.0,
    by_folder: bool = False,
    on_frame: Callable[[int, float], None] = lambda _index, _share: None,
    on_refused: Callable[[Path, str], None] = lambda _path, _why: None,
) -> SkeletonSet:
    """A set with one sequence per person of each video; a video that cannot be read is reported and left out.

    min_seconds: shorter tracks are dropped. by_folder: the class is the name of the folder that holds the video.
    on_frame: called with the video's index and the share of it that is done.
    """
    classes = tuple(sorted({path.parent.name for path in videos})) if by_folder else (UNLABELLED,)
    annotations: list[Annotation] = []
    names = unique_names(videos)
    for index, path in enumerate(videos):
        label = classes.index(path.parent.name) if by_folder else -1
        try:
            frames = _counted(path, partial(on_frame, index))
            people = build_people(networks, PipelineConfig())
            annotations += _sequences(names[index], map(people, frames), label, min_seconds)
        except SourceError as refused:
            on_refused(path, str(refused))
    rates = [float(str(annotation.extra["rate_hz"])) for annotation in annotations]
    return SkeletonSet(
        name=name,
        classes=classes,
        splits={"all": tuple(item.name for item in annotations)},
        annotations=tuple(annotations),
        to_coco17=layout_map(require_layout(networks.pose.layout), COCO17),
        rate_hz=float(np.median(rates)) if rates else None,
        meta={"dim": 2, "units": "pixel", "source": "videos, by actogram prepare"},
    )


def _counted(path: Path, on_share: Callable[[float], None]) -> Iterator[Frame]:
    with closing(FileSource(path)) as source:
        duration_s = source.info.duration_s
        for frame in source:
            on_share(min(frame.time_s / duration_s, 1.0) if duration_s else 0.0)
            yield frame


def _sequences(video: str, poses_of_frames: Iterable[Poses], label: int, min_seconds: float) -> Iterator[Annotation]:
    """One sequence per person who was followed for long enough."""
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
        if track.time_s[-1] - track.time_s[0] >= min_seconds:
            yield _annotation(f"{video}#{track_id}", track, label, size_wh, video)


def _annotation(name: str, track: _Track, label: int, size_wh: tuple[int, int], video: str) -> Annotation:
    """One sequence without holes: frames in which the person was not seen have score 0."""
    first, last = track.frame[0], track.frame[-1]
    joints = np.stack(track.keypoints)
    keypoint = np.zeros((1, last - first + 1, joints.shape[1], 2), np.float32)
    score = np.zeros(keypoint.shape[:3], np.float32)
    rows = np.array(track.frame) - first
    keypoint[0, rows], score[0, rows] = joints[..., :2], joints[..., 2]
    time_s = np.interp(np.arange(last - first + 1), rows, track.time_s)
    rate_hz = (len(time_s) - 1) / (time_s[-1] - time_s[0])
    extra = {
        "video": video,
        "rate_hz": round(float(rate_hz), 3),
        "time_s": time_s.astype(np.float32),
        "first_frame": first,
    }
    return Annotation(name, label, keypoint, score, (size_wh[1], size_wh[0]), extra)
