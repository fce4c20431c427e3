"""Environments of their own for what must never be installed beside the service: made once, by recipe, or taken."""

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError

Run = Callable[[Sequence[str]], int]
"""Runs a command, its output to the terminal, and gives its status."""

_MARK = ".actogram-environment"
_LOG = "install.log"
_TORCH, _TORCHVISION = "torch==2.13.0", "torchvision==0.28.0"


class EnvironmentFailed(ModelError):
    """An environment that cannot be made, or one that was named and is none."""

    code = "environment_failed"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment holds.

    name:  its folder's. module: what must be importable in an environment that is taken instead.
    steps: arguments of `pip install`, one call after the other. The packages themselves come without what they ask
           for: it would bring another torch, an OpenCV that needs a screen, and packages that nothing here uses.
    """

    name: str
    module: str
    steps: tuple[tuple[str, ...], ...]


ULTRALYTICS = Recipe(
    "ultralytics",
    "ultralytics",
    (
        (_TORCH, "numpy>=1.26"),
        ("--no-deps", _TORCHVISION, "ultralytics>=8.3,<9", "ultralytics-thop>=2"),
        ("opencv-python-headless", "pillow", "pyyaml", "requests", "psutil", "scipy", "matplotlib", "polars", "tqdm",
         "py-cpuinfo", "onnx>=1.17,<2", "onnxruntime>=1.20"),
    ),
)  # fmt: skip

OPENMMLAB = Recipe(
    "openmmlab",
    "mmpose",
    (
        # mmengine asks pkg_resources for versions, and mmdet and mmpose were compiled against numpy 1.
        ("setuptools<81", "wheel", _TORCH, "numpy<2"),
        ("--no-deps", _TORCHVISION, "mmengine==0.10.7", "mmcv-lite==2.1.0", "mmdet==3.3.0", "mmpose==1.3.2"),
        ("setuptools<81", "numpy<2", "opencv-python-headless<4.12", "pillow", "pyyaml", "addict", "yapf", "termcolor",
         "rich", "matplotlib", "scipy", "shapely", "terminaltables", "tqdm", "packaging", "six", "json_tricks",
         "munkres", "pycocotools", "onnx>=1.17,<2", "onnxruntime>=1.20"),
    ),
)  # fmt: skip


def interpreter(recipe: Recipe, home: Path, named: Path | None, say: Callable[[str], None]) -> Path:
    """The Python of the environment that is to be used.

    home: folder of the environments that are made here. named: the user's own choice, an environment or its Python;
    one that does not exist yet is made there. Raises EnvironmentFailed.
    """
    if named is None:
        return make(recipe, home / recipe.name, say)
    if named.is_file() and os.access(named, os.X_OK):
        return named
    is_ours = any((named / file).exists() for file in (_MARK, _LOG))
    if is_ours or not named.exists() or (named.is_dir() and not any(named.iterdir())):
        return make(recipe, named, say)
    python = _python(named)
    if not python.is_file():
        raise EnvironmentFailed(f"{named}: found no {python.relative_to(named)}, expected a Python environment")
    return python


def make(recipe: Recipe, folder: Path, say: Callable[[str], None]) -> Path:
    """The Python of the environment in `folder`, which is made or completed where it is lacking.

    Raises EnvironmentFailed, which says what pip said last.
    """
    mark = hashlib.sha256(repr(recipe.steps).encode()).hexdigest()
    with _alone(folder):
        if _read(folder / _MARK) != mark:
            say(f"making an environment for {recipe.module} in {folder}: once, some minutes and gigabytes")
            if not _python(folder).exists():
                _create(folder)
            for step in recipe.steps:
                _install(folder, step)
            (folder / _MARK).write_text(mark)
    return _python(folder)


def run_apart(python: Path, script: Path, arguments: Sequence[str]) -> int:
    """Run a script by another environment's Python, nothing of ours on its path; gives its status."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    return subprocess.run(
        [str(python), "-W", "ignore", str(script), *arguments], env=environment, check=False
    ).returncode


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _create(folder: Path) -> None:
    try:
        venv.create(folder, with_pip=True, symlinks=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise EnvironmentFailed(f"{folder}: the environment cannot be made: {error}") from error


def _install(folder: Path, step: Sequence[str]) -> None:
    """One call of pip, its output to the log. pip's own settings (an index, constraints) hold as they do elsewhere."""
    log = folder / _LOG
    command = [str(_python(folder)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *step]
    with log.open("a", encoding="utf-8") as file:
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    if status != 0:
        raise EnvironmentFailed(f"pip could not install {' '.join(step)}: {_last_error(log)} (all of it: {log})")


def _last_error(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it said nothing"])[-1][:500]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let nobody else make the same environment meanwhile. Raises EnvironmentFailed."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f".{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise EnvironmentFailed(f"{folder}: {error.strerror or error}") from error
