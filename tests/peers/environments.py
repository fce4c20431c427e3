"""The environments of the frameworks that are compared with: `python -m tests.peers.environments` makes them.

They lie in PEERS_HOME (`~/.cache/actogram/peers` if it is not set) and are made by the same recipes as those of
`actogram models export-yolo` and `export-mmpose`. Tests that need one are skipped where it is not there.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.commands.own_environment import OPENMMLAB, ULTRALYTICS, EnvironmentFailed, Recipe, make

FOLDER = Path(__file__).resolve().parent


def home() -> Path:
    """Where the environments lie."""
    return Path(os.environ.get("PEERS_HOME") or Path.home() / ".cache" / "actogram" / "peers")


def require(recipe: Recipe) -> Path:
    """The folder of an environment that was made; skips the test without it."""
    folder = home() / recipe.name
    if not (folder / ".actogram-environment").is_file():
        pytest.skip(f"no environment with {recipe.module} in {folder}; `make peers` makes it")
    return folder


def run(folder: Path, script: str, *words: str | Path, timeout_s: float = 280) -> None:
    """Run a script of this folder by an environment's Python; fails with what it printed."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    kept |= {"YOLO_CONFIG_DIR": str(folder), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [str(folder / "bin" / "python"), "-W", "ignore", str(FOLDER / script), *map(str, words)]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        pytest.fail(f"{script} {words[0]}: {done.stderr[-2000:]}")


def main(recipes: Sequence[Recipe] = (ULTRALYTICS, OPENMMLAB)) -> int:
    """Make what is lacking; 1 where one could not be made."""
    status = 0
    for recipe in recipes:
        try:
            print(make(recipe, home() / recipe.name, print))
        except EnvironmentFailed as error:
            print(f"{recipe.name}: {error}")
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
