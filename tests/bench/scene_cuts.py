"""Measures the test for hard cuts on real clips: cuts found between them, false ones within them, and what it costs.

    ACTOGRAM_DATA=... python tests/bench/scene_cuts.py [--pairs 600] [--seed 1]

Needs the folders `video` and `video2` of ACTOGRAM_DATA. Every clip is read at most thirty seconds long, at 30, 10 and 5
pictures a second: each cut that is told is printed to be looked at. Pairs are four pictures of one clip before four of
another; `one place` are those filmed by the same camera or in the same hall. Disturbances change a clip's own pictures.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from models.arrays import Image
from pipelines.stream.sources import FileSource
from pipelines.stream.sources.scene_cut import SceneCut

_RATES_HZ = (30, 10, 5)
_LENGTH_S = 30.0
_SIZE_WH = (320, 240)
_AROUND = 4

Clips = dict[str, tuple[list[float], list[Image]]]
Change = Callable[[Image, np.random.Generator], Image]


def main() -> None:
    """Print the figures of docs/measurements/reliability.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    generator = np.random.default_rng(options.seed)
    clips = load_clips(Path(os.environ["ACTOGRAM_DATA"]))
    for rate_hz in _RATES_HZ:
        report_clips(clips, rate_hz)
    for is_same in (False, True):
        num_found = sum(is_found(clips, generator, is_same) for _ in range(options.pairs))
        print(f"cuts {'within one place' if is_same else 'between places'}: {num_found} of {options.pairs} found")
    for name, change in DISTURBANCES.items():
        report_disturbance(clips, generator, name, change)
    report_cost()


def load_clips(folder: Path) -> Clips:
    """Every clip's times and pictures, scaled down."""
    paths = [path for part in ("video", "video2") for path in sorted((folder / part).iterdir())]
    return {path.stem: load_clip(path) for path in paths if path.suffix in (".mp4", ".avi")}


def load_clip(path: Path) -> tuple[list[float], list[Image]]:
    times_s: list[float] = []
    images: list[Image] = []
    with FileSource(path, rate_hz=_RATES_HZ[0]) as source:
        for frame in source:
            if frame.time_s > _LENGTH_S:
                break
            times_s.append(frame.time_s)
            images.append(np.asarray(cv2.resize(frame.image, _SIZE_WH, interpolation=cv2.INTER_AREA), np.uint8))
    return times_s, images


def iter_cuts(images: Sequence[Image]) -> Iterator[int]:
    """Indexes of the pictures with which a scene begins."""
    is_cut = SceneCut()
    is_cut.restart(images[0])
    for index, image in enumerate(images[1:], 1):
        if is_cut(image):
            yield index


def report_clips(clips: Clips, rate_hz: float) -> None:
    found, num_pictures = [], 0
    for name, (times_s, images) in clips.items():
        kept = thin(times_s, 1 / rate_hz)
        num_pictures += len(kept)
        found += [f"{name} {times_s[kept[i]]:.2f} s" for i in iter_cuts([images[index] for index in kept])]
    print(f"{rate_hz} a second: {num_pictures} pictures of {len(clips)} clips, cuts: {', '.join(found) or 'none'}")


def thin(times_s: Sequence[float], step_s: float) -> list[int]:
    kept = [0]
    for index, time_s in enumerate(times_s):
        if time_s - times_s[kept[-1]] >= step_s - 2e-3:
            kept.append(index)
    return kept


def place(name: str) -> str:
    """Clips of one place have the same."""
    return name.split("_")[0] + (name[-2:] if name.startswith("upfall") else "")


def is_found(clips: Clips, generator: np.random.Generator, is_same: bool) -> bool:
    """Whether a cut between two clips, drawn by chance, is told where it is."""
    while True:
        first, second = (str(name) for name in generator.choice(list(clips), 2, replace=False))
        if (place(first) == place(second)) == is_same:
            break
    before, after = clips[first][1], clips[second][1]
    end, begin = generator.integers(_AROUND, len(before)), generator.integers(0, len(after) - _AROUND)
    return _AROUND in iter_cuts([*before[end - _AROUND : end], *after[begin : begin + _AROUND]])


def report_disturbance(clips: Clips, generator: np.random.Generator, name: str, change: Change) -> None:
    counts = [0, 0]
    for _, images in clips.values():
        at = int(generator.integers(_AROUND, len(images) - _AROUND))
        before, after = images[at - _AROUND : at], images[at : at + _AROUND]
        changed = [change(image, generator) for image in after]
        counts[0] += any(iter_cuts([*before, changed[0], *after[1:]]))
        counts[1] += any(iter_cuts([*before, *changed]))
    print(f"{name}: {counts[0]} false cuts for one picture, {counts[1]} lasting, of {len(clips)}")


def report_cost() -> None:
    generator = np.random.default_rng(0)
    for width, height in ((640, 480), (1920, 1080)):
        image = np.asarray(cv2.resize(generator.integers(0, 255, (60, 80, 3), np.uint8), (width, height)), np.uint8)
        is_cut = SceneCut()
        is_cut.restart(image)
        began_s = time.process_time()
        for _ in range(300):
            is_cut(image)
        print(f"{width}x{height}: {(time.process_time() - began_s) / 300 * 1e6:.0f} microseconds of processor time")


def light(gain: float, offset: float = 0.0) -> Change:
    return lambda image, _: np.asarray(np.clip(image * gain + offset, 0, 255), np.uint8)


def gamma(power: float) -> Change:
    return lambda image, _: np.asarray(255 * (image / 255) ** power, np.uint8)


def moved(share: float = 0.0, degrees: float = 0.0, zoom: float = 1.0) -> Change:
    """share: of the width."""
    width, height = _SIZE_WH
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, zoom)
    matrix[:, 2] += np.array((share * width, share * width / 3))
    return lambda image, _: np.asarray(
        cv2.warpAffine(image, matrix, _SIZE_WH, borderMode=cv2.BORDER_REFLECT), np.uint8
    )  # fmt: skip


def noisy(image: Image, generator: np.random.Generator) -> Image:
    return np.asarray(np.clip(image + generator.normal(0, 25, image.shape), 0, 255), np.uint8)


DISTURBANCES: dict[str, Change] = {
    "flash": light(1.6, 60),
    "flash that blinds": light(3.0, 150),
    "light off, a fifth left": light(0.2),
    "light off, a fourteenth left": light(0.07),
    "darker (gamma 2.2)": gamma(2.2),
    "brighter (gamma 0.45)": gamma(0.45),
    "noise, sigma 25": noisy,
    "shifted by 4 % of the width": moved(0.04),
    "shifted by 8 %": moved(0.08),
    "shifted by 16 %": moved(0.16),
    "shifted by 31 %": moved(0.31),
    "turned by 8 degrees": moved(degrees=8),
    "zoomed by 1.1": moved(zoom=1.1),
    "zoomed by 1.3": moved(zoom=1.3),
}

if __name__ == "__main__":
    main()
