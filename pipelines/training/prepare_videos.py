"""A set out of a list of videos: what was done before is taken, the rest made; then cut, labelled and divided."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from models.arrays import AnyArray
from pipelines.training.formats.assemble import Labelled, SetPlan, assemble, named_apart
from pipelines.training.formats.convert import Conversion
from pipelines.training.formats.listing import Refused
from pipelines.training.formats.recordings import Recording
from pipelines.training.prepare import VideoJob
from pipelines.training.prepare_parts import Parts
from pipelines.training.prepare_workers import Load, VideoTask, Watcher, run_tasks
from pipelines.training.skeletons import Annotation, SkeletonSet

_ROUNDING_S = 1e-3
META: Mapping[str, object] = {"units": "pixel", "source": "videos, by actogram prepare"}


@dataclass(frozen=True, slots=True)
class Videos:
    """How videos become sequences.

    load, layout: the networks, and the order of the joints that they give. min_s: shorter sequences are dropped.
    together: the most people of one sequence; 0 gives every person a sequence of their own.
    """

    load: Load
    layout: str
    min_s: float = 1.0
    together: int = 0


@dataclass(frozen=True, slots=True)
class PrepareProgress:
    """Who is told how it goes: on_share with the number of videos done, shares of others included; on_refused."""

    on_share: Callable[[float, str], None] = lambda _done, _what: None
    on_refused: Refused = lambda _name, _why: None


def prepare_videos(
    sources: Sequence[Recording], how: Conversion, videos: Videos, parts: Parts, progress: PrepareProgress
) -> SkeletonSet:
    """The set of all videos that can be read, in the order of the sources, the same for any number of workers.

    A source that names a part of a video gives the tracks cut to it. What parts hold already is not made again.
    """
    tasks = _tasks(sources, videos, parts)
    missing = [task for task in tasks.values() if parts.get(task.path) is None]
    names = {source.path: source.name for source in reversed(sources)}
    _make(list(tasks.values()), missing, names, (videos.load, how.workers), progress)
    items: list[Labelled] = []
    for source in sources:
        task = tasks.get(source.path)
        tracks = parts.get(task.path) if task is not None else None
        if tracks is not None:
            items += _sequences(source, tracks, videos)
    return assemble(named_apart(items), SetPlan(how.name, videos.layout, how.rule, how.said, meta=META))


def _tasks(sources: Sequence[Recording], videos: Videos, parts: Parts) -> dict[Path, VideoTask]:
    """One task per video, however many of its parts are listed."""
    ends: dict[Path, list[float | None]] = defaultdict(list)
    for source in sources:
        ends[source.path].append(source.to_s)
    found = {}
    for path, stops in ends.items():
        last = None if None in stops else max(stop for stop in stops if stop is not None)
        # Parts may be shorter than whole tracks have to be.
        job = VideoJob(path, videos.min_s if last is None and len(stops) == 1 else 0.0, last)
        found[path] = VideoTask(job, parts.path(job))
    return found


def _make(
    tasks: Sequence[VideoTask],
    missing: Sequence[VideoTask],
    names: Mapping[Path, str],
    workers: tuple[Load, int],
    progress: PrepareProgress,
) -> None:
    """Make what is missing, and tell how much of all tasks is done."""
    shares = dict.fromkeys(range(len(missing)), 0.0)
    done = len(tasks) - len(missing)

    def on_share(index: int, share: float) -> None:
        shares[index] = share
        progress.on_share(done + sum(shares.values()), names[missing[index].job.path])

    def on_refused(index: int, why: str) -> None:
        progress.on_refused(names[missing[index].job.path], why)

    progress.on_share(float(done), f"{done} of {len(tasks)} were done before" if done else "starting")
    run_tasks(missing, *workers, Watcher(on_share, on_refused))


def _sequences(source: Recording, tracks: Sequence[Annotation], videos: Videos) -> Iterator[Labelled]:
    cut = [piece for track in tracks if (piece := _cut(track, source, videos.min_s)) is not None]
    bodies = [(f"#{piece.name}", piece) for piece in cut] if not videos.together else _joined(cut, videos.together)
    for suffix, piece in bodies:
        extra = dict(piece.extra) | {"video": source.name}
        if source.subject is not None:
            extra["subject"] = source.subject
        name = f"{source.name}{suffix}" + (f"@{source.from_s:.2f}" if source.from_s or source.to_s is not None else "")
        yield Labelled(replace(piece, name=name, extra=extra), source.label, source.split)


def _cut(track: Annotation, source: Recording, min_s: float) -> Annotation | None:
    """The part of a track within a source's times, from the first to the last frame that shows the person."""
    times = np.asarray(cast("AnyArray", track.extra["time_s"]), np.float64)
    inside = (times >= source.from_s) & (times <= (source.to_s if source.to_s is not None else np.inf))
    frames = np.flatnonzero(inside & (track.score[0] > 0).any(axis=-1))
    # A part that was cut short on purpose counts from half of it on.
    least_s = min(min_s, 0.5 * ((source.to_s or np.inf) - source.from_s)) - _ROUNDING_S
    if len(frames) < 2 or times[frames[-1]] - times[frames[0]] < least_s:
        return None
    part = slice(frames[0], frames[-1] + 1)
    first = int(str(track.extra["first_frame"])) + int(frames[0])
    extra = dict(track.extra) | {"time_s": times[part].astype(np.float32), "first_frame": first}
    return replace(track, keypoint=track.keypoint[:, part], score=track.score[:, part], extra=extra)


def _joined(tracks: Sequence[Annotation], most: int) -> list[tuple[str, Annotation]]:
    """One sequence of the people who were seen longest and best, each at their own frames; score 0 elsewhere."""
    ranked = sorted(tracks, key=lambda track: -float(track.score.sum()))[:most]
    if not ranked:
        return []
    firsts = [int(str(track.extra["first_frame"])) for track in ranked]
    first = min(firsts)
    T = max(start + track.keypoint.shape[1] for start, track in zip(firsts, ranked, strict=True)) - first
    keypoint = np.zeros((len(ranked), T, *ranked[0].keypoint.shape[2:]), np.float32)
    score, times = np.zeros(keypoint.shape[:3], np.float32), np.full(T, np.nan)
    for row, (start, track) in enumerate(zip(firsts, ranked, strict=True)):
        span = slice(start - first, start - first + track.keypoint.shape[1])
        keypoint[row, span], score[row, span] = track.keypoint[0], track.score[0]
        times[span] = np.asarray(cast("AnyArray", track.extra["time_s"]), np.float64)
    known = np.flatnonzero(~np.isnan(times))
    filled = np.interp(np.arange(T), known, times[known]).astype(np.float32)
    extra = dict(ranked[0].extra) | {"time_s": filled, "first_frame": first}
    return [("", replace(ranked[0], keypoint=keypoint, score=score, extra=extra))]
