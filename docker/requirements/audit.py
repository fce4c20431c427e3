"""Asks the advisory database about every package that is locked here, for whichever platform; needs pip-audit.

Exit status 0 when nothing is known against any, and when the database cannot be reached: that is said in one line.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Findings:
    """What the database said.

    asked: packages that were asked about.  unknown: those that it could not be asked about, each with the reason.
    faults: one line per advisory.
    """

    asked: int = 0
    unknown: Sequence[str] = field(default_factory=tuple)
    faults: Sequence[str] = field(default_factory=tuple)


def main() -> int:
    """Ask, print, and return the exit status."""
    texts = [path.read_text() for path in sorted(FOLDER.glob("*.txt"))]
    torch = re.findall(r"^torch==.*$", (FOLDER.parent / "constraints.txt").read_text(), re.MULTILINE)
    reports = [report for one in rounds([*texts, *torch]) if (report := _ask(one)) is not None]
    return tell(read(reports))


def rounds(texts: Iterable[str]) -> Iterator[list[str]]:
    """Every pinned package once per version, no package twice in one round."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", "\n".join(texts), re.MULTILINE):
        known = versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), [])
        if version not in known:
            known.append(version)
    columns = [[f"{name}=={version}" for version in found] for name, found in sorted(versions.items())]
    for pins in zip_longest(*columns):
        yield [pin for pin in pins if pin is not None]


def read(reports: Iterable[Mapping[str, list[dict[str, object]]]]) -> Findings:
    """What pip-audit's JSON reports say."""
    packages = [package for report in reports for package in report["dependencies"]]
    unknown = [f"{one['name']}: {one['skip_reason']}" for one in packages if "skip_reason" in one]
    faults = [_fault(one, fault) for one in packages for fault in one.get("vulns", [])]
    return Findings(len(packages), unknown, faults)


def tell(found: Findings) -> int:
    """Print what was found; 1 when there is an advisory, or when only a part could be asked about."""
    out = print  # what the command is for
    if len(found.unknown) == found.asked:
        why = found.unknown[0] if found.unknown else "it does not answer"
        out(f"audit: skipped, the advisory database cannot be reached from here ({why})")
        return 0
    for line in (*found.faults, *found.unknown):
        out(f"audit: {line}")
    out(f"audit: {found.asked} packages, {len(found.faults)} advisories, {len(found.unknown)} could not be asked about")
    return 1 if found.faults or found.unknown else 0


def _fault(package: Mapping[str, object], fault: Mapping[str, object]) -> str:
    fixed = fault.get("fix_versions") or []
    cure = f"fixed in {', '.join(map(str, fixed))}" if isinstance(fixed, list) and fixed else "no fixed version yet"
    return f"{package['name']} {package['version']}: {fault['id']}, {cure}"


def _ask(pins: Sequence[str]) -> Mapping[str, list[dict[str, object]]] | None:
    """pip-audit's report on some pins; None when it made none, as without a network."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins))
        file.flush()
        options = ("--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json")
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", "-r", file.name, *options], check=False, capture_output=True, text=True
        )
    try:
        report: Mapping[str, list[dict[str, object]]] = json.loads(done.stdout)
    except ValueError:
        sys.stderr.write(done.stderr[-500:])
        return None
    return report


if __name__ == "__main__":
    sys.exit(main())
