"""Measuring what a recipe made, or what was imported: a run, a checkpoint, or an exported folder."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.runtime.contract import load_contract
from pipelines.errors import ConfigInvalid
from pipelines.training.fit import folder as files
from pipelines.training.fit.devices import require_device
from pipelines.training.fit.exported import is_model_folder, maker_of, onnx_answer, recipe_of
from pipelines.training.fit.finish import Subject, evaluate
from pipelines.training.fit.pace import Pace
from pipelines.training.fit.package import facts_of
from pipelines.training.fit.run import answer_of, load_run, pictures_of
from pipelines.training.fit.state import FORMAT, format_of
from pipelines.training.fit.views import build_maker
from pipelines.training.metrics import Scores
from pipelines.training.recipe import Recipe, parse_recipe


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asks to be measured; what is not given is as the recipe says."""

    sets: tuple[str, ...] = ()
    split: str | None = None
    part: str = "test"
    clips: int | None = None
    flip: bool | None = None
    pace: Pace = field(default_factory=Pace)

    def sections(self) -> dict[str, dict[str, object]]:
        """The same as sections of a recipe."""
        data: dict[str, object] = {"sets": list(self.sets)} if self.sets else {}
        if self.split is not None:
            data["test"] = self.split
        test: dict[str, object] = {}
        if self.clips is not None:
            test["clips"] = self.clips
        if self.flip is not None:
            test["flip"] = self.flip
        return {"data": data, "test": test}


def is_of_recipe(path: Path) -> bool:
    """Whether a path is a recipe's run or checkpoint, or a model folder that is no everyday network."""
    if path.is_dir() and is_model_folder(path):
        raw = load_contract(path / "model.json")
        return raw.features != "everyday13" or (path / "model.json").read_text("utf-8").find('"recipe"') >= 0
    if path.is_dir():
        return (path / files.RECIPE).is_file()
    return format_of(path) == FORMAT


def evaluate_recipe(path: Path, folders: Sequence[Path], wanted: Wanted, out: Path | None) -> tuple[Path, Scores]:
    """Measure and report; returns the page. Raises ConfigInvalid, DatasetInvalid or ModelError."""
    recipe, subject = _exported(path, wanted) if is_model_folder(path) else _trained(path, wanted)
    target = out or (path if path.is_dir() else path.parent) / "evaluation"
    scores = evaluate(recipe, subject, folders, target)
    return target / files.REPORT, scores


def _exported(path: Path, wanted: Wanted) -> tuple[Recipe, Subject]:
    if wanted.pace != Pace():
        raise ConfigInvalid(f"{path}: --precision and --compile are for runs, this is an exported model")
    recipe = _of_part(recipe_of(path, wanted.sections()), wanted, path)
    answer, contract = onnx_answer(path, recipe)
    return recipe, Subject(answer, maker_of(recipe), contract.temperature)


def _trained(path: Path, wanted: Wanted) -> tuple[Recipe, Subject]:
    state = load_run(path)
    raw = state.recipe.model_dump(mode="json")
    for key, section in wanted.sections().items():
        raw[key] |= section
    recipe = _of_part(parse_recipe(raw, str(path)), wanted, path)
    answer = answer_of(state, require_device(recipe.run.device), wanted.pace)
    return recipe, Subject(answer, build_maker(recipe, pictures_of(recipe)), facts_of(state).temperature)


def _of_part(recipe: Recipe, wanted: Wanted, path: Path) -> Recipe:
    if wanted.part == "test":
        return recipe
    if wanted.part == "all" or wanted.split is not None:
        raise ConfigInvalid(f"{path}: --part {wanted.part}: name one split of the recipe's sets with --split")
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"test": recipe.data.train})})
