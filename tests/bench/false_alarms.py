"""Counts falls that are announced where nobody falls: hours of daily life, and of pictures that invite mistakes.

    python tests/bench/false_alarms.py run OUT.jsonl --cache FOLDER [--minutes 60]   # goes on where it was cut off
    python tests/bench/false_alarms.py table OUT.jsonl

Needs the folders `video` and `video2` of ACTOGRAM_DATA, and takes weights from ACTOGRAM_WEIGHTS if that is set. Every
times with other noise of 0.1 pixel on the joints, and once in each of the variants below, written to a file of its own
and read as any other file. Fights are left out, because some of those people may fall.
"""

import argparse
import json
import math
import os
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np

from models.arrays import Image
from models.weights.store import WeightStore
from pipelines.bench.noisy_pose import NoisyPoses
from pipelines.bench.transcript import Transcript, count_falls
from pipelines.stream.build import NetworkChoice, Networks, build_pipeline, load_networks
from pipelines.stream.config import PipelineConfig
from pipelines.stream.sources import FileSource
from pipelines.types import Frame

_RATE_HZ = 15
_SIGMA_PX = 0.1
_NUM_SEEDS = 5
_LONGEST_S = 60.0
_EMPTY_S = 20.0
_PIECE_S = 4.0
_PIECES = 10
_SIZE_WH = (640, 480)
_DAY_S = 86_400.0

Change = Callable[[Image, float, np.random.Generator], Image]


@dataclass(frozen=True, slots=True)
class Take:
    """One analysis to make: what is done to which clip, and the seed of the noise."""

    clip: str
    variant: str
    seed: int

    @property
    def key(self) -> str:
        """Its name in the results."""
        return f"{self.clip}/{self.variant}/{self.seed}"


def clips_without_falls(data: Path) -> dict[str, Path]:
    """Name → file of every clip in which nobody falls, by the manifest and by the table of the first path."""
    table = tomllib.loads(Path(__file__).with_name("first_path.toml").read_text("utf-8"))["clips"]
    with_falls = tuple(name for name, row in table.items() if row.get("falls"))
    found = {path.stem: path for path in sorted((data / "video").iterdir()) if path.suffix == ".mp4"}
    found = {name: path for name, path in found.items() if not name.startswith(with_falls)}
    for row in json.loads((data / "video2" / "manifest.json").read_text("utf-8")):
        if row["label"] not in ("fall", "fight"):
            found[Path(row["file"]).stem] = data / "video2" / row["file"]
    return found


def takes(clips: Mapping[str, Path]) -> Iterator[Take]:
    """All that there is to do, clip after clip in an order drawn once: as it is, in every variant, with other noise."""
    for number, clip in enumerate(np.random.default_rng(0).permutation(sorted(clips)).tolist()):
        yield Take(clip, "as it is", 0)
        yield from (Take(clip, variant, 0) for variant in VARIANTS)
        yield Take(f"cut {number}", "cut every 4 s", 0)
        yield from (Take(clip, "as it is", seed) for seed in range(1, _NUM_SEEDS))


def mirrored(image: Image, _time_s: float, _generator: np.random.Generator) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def dark(image: Image, _time_s: float, generator: np.random.Generator) -> Image:
    """A quarter of the light, and a sensor's noise on it."""
    noise = generator.normal(0, 4, image.shape)
    return np.clip(image.astype(np.float32) * 0.25 + noise, 0, 255).astype(np.uint8)


def tilted(image: Image, time_s: float, _generator: np.random.Generator) -> Image:
    """Still for three seconds, then the camera tips over by 35 degrees within half a second, and back after three."""
    phase = time_s % 7.0
    share = np.clip((phase - 3.0) / 0.5, 0, 1) - np.clip((phase - 6.5) / 0.5, 0, 1)
    return _rotated(image, 35.0 * float(share), (0.0, 0.0))


def shaken(image: Image, time_s: float, _generator: np.random.Generator) -> Image:
    """A mast in the wind: two degrees and three per cent of the width, at about one hertz."""
    angle, shift = 2.0 * math.sin(6.0 * time_s), 0.03 * image.shape[1] * math.sin(5.1 * time_s + 1.0)
    return _rotated(image, angle, (shift, 0.5 * shift))


def upside_down(image: Image, _time_s: float, _generator: np.random.Generator) -> Image:
    return np.ascontiguousarray(image[::-1, ::-1])


def on_its_side(image: Image, _time_s: float, _generator: np.random.Generator) -> Image:
    return np.ascontiguousarray(np.rot90(image))


def _rotated(image: Image, angle_deg: float, shift: tuple[float, float]) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0)
    matrix[:, 2] += np.asarray(shift)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


CHANGES: Mapping[str, Change] = {
    "mirrored": mirrored, "dark": dark, "tilted": tilted, "shaken": shaken, "upside down": upside_down,
    "on its side": on_its_side,
}  # fmt: skip
VARIANTS = (*CHANGES, "empty")


def pictures(clips: Mapping[str, Path], take: Take) -> Iterator[tuple[float, Image]]:
    """Times and pictures of a take."""
    generator = np.random.default_rng(abs(hash_of(take.key)))
    if take.variant == "cut every 4 s":
        yield from _cut(clips, generator)
    elif take.variant == "empty":
        yield from _empty(clips[take.clip], generator)
    else:
        change = CHANGES[take.variant]
        for frame in _frames(clips[take.clip]):
            yield frame.time_s, change(frame.image, frame.time_s, generator)


def hash_of(text: str) -> int:
    """A number that is the same in every process."""
    return int.from_bytes(text.encode()[-8:], "big") ^ sum(text.encode())


def _frames(path: Path) -> Iterator[Frame]:
    with FileSource(path, rate_hz=_RATE_HZ) as source:
        for frame in source:
            if frame.time_s > _LONGEST_S:
                return
            yield frame


def _cut(clips: Mapping[str, Path], generator: np.random.Generator) -> Iterator[tuple[float, Image]]:
    """Ten pieces of four seconds of clips drawn by chance, one after another in running time."""
    start_s = 0.0
    for name in generator.choice(sorted(clips), _PIECES, replace=False):
        frames = list(_frames(clips[name]))
        first = int(generator.integers(0, max(1, len(frames) - int(_PIECE_S * _RATE_HZ))))
        for count, frame in enumerate(frames[first : first + int(_PIECE_S * _RATE_HZ)]):
            yield start_s + count / _RATE_HZ, np.asarray(cv2.resize(frame.image, _SIZE_WH), np.uint8)
        start_s += _PIECE_S


def _empty(path: Path, generator: np.random.Generator) -> Iterator[tuple[float, Image]]:
    """The place without its people (the median picture), under light that comes and goes."""
    frames = [frame.image for frame in _frames(path)]
    place = np.median(np.stack(frames[:: max(1, len(frames) // 25)]), axis=0)
    for count in range(int(_EMPTY_S * _RATE_HZ)):
        light = 1.0 + 0.3 * math.sin(count / 40)
        noise = generator.normal(0, 5, place.shape)
        yield count / _RATE_HZ, np.clip(place * light + noise, 0, 255).astype(np.uint8)


def write_video(frames: Iterator[tuple[float, Image]], path: Path) -> None:
    """An H.264 file of these pictures; odd rows and columns at the edge go."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_RATE_HZ, options={"preset": "ultrafast", "crf": "18"})
        for count, (_, image) in enumerate(frames):
            image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
            if count == 0:
                stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], "yuv420p"
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def analyse(path: Path, networks: Networks, seed: int) -> dict[str, object]:
    """Seconds of a file, falls announced in it, and what else was said of the camera."""
    noisy = replace(networks, pose=NoisyPoses(networks.pose, _SIGMA_PX, seed))
    pipeline, heard, last_s = build_pipeline(noisy, PipelineConfig(), "false-alarms"), Transcript(), 0.0
    for frame in _frames(path):
        heard.add(pipeline.process(frame))
        last_s = frame.time_s
    heard.add_events(pipeline.finish(), last_s)
    _, invented = count_falls(heard, ())
    return {
        "seconds": round(last_s, 2),
        "falls": invented,
        "at": [[round(value, 2) for value in fall] for fall in heard.falls()],
        "people": len(heard.boxes),
        "rotate_deg": pipeline.camera.rotate_deg,
        "moved": pipeline.camera.moved_frames,
    }


def run(out: Path, cache: Path, minutes: float) -> None:
    """Make the takes that are missing, until the time is over."""
    clips = clips_without_falls(Path(os.environ["ACTOGRAM_DATA"]))
    done = {row["key"] for row in _rows(out)} if out.exists() else set()
    own = os.environ.get("ACTOGRAM_WEIGHTS")
    networks = load_networks(NetworkChoice(), WeightStore(cache, Path(own) if own else None))
    print("networks: " + ", ".join(networks.names), flush=True)
    cv2.setNumThreads(1)
    end_s = time.monotonic() + 60 * minutes
    for take in takes(clips):
        if take.key in done:
            continue
        if time.monotonic() > end_s:
            print("time is over; start again to go on")
            return
        with tempfile.TemporaryDirectory() as folder:
            path = clips.get(take.clip, Path())
            if take.variant != "as it is":
                path = Path(folder) / "take.mp4"
                write_video(pictures(clips, take), path)
            row = {"key": take.key, "variant": take.variant, "seed": take.seed} | analyse(path, networks, take.seed)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{take.key}: {row['seconds']} s, {row['falls']} falls", flush=True)


def _rows(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def table(out: Path) -> None:
    """Print hours, falls and falls per day of each variant, with the upper bound of 95 % where none was seen."""
    groups: dict[tuple[str, object], list[dict[str, object]]] = defaultdict(list)
    for row in _rows(out):
        groups[str(row["variant"]), row["seed"]].append(row)
    print("| footage | noise seed | minutes | falls invented | in clips | per camera-day |\n|---|---|---|---|---|---|")
    for (variant, seed), rows in groups.items():
        seconds = sum(float(str(row["seconds"])) for row in rows)
        falls = sum(int(str(row["falls"])) for row in rows)
        clips = ", ".join(str(row["key"]).split("/", maxsplit=1)[0] for row in rows if row["falls"])
        # Nothing seen in a time t leaves a rate of up to 3 / t open (95 %, Poisson).
        rate = f"{falls * _DAY_S / seconds:.1f}" if falls else f"0 (up to {3 * _DAY_S / seconds:.0f})"
        print(f"| {variant} | {seed} | {seconds / 60:.1f} | {falls} | {clips} | {rate} |")


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("out", type=Path)
    running.add_argument("--cache", type=Path, required=True, help="where weights are kept")
    running.add_argument("--minutes", type=float, default=60)
    commands.add_parser("table").add_argument("out", type=Path)
    options = parser.parse_args()
    if options.command == "run":
        run(options.out, options.cache, options.minutes)
    else:
        table(options.out)


if __name__ == "__main__":
    main()
