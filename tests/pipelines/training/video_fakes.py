"""Networks for `prepare` that a worker process can open by name: a quick, a slow and a deadly one."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from models.arrays import Image
from models.runtime.detector import DetectedPeople
from pipelines.stream.build import PeopleNetworks
from pipelines.training.formats.convert import Conversion, from_lists
from pipelines.training.formats.splits import SplitRule
from pipelines.training.prepare import find_videos
from pipelines.training.prepare_parts import Parts
from pipelines.training.prepare_videos import PrepareProgress, Videos, prepare_videos
from pipelines.training.prepare_workers import Load
from pipelines.training.skeletons import SkeletonSet
from tests.stream_fakes import FakeDetector, FakePoses

DEADLY_WIDTH = 160
"""A video so wide ends the process that looks at it with `deadly_networks`."""


class _Slow(FakeDetector):
    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        time.sleep(0.02 * len(images))
        return super().__call__(images)


class _Deadly(FakeDetector):
    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        if images[0].shape[1] == DEADLY_WIDTH:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(images)


def quick_networks() -> PeopleNetworks:
    """One person in every picture."""
    return PeopleNetworks(detector=FakeDetector((44, 8, 84, 90)), pose=FakePoses(), names=("quick",))


def slow_networks() -> PeopleNetworks:
    """The same, slowly."""
    return PeopleNetworks(detector=_Slow((44, 8, 84, 90)), pose=FakePoses(), names=("quick",))


def pair_networks() -> PeopleNetworks:
    """Two people in every picture."""
    detector = FakeDetector((4, 8, 44, 90), (84, 8, 124, 90))
    return PeopleNetworks(detector=detector, pose=FakePoses(), names=("pair",))


def deadly_networks() -> PeopleNetworks:
    """One person in every picture, and death in a wide one."""
    return PeopleNetworks(detector=_Deadly((44, 8, 84, 90)), pose=FakePoses(), names=("deadly",))


def make_set(
    folder: Path, out: Path, load: Load, workers: int = 1, progress: PrepareProgress | None = None, min_s: float = 1.0
) -> SkeletonSet:
    """What `actogram prepare FOLDER --by-folder --out OUT` does, with networks of one's own."""
    sources = from_lists(find_videos([folder]), "", by_folder=True)
    how = Conversion(out.stem, rule=SplitRule(), workers=workers)
    with Parts(out, load().names) as parts:
        made = prepare_videos(sources, how, Videos(load, "coco17", min_s), parts, progress or PrepareProgress())
        parts.finish(made)
    return made


if __name__ == "__main__":
    make_set(Path(sys.argv[1]), Path(sys.argv[2]), slow_networks, workers=2)
