"""Files that are wrong on purpose: real clips in seven containers, mutated, and read in a process with limits."""

import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

CONTAINERS = {
    "mp4": ["-c:v", "libx264"], "mov": ["-c:v", "libx264"], "mkv": ["-c:v", "libx264"], "ts": ["-c:v", "libx264"],
    "webm": ["-c:v", "libvpx", "-b:v", "500k"], "avi": ["-c:v", "mjpeg"], "flv": ["-c:v", "libx264"],
}  # fmt: skip
_CLIP = "urfd_fall-01_rgb.mp4"
_MEMORY_BYTES = 4 * 2**30
_CPU_S = 60
_WAIT_S = 120.0
_READ = """
import sys
from pathlib import Path
from pipelines.errors import PipelineError
from pipelines.stream.sources import FileSource
for name in sys.argv[1:]:
    try:
        source = FileSource(Path(name), rate_hz=30.0)
        frames = sum(1 for _ in source)
        print(name, "read", frames, flush=True)
    except PipelineError as error:
        print(name, "refused", getattr(error, "code", type(error).__name__), flush=True)
"""
_AT_ONCE = 25


def poison_all(
    clips: Path,
    count: int,
    seed: int,
    tell: Callable[[dict[str, object]], None],
) -> dict[str, int]:
    """Read `count` mutated files; returns how many were read, refused by a typed error, crashed or hung."""
    dice = random.Random(seed)
    totals = {"files": 0, "read": 0, "refused": 0, "crashed": 0, "hung": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = {ending: _seed_clip(clips / _CLIP, folder, ending) for ending in CONTAINERS}
        while totals["files"] < count:
            batch = [_mutated(folder, seeds, dice, n) for n in range(min(_AT_ONCE, count - totals["files"]))]
            said = _read_limited(batch)
            for key, number in said.items():
                totals[key] += number
            totals["files"] += len(batch)
            tell({"files": totals["files"], **said})
            for path in batch:
                path.unlink(missing_ok=True)
    return totals


def mutate(content: bytes, dice: random.Random) -> bytes:
    """One to three things that happen to files: cut, bytes flipped, zeroed, doubled, moved, sizes blown up."""
    data = bytearray(content)
    for _ in range(dice.randrange(1, 4)):
        at, length = dice.randrange(len(data)), dice.randrange(1, 400)
        match dice.randrange(6):
            case 0:
                del data[max(16, at) :]
            case 1:
                data[at : at + length] = dice.randbytes(length)
            case 2:
                data[at : at + length] = bytes(length)
            case 3:
                data[at:at] = data[at : at + length]
            case 4:
                piece = data[at : at + length]
                del data[at : at + length]
                to = dice.randrange(len(data) + 1)
                data[to:to] = piece
            case _:
                at = dice.randrange(min(len(data), 4096))
                data[at : at + 4] = b"\xff\xff\xff\xf0"
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def _seed_clip(clip: Path, folder: Path, ending: str) -> Path:
    target = folder / f"seed.{ending}"
    command = ["ffmpeg", "-v", "error", "-y", "-t", "1", "-i", str(clip), "-an", "-vf", "scale=160:120"]
    subprocess.run([*command, *CONTAINERS[ending], str(target)], check=True)
    return target


def _mutated(folder: Path, seeds: dict[str, Path], dice: random.Random, number: int) -> Path:
    ending = dice.choice(sorted(seeds))
    path = folder / f"poison-{number}.{ending}"
    path.write_bytes(mutate(seeds[ending].read_bytes(), dice))
    return path


def _read_limited(paths: list[Path]) -> Counter[str]:
    """Read files in a process with limits; the one that it died of is counted, and the rest is read by the next."""
    found: Counter[str] = Counter()
    left = list(paths)
    while left:
        try:
            done = subprocess.run(
                [sys.executable, "-c", _READ, *map(str, left)], capture_output=True, text=True, check=False,
                timeout=_WAIT_S, preexec_fn=_limit,
            )  # fmt: skip
            output, fate = done.stdout, "crashed" if done.returncode else ""
        except subprocess.TimeoutExpired as slow:
            output, fate = (slow.stdout or b"").decode(), "hung"
        lines = [line.split() for line in output.splitlines() if line.startswith(str(left[0].parent))]
        found.update(line[1] for line in lines)
        left = left[len(lines) :]
        if left and fate:
            found[fate] += 1
            left = left[1:]
    return found


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
