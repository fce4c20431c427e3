"""Files of other formats become a set: found, read side by side, what is damaged told and left out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType

from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.formats import bvh, kinetics, ntu, openpose
from pipelines.training.formats.assemble import Labelled, SetPlan, assemble, distinct, named_apart
from pipelines.training.formats.description import SetDescription
from pipelines.training.formats.listing import class_of, split_of
from pipelines.training.formats.recordings import Format, ReadOptions, RecordedJoints, Recording
from pipelines.training.formats.splits import SplitRule
from pipelines.training.skeletons import Annotation, SkeletonSet

FORMATS: Mapping[str, Format] = MappingProxyType(
    {each.name: each for each in (ntu.FORMAT, kinetics.FORMAT, openpose.FORMAT, bvh.FORMAT)}
)
_CHUNK = 8
Refused = Callable[[str, str], None]


def find_sources(format_name: str, inputs: Sequence[Path]) -> list[Recording]:
    """The recordings of a format in files and folders, each once; raises DatasetInvalid when there is none."""
    found = [source for path in inputs for source in FORMATS[format_name].find(path)]
    once = {(source.path.absolute(), source.prefix): source for source in found}
    if not once:
        raise DatasetInvalid(f"nothing of the format {format_name} in {', '.join(map(str, inputs))}")
    return distinct(list(once.values()))


def from_lists(sources: Sequence[Recording], format_name: str, by_folder: bool = False) -> list[Recording]:
    """Recordings with the labels and splits that lists, files or folders say.

    format_name: a row of a list may name a folder that holds recordings of this format; "" takes sources as they are.
    """
    found: list[Recording] = []
    for source in sources:
        if format_name in FORMATS and source.path.is_dir():
            inside = FORMATS[format_name].find(source.path)
            found += [
                replace(source, path=each.path, prefix=each.prefix, name=_inside(source, each)) for each in inside
            ]
        else:
            found.append(source)
    return [_placed(source, by_folder) for source in found]


def _inside(source: Recording, each: Recording) -> str:
    """The name of a recording in the folder that a row of a list names."""
    return source.name if each.path == source.path else f"{source.name}/{each.name}"


def _placed(source: Recording, by_folder: bool) -> Recording:
    label = source.label or (class_of(source) if by_folder else None)
    return replace(source, label=label, split=source.split or split_of(source.name))


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a set is made. name: of the set. workers: processes that read."""

    name: str
    reading: ReadOptions = field(default_factory=ReadOptions)
    rule: SplitRule = field(default_factory=SplitRule)
    said: SetDescription = field(default_factory=SetDescription)
    workers: int = 1


def convert(
    format_name: str,
    sources: Sequence[Recording],
    how: Conversion,
    on_done: Callable[[Recording], None] = lambda _: None,
    on_refused: Refused = lambda _name, _why: None,
) -> SkeletonSet:
    """A set of all recordings that can be read, in their order, the same for any number of workers.

    on_refused: called with the name of each recording that cannot, and the reason, which names file and place.
    """
    chosen = FORMATS[format_name]
    items, layouts = list[Labelled](), set[str]()
    for source, clip in zip(sources, _read_all(format_name, sources, how), strict=True):
        on_done(source)
        if isinstance(clip, str):
            on_refused(source.name, clip)
            continue
        layouts.add(clip.layout)
        if len(layouts) > 1:
            other = min(layouts - {clip.layout})
            raise ConfigInvalid(f"{source.name}: joints of {clip.layout}, others are of {other}; prepare them apart")
        items.append(_labelled(source, clip))
    if not items:
        raise DatasetInvalid(f"none of the {len(sources)} recordings can be used")
    items = named_apart(items)
    labels = [item.label for item in items if item.label is not None]
    plan = SetPlan(
        how.name, layouts.pop(), how.rule, how.said,
        chosen.classes(labels) if chosen.classes and labels else (),
        chosen.splits([item.annotation.name for item in items]) if chosen.splits else {},
        chosen.meta,
    )  # fmt: skip
    return assemble(items, plan)


def _labelled(source: Recording, clip: RecordedJoints) -> Labelled:
    extra = dict(clip.extra)
    if clip.rate_hz is not None:
        extra["rate_hz"] = round(clip.rate_hz, 3)
    if source.subject is not None:
        extra["subject"] = source.subject
    annotation = Annotation(source.name, -1, clip.keypoint, clip.score, clip.shape_hw, extra)
    return Labelled(annotation, source.label or clip.label, source.split)


def _read_all(format_name: str, sources: Sequence[Recording], how: Conversion) -> Iterator[RecordedJoints | str]:
    """Each recording, or why it cannot be read, in order."""
    jobs = [(format_name, source, how.reading) for source in sources]
    if how.workers < 2 or len(jobs) < 2:
        yield from map(_attempt, jobs)
        return
    with ProcessPoolExecutor(how.workers, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(_attempt, jobs, chunksize=_CHUNK)
        except BrokenProcessPool as cause:
            raise DatasetInvalid(
                "a process that reads recordings was ended from outside; try fewer --workers"
            ) from cause


def _attempt(job: tuple[str, Recording, ReadOptions]) -> RecordedJoints | str:
    format_name, source, reading = job
    try:
        return FORMATS[format_name].read(source, reading)
    except DatasetInvalid as refused:
        return str(refused)
    except MemoryError:
        return f"{source.path.name}: there is not enough memory to read it"
