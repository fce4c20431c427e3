"""Shows whether two versions say the same of every clip, byte for byte: what a change that only moves code must keep.

    python tests/bench/golden_events.py run OUT --clips FOLDER [--checkout OTHER]   # with that checkout's own code
    python tests/bench/golden_events.py compare BEFORE AFTER
    python tests/bench/golden_events.py labels BEFORE AFTER     # where joints may differ in their last digits

`run` writes one JSONL file per clip, with one thread per network, and goes on where it was cut off. `compare` holds
frames, boxes, joints, scores and events against each other; of the summary only what the machine adds is left out.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

_OF_THE_MACHINE = ("seconds", "fps", "stage_ms", "peak_rss_bytes")
_OF_THE_ENGINE = ("engine", "precision")
_ENDINGS = {".mp4", ".avi"}
_ANALYZE = "from service.cli import main; main()"


def run(out: Path, clips: Path, checkout: Path) -> int:
    """Analyse every clip with the code of a checkout; returns how many could not be."""
    out.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(checkout), "ACTOGRAM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    failed = 0
    for clip in sorted(path for path in clips.iterdir() if path.suffix in _ENDINGS):
        target = out / f"{clip.stem}.jsonl"
        if target.exists():
            continue
        command = [sys.executable, "-c", _ANALYZE, "analyze", str(clip.resolve()), "--out", str(target.resolve())]
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
        failed += done.returncode != 0
        print(f"{clip.stem}: {'done' if done.returncode == 0 else done.stderr.strip()}", flush=True)
    return failed


def compare(before: Path, after: Path) -> int:
    """Print what differs; returns the number of clips that do."""
    names = sorted({path.name for folder in (before, after) for path in folder.glob("*.jsonl")})
    if not names:
        print(f"{before}, {after}: no results to compare")
        return 1
    different = 0
    for name in names:
        fault = _difference(before / name, after / name)
        if fault is not None:
            different += 1
            print(f"{name}: {fault}")
    print(f"{len(names) - different} of {len(names)} clips are equal")
    return different


def labels(before: Path, after: Path) -> int:
    """Print per clip how many pictures show the same actions and what is announced; returns the clips that differ."""
    different = 0
    print(
        "| clip | pictures that show the same | announced before | after | falls before, after |\n|---|---|---|---|---|"
    )
    for name in sorted(path.name for path in before.glob("*.jsonl")):
        if not (after / name).exists():
            continue
        (old, old_told), (new, new_told) = _said(before / name), _said(after / name)
        same = sum(one == other for one, other in zip(old, new, strict=True))
        different += (old, old_told) != (new, new_told)
        falls = ", ".join(str(told.count("fall")) for told in (old_told, new_told))
        shown = "the same" if old_told == new_told else ", ".join(new_told)
        print(f"| {name.removesuffix('.jsonl')} | {same} of {len(old)} | {', '.join(old_told)} | {shown} | {falls} |")
    return different


def _said(path: Path) -> tuple[list[list[str]], list[str]]:
    """Actions shown in each picture, and the announced ones in order."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    shown = [sorted(str(one["action"]) for one in line["persons"]) for line in lines if line["type"] == "frame"]
    ends = [line for line in lines if line["type"] == "action" and line["state"] == "ended"]
    return shown, [line["action"] for line in sorted(ends, key=lambda line: (line["start_s"], line["action"]))]


def _difference(before: Path, after: Path) -> str | None:
    for path in (before, after):
        if not path.exists():
            return f"missing in {path.parent}"
    old, new = _lines(before), _lines(after)
    for number, (one, other) in enumerate(zip(old, new, strict=False), 1):
        if one != other:
            return f"line {number}: {one[:160]!r} became {other[:160]!r}"
    return None if len(old) == len(new) else f"{len(old)} lines became {len(new)}"


def _lines(path: Path) -> list[str]:
    """The lines as they are, and the summary without what the machine adds."""
    lines = path.read_text(encoding="utf-8").splitlines()
    summary = json.loads(lines[-1])
    for name in _OF_THE_MACHINE:
        summary["stats"].pop(name, None)
    header = json.loads(lines[0])
    networks = [*header.get("networks", {}).values(), *summary.get("networks", {}).values()]
    for network, name in itertools.product(networks, _OF_THE_ENGINE):
        network.pop(name, None)
    return [json.dumps(header), *lines[1:-1], json.dumps(summary, sort_keys=True)]


def main() -> None:
    """Parse the command line and do it; the exit status says whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    analysing = commands.add_parser("run")
    analysing.add_argument("out", type=Path)
    analysing.add_argument("--clips", type=Path, required=True)
    analysing.add_argument("--checkout", type=Path, default=Path(__file__).resolve().parents[2])
    for name in ("compare", "labels"):
        comparing = commands.add_parser(name)
        comparing.add_argument("before", type=Path)
        comparing.add_argument("after", type=Path)
    how = parser.parse_args()
    holding = labels if how.command == "labels" else compare
    faults = run(how.out, how.clips, how.checkout) if how.command == "run" else holding(how.before, how.after)
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
