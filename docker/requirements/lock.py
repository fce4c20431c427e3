"""Writes the lock files of this folder: every package of each environment with its version and its files' hashes.

`make lock` keeps the versions of constraints.txt; with `--upgrade` the newest are chosen first. Needs uv.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "constraints.txt"
PYTHON = "3.11"
_HEADER = "# Made by `make lock` out of pyproject.toml, docker/requirements/*.in and constraints.txt. Do not edit.\n"
# Which build of torch fits depends on the machine: the same version has other files on PyPI (CUDA), on PyTorch's own
# indexes (one per CUDA version, and CPU) and on a machine that brings its own. So its version is pinned and its hash is
# not, nor those of the CUDA libraries that one of its builds asks for. Only training and its tests install it.
_NOT_LOCKED = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")


@dataclass(frozen=True, slots=True)
class Environment:
    """What one lock file is made of.

    extras: of pyproject.toml, together with its dependencies; empty with a file of its own.
    inputs: files that list requirements.
    """

    name: str
    extras: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


ENVIRONMENTS = (
    Environment("build", inputs=("build.in",)),
    Environment("cpu", extras=("cpu", "postgres", "s3", "push", "notify")),
    Environment("gpu", extras=("gpu", "postgres", "s3", "push", "notify")),
    Environment("train", extras=("cpu", "postgres", "s3", "train")),
    Environment("test", extras=("cpu", "postgres", "s3", "train", "dev")),
    Environment("tools", inputs=("tools.in",)),
)


def main(arguments: Sequence[str]) -> int:
    """Write every lock file; 1 when a set of requirements cannot be met."""
    try:
        if "--upgrade" in arguments:
            PINS.write_text(newest_pins())
        for environment in ENVIRONMENTS:
            path = ROOT / "docker" / "requirements" / f"{environment.name}.txt"
            # What is locked already stays, as long as it satisfies everybody.
            known = path.read_text() if path.exists() and "--upgrade" not in arguments else ""
            found = compiled(direct(environment), known, "--generate-hashes", "-c", str(PINS))
            path.write_text(_HEADER + locked(found))
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)  # noqa: T201 - uv says which requirements contradict each other
        return 1
    return 0


def direct(environment: Environment) -> list[str]:
    """The requirements that somebody wrote down, one a line."""
    folder = ROOT / "docker" / "requirements"
    lines = [line for name in environment.inputs for line in (folder / name).read_text().splitlines()]
    if environment.extras:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        optional = project["optional-dependencies"]
        lines += [*project["dependencies"], *(line for extra in environment.extras for line in optional[extra])]
    return [line for line in lines if line and not line.startswith("#")]


def compiled(lines: Sequence[str], known: str, *options: str) -> str:
    """What uv makes of requirements, for every platform and Python from 3.11 on; raises CalledProcessError.

    known: an earlier result, whose versions are kept where they still fit.
    """
    fixed = ("--universal", "--python-version", PYTHON, "--no-header", "--no-annotate", "--quiet")
    with tempfile.TemporaryDirectory() as scratch:
        wanted, found = Path(scratch) / "wanted.in", Path(scratch) / "found.txt"
        wanted.write_text("\n".join(lines))
        found.write_text(known)
        subprocess.run(
            ["uv", "pip", "compile", str(wanted), "-o", str(found), *fixed, *options],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return found.read_text()


def locked(text: str) -> str:
    """The blocks of a compiled file, without those that are not locked."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    return "".join(block for block in blocks if not _NOT_LOCKED.match(block))


def newest_pins() -> str:
    """The newest versions that suit every environment together, one a line; of what is not locked, torch alone."""
    everything = Environment("", extras=tuple({extra: None for one in ENVIRONMENTS for extra in one.extras}))
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", compiled(direct(everything), ""), re.MULTILINE)
    names = [name for name, _ in found]
    # A package that has one version for an older Python and one for a newer is not pinned here, only locked.
    kept = [f"{name}=={version}" for name, version in found if names.count(name) == 1]
    return "\n".join(line for line in kept if line.startswith("torch==") or not _NOT_LOCKED.match(line)) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
