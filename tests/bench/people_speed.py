"""How long exported detectors and pose estimators take here, by family and size, on one thread and on two.

    python tests/bench/people_speed.py PICTURE FOLDER [FOLDER ...]

The folders are those of `actogram models export-yolo` and `export-mmpose`; random weights do. Each network is asked as
the product asks it, picture handling and suppression included: detectors and one-stage networks about the picture, pose
estimators about four people of it. The shortest of many runs counts, because other work on the machine only adds.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.build import build_detector, build_one_stage, build_pose
from models.runtime.people_folder import load_people_folder
from models.weights.registry import ModelSpec

_RUNS, _LIMIT_S = 30, 6.0
_PEOPLE = 4


def main() -> None:
    """Print one row of a Markdown table per folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_args()
    image = np.asarray(cv2.imread(str(given.picture)), np.uint8)
    print("| network | family | asked about | MB | one thread, processor ms | one thread, ms | two threads, ms |")
    print("|---|---|---|---|---|---|---|")
    for folder in given.folders:
        spec, path = load_people_folder(folder)
        processor_ms, one_ms = shortest_ms(asked(spec, path, 1, image))
        _, two_ms = shortest_ms(asked(spec, path, 2, image))
        about = f"{_PEOPLE} people" if spec.task == "pose" else f"a picture, {spec.input.size_wh[0]} px"
        numbers = " | ".join(f"{value:.1f}" for value in (path.stat().st_size / 1e6, processor_ms, one_ms, two_ms))
        print(f"| {spec.name} | {spec.family} | {about} | {numbers} |", flush=True)


def asked(spec: ModelSpec, path: Path, threads: int, image: Image) -> Callable[[], object]:
    """One question to the network; every call shows it a picture that it has not seen."""
    if spec.task == "pose":
        pose, regions = build_pose(spec, path, threads=threads), _regions(image)
        return lambda: pose([image] * _PEOPLE, regions)
    if spec.task == "detect_pose":
        both = build_one_stage(spec, path, threads=threads)[0]
        return lambda: both([image.copy()])
    detector = build_detector(spec, path, threads=threads)
    return lambda: detector([image])


def shortest_ms(ask: Callable[[], object]) -> tuple[float, float]:
    """The shortest of some runs after a first one that does not count: of the processor, and by the clock."""
    ask()
    processor_s: list[float] = []
    clock_s: list[float] = []
    end_s = time.monotonic() + _LIMIT_S
    while not clock_s or (len(clock_s) < _RUNS and time.monotonic() < end_s):
        started = time.process_time(), time.perf_counter()
        ask()
        processor_s.append(time.process_time() - started[0])
        clock_s.append(time.perf_counter() - started[1])
    return min(processor_s) * 1000, min(clock_s) * 1000


def _regions(image: Image) -> FloatArray:
    height, width = image.shape[:2]
    centres = np.linspace(0.2, 0.8, _PEOPLE) * width
    rows = [[x, height / 2, height / 2, 0] for x in centres]
    return np.array(rows, np.float32)


if __name__ == "__main__":
    main()
