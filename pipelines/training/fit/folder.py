"""The folder of a run: claimed by one run, never overwritten, resumed by the same recipe only.

recipe.json     what was asked for; made first, so that of two runs one gets the folder
checkpoint.pt   the last state: weights, averages, optimiser
best.pt         the same at the best look at the validation part
history.jsonl   one line per look
result.json, report.html   what was measured
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from models.atomic_file import replacing
from pipelines.errors import ConfigInvalid, RunExists
from pipelines.training.recipe import Recipe, parse_recipe

RECIPE, CHECKPOINT, BEST, HISTORY, RESULT, REPORT, ANSWERS = (
    "recipe.json", "checkpoint.pt", "best.pt", "history.jsonl", "result.json", "report.html", "answers.npz",
)  # fmt: skip
_FREE = (("run",),)
"""Keys that may differ when a run is resumed: where it runs."""


@contextmanager
def claimed(folder: Path, recipe: Recipe, resume: bool) -> Iterator[None]:
    """Hold a folder for one run.

    Raises RunExists where there is a run already (without `resume`) or one is going on, and ConfigInvalid where the
    run to resume has another recipe, or there is none.
    """
    with held(folder):
        _claim(folder, recipe, resume)
        try:
            yield
        except BaseException:
            # A run that never began (its sets were not found) leaves the folder free for the next try.
            if not (folder / CHECKPOINT).exists():
                (folder / RECIPE).unlink(missing_ok=True)
            raise


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other process out of a folder, also when this one is killed; raises RunExists."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "run.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            raise RunExists(f"{folder}: another run is writing into it") from cause
        yield


def _claim(folder: Path, recipe: Recipe, resume: bool) -> None:
    path = folder / RECIPE
    if path.exists():
        if not resume:
            raise RunExists(f"{folder}: holds a run already; --resume goes on with it, another --out begins one")
        had = read_recipe_of(folder).model_dump(mode="json")
        require_same(had, recipe.model_dump(mode="json"), folder)
        return
    strange = [name for name in (CHECKPOINT, BEST) if (folder / name).exists()]
    if strange:
        raise RunExists(f"{folder}: holds a {strange[0]} of another run; choose another --out")
    if resume:
        raise ConfigInvalid(f"{folder}: holds no run to resume")
    with replacing(path) as part:
        part.write_text(recipe.model_dump_json(indent=1) + "\n", "utf-8")


def read_recipe_of(folder: Path) -> Recipe:
    """The recipe of a run's folder; raises ConfigInvalid."""
    path = folder / RECIPE
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as cause:
        raise ConfigInvalid(f"{path}: not the recipe of a run ({type(cause).__name__})") from cause
    return parse_recipe(raw, str(path))


def require_same(had: Mapping[str, object], wanted: Mapping[str, object], where: Path) -> None:
    """Raise ConfigInvalid that names the first setting in which a run to resume differs, and both values."""
    for key, before, now in differences(had, wanted):
        raise ConfigInvalid(f"{where}: resumed with another recipe: {key} was {before!r}, now it is {now!r}")


def differences(
    had: Mapping[str, object], wanted: Mapping[str, object], above: tuple[str, ...] = ()
) -> Iterator[tuple[str, object, object]]:
    """(key, before, now) of settings that differ and matter."""
    for key in sorted({*had, *wanted}):
        path = (*above, key)
        before, now = had.get(key), wanted.get(key)
        if before == now or path in _FREE:
            continue
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from differences(before, now, path)
        else:
            yield ".".join(path), before, now


def read_history(folder: Path, until_step: int | None = None) -> list[dict[str, float]]:
    """The looks of a run, up to a step."""
    path = folder / HISTORY
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    rows: list[dict[str, float]] = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break  # the line that a killed run was writing
    return [row for row in rows if until_step is None or row["step"] <= until_step]


def write_history(folder: Path, rows: list[dict[str, float]]) -> None:
    """Replace the looks of a run."""
    with replacing(folder / HISTORY) as part:
        part.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
