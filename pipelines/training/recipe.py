"""A training run as one file: typed, made of parts, and refused where it contradicts itself.

A recipe is a TOML file, or parts of `recipes/` joined by `/`, later ones over earlier ones:
`nwucla/stgcn++/bone` is `recipes/data/nwucla.toml`, `recipes/network/stgcn++.toml` and `recipes/stream/bone.toml`.
A file names the parts that it builds on in `extends`.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from models.errors import ModelError
from models.nets.build import parse_options, require_network
from models.skeleton.layouts import require_layout
from pipelines.errors import ConfigInvalid
from pipelines.training.config import apply_overrides, refusal
from pipelines.training.recipe_sections import (
    AugmentSection,
    DataSection,
    InputSection,
    LossSection,
    NetworkSection,
    OptimSection,
    RunSection,
    Section,
    TestSection,
)

RECIPES = Path(__file__).with_name("recipes")
_INPUT_OF = {"everyday13": "keypoint", "pyskl-2d": "keypoint", "pyskl-3d": "keypoint"}


class Recipe(Section):
    """One training run."""

    name: str = Field(default="run", pattern=r"^[a-z0-9][a-z0-9+_-]*$", description="Name of the model made.")
    seed: int = Field(default=0, ge=0, lt=2**31, description="Of every generator of the run.")
    data: DataSection
    input: InputSection
    network: NetworkSection
    augment: AugmentSection = Field(default_factory=AugmentSection)
    loss: LossSection = Field(default_factory=LossSection)
    optim: OptimSection
    test: TestSection = Field(default_factory=TestSection)
    run: RunSection = Field(default_factory=RunSection)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        try:
            require_layout(self.input.layout)
            entry = require_network(self.network.name)
            parse_options(entry.options, self.network.options)
        except ModelError as cause:
            key = "input.layout" if "layout" in str(cause).split()[:1] else "network"
            key = "network.options" if cause.code == "option_invalid" else key
            raise ValueError(f"{key}: {cause}") from cause
        wanted = _INPUT_OF.get(self.input.features, self.input.features)
        if entry.input != wanted:
            raise ValueError(
                f"input.features {self.input.features!r} make {wanted} input, network.name {self.network.name!r} takes "
                f"{entry.input}"
            )
        self._check_loss()
        self._check_data()
        return self

    def _check_loss(self) -> None:
        name = self.network.name
        if self.loss.name == "stf" and not name.startswith("stf-"):
            raise ValueError(f"loss.name 'stf' needs a network of STF, network.name is {name!r}")
        if self.loss.name == "pseudo_multi_task" and name != "slnl-rfa":
            raise ValueError(f"loss.name 'pseudo_multi_task' needs the branches of slnl-rfa, network.name is {name!r}")
        if self.loss.name == "masked_joints" and self.augment.mixup:
            raise ValueError(f"augment.mixup {self.augment.mixup} does not go with loss.name 'masked_joints'")
        if self.loss.name == "stf" and self.augment.mixup:
            raise ValueError(
                f"augment.mixup {self.augment.mixup} does not go with loss.name 'stf': a focus has one class"
            )

    def _check_data(self) -> None:
        if self.data.videos and self.input.features != "rgbpose":
            raise ValueError(f"data.videos is for features 'rgbpose', input.features is {self.input.features!r}")
        if self.run.patience and not (self.data.validation or self.data.validation_share):
            raise ValueError("run.patience needs a validation part, data.validation_share is 0 and there is no split")


def is_recipe(name: str) -> bool:
    """Whether a name or a file is a recipe rather than one of the everyday presets."""
    path = Path(name)
    if path.suffix == ".toml":
        return path.is_file() and bool({"input", "extends"} & _read(path).keys())
    return any(True for _ in _parts(name.split("/")[0]))


def load_recipe(name: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """A recipe by the path of a .toml file or by parts, with dotted overrides; raises ConfigInvalid."""
    raw = read_recipe(name)
    raw.setdefault("name", Path(name).stem if name.endswith(".toml") else name.replace("/", "-"))
    return parse_recipe(apply_overrides(raw, overrides or {}), name)


def parse_recipe(raw: Mapping[str, object], where: str) -> Recipe:
    """Validate settings; raises ConfigInvalid that names the key, or both sides of a contradiction."""
    try:
        return Recipe.model_validate(raw)
    except ValidationError as cause:
        raise refusal(where, cause) from cause


def read_recipe(name: str) -> dict[str, object]:
    """The merged settings of a file or of parts, before they are checked."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise ConfigInvalid(f"{name}: no such file")
        return _extended(path, ())
    raw: dict[str, object] = {}
    for part in name.split("/"):
        raw = _merged(raw, _extended(_part(part), ()))
    return raw


def published() -> list[str]:
    """Every setting that recipes/published.toml lists, as names that `load_recipe` takes."""
    rows = tomllib.loads((RECIPES / "published.toml").read_text("utf-8"))
    return sorted({"/".join(parts) for row in rows["grid"] for parts in product(*row["parts"])})


def part_names() -> dict[str, list[str]]:
    """The parts that there are, by folder."""
    return {
        folder.name: sorted(path.stem for path in folder.glob("*.toml"))
        for folder in sorted(RECIPES.iterdir())
        if folder.is_dir()
    }


def _parts(name: str) -> Iterator[Path]:
    for folder in part_names():
        path = RECIPES / folder / f"{name}.toml"
        if name and "/" not in name and path.is_file():
            yield path


def _part(name: str) -> Path:
    found = next(_parts(name), None)
    if found is None:
        known = "; ".join(f"{folder}: {', '.join(names)}" for folder, names in part_names().items())
        raise ConfigInvalid(f"recipe part {name!r} does not exist; there are {known}")
    return found


def _extended(path: Path, seen: tuple[Path, ...]) -> dict[str, object]:
    if path in seen:
        raise ConfigInvalid(
            f"{path.name}: `extends` goes in a circle: {' > '.join(item.stem for item in (*seen, path))}"
        )
    raw = _read(path)
    own = raw.pop("extends", [])
    merged: dict[str, object] = {}
    for name in _names(own, path):
        beside = path.with_name(f"{name}.toml")
        inner = _extended(beside if beside.is_file() else _part(name), (*seen, path))
        merged = _merged(merged, inner)
    return _merged(merged, raw)


def _names(value: object, path: Path) -> Sequence[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigInvalid(f"{path.name}: extends: expected a name or a list of names, got {value!r}")
    return [part for name in names for part in name.split("/")]


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as cause:
        raise ConfigInvalid(f"{path}: {cause}") from cause


def _merged(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Sections are merged, all else is replaced. Another network starts with no options of the one before."""
    found = dict(under)
    for key, value in over.items():
        below = found.get(key)
        if key == "network" and isinstance(value, dict) and "name" in value:
            found[key] = value
        elif isinstance(value, dict) and isinstance(below, dict):
            found[key] = _merged(below, value)
        else:
            found[key] = value
    return found
