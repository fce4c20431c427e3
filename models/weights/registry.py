"""Every network by name: its files with their sha256 and sources, what it takes and gives, its licence and its card."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from models.errors import ModelUnknown, RegistryInvalid

REGISTRY_PATH = Path(__file__).with_name("registry.toml")
ZOO_PATH = Path(__file__).parents[1] / "zoo"
"""The networks that this project trained itself; each folder holds model.onnx, model.json and card.md."""

Task = Literal["detect", "pose", "detect_pose", "action"]
DecodeValue = str | int | float | bool
PERSON_LABEL = "person"
SourceKind = Literal["repository", "folder", "package", "url"]
ValueT = TypeVar("ValueT")
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class WeightSource:
    """One place where a file can be had.

    repository: `path` below the zoo. folder: `path` below the user's weight folder.
    package:    `package` is a pinned requirement, the file is `member` of its wheel.
    url:        `url` is the file, or a zip archive whose `member` it is.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    kind: SourceKind
    path: str = ""
    package: str = ""
    url: str = ""
    member: str = ""


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One weight file.

    path:   its name in the cache.
    sha256: 64 hex digits; empty for a file that is made here from another one, and for the user's own export.
    size_bytes: 0 where nobody has said it.
    made_from, converter: role of the file it is made from, and how; empty for a file that is fetched.
    converter_version: goes up when the converter gives another file for the same source.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    path: str
    sha256: str = ""
    size_bytes: int = 0
    sources: tuple[WeightSource, ...] = ()
    made_from: str = ""
    converter: str = ""
    converter_version: int = 1


@dataclass(frozen=True, slots=True)
class InputContract:
    """How a picture becomes the network's input.

    size_wh: width and height in pixels; for a detector with a free size, the longer side it is best at.
    mean, std: per channel, in the network's channel order, of bytes 0..255.
    max_batch: most pictures per call, for a file that declares a free batch but fails on more; 0 is no limit.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    size_wh: tuple[int, int] = (0, 0)
    colour: Literal["bgr", "rgb"] = "bgr"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    max_batch: int = 0


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One network.

    family: which pre- and post-processing it needs; the runtime knows the families by these names.
    layout: joint layout of what it gives (pose) or takes (action); empty for a detector.
    card:   what it is, where it comes from and what is known of it, in Markdown.
    terms:  what a user must know of the licence before using it, in one sentence; empty where nothing needs saying.
    decode: options of the family's post-processing by name, such as `method` of heatmaps; empty takes its defaults.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    task: Task
    family: str
    files: Mapping[str, FileSpec]
    layout: str = ""
    labels: tuple[str, ...] = ()
    input: InputContract = field(default_factory=InputContract)
    licence: str = ""
    card: str = ""
    terms: str = ""
    decode: Mapping[str, DecodeValue] = field(default_factory=dict)

    @property
    def person_class(self) -> int:
        """The class number of a person among `labels`: the one so named, else the first."""
        names = [label.lower() for label in self.labels]
        return names.index(PERSON_LABEL) if PERSON_LABEL in names else 0

    def number(self, option: str, default: float) -> float:
        """An option of `decode` that is a number, or what stands for it where it is not given."""
        return float(self.decode.get(option, default))

    def require_file(self, role: str) -> FileSpec:
        """A file by role. Raises ModelUnknown when the network has none of that role."""
        if role not in self.files:
            raise ModelUnknown(f"{self.name}: found files {sorted(self.files)}, expected {role!r}")
        return self.files[role]


@dataclass(frozen=True, slots=True)
class InputSides:
    """Longer side of a detector's input in pixels, where the network leaves it free; 0 takes the usual one.

    look: for the whole picture, small people too. glance: for the quick looks between.
    """

    look: int = 0
    glance: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """A named choice of networks: per task the names, best first.

    look_side, glance_side: see InputSides.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    detect: tuple[str, ...]
    pose: tuple[str, ...]
    action: tuple[str, ...] = ()
    look_side: int = 0
    glance_side: int = 0

    @property
    def tasks(self) -> Mapping[str, tuple[str, ...]]:
        """Task → names, best first; without the tasks that the profile leaves open."""
        named = {"detect": self.detect, "pose": self.pose, "action": self.action}
        return {task: names for task, names in named.items() if names}

    @property
    def sides(self) -> InputSides:
        """The sizes of the detector's inputs."""
        return InputSides(self.look_side, self.glance_side)


@dataclass(frozen=True, slots=True)
class Registry:
    """All networks, in the order of the file; the zoo's follow."""

    specs: Mapping[str, ModelSpec]
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self.specs.values())

    def require(self, name: str) -> ModelSpec:
        """A network by name. Raises ModelUnknown, which lists the names there are."""
        if name not in self.specs:
            raise ModelUnknown(f"found model {name!r}, expected one of {', '.join(self.specs)}")
        return self.specs[name]

    def require_profile(self, name: str) -> Mapping[str, tuple[ModelSpec, ...]]:
        """Task → networks, best first, of a named choice such as `auto`. Raises ModelUnknown."""
        if name not in self.profiles:
            raise ModelUnknown(f"found profile {name!r}, expected one of {', '.join(self.profiles)}")
        tasks = self.profiles[name].tasks
        return {task: tuple(self.require(model) for model in names) for task, names in tasks.items()}

    def names(self, task: Task) -> tuple[str, ...]:
        """Names of the networks that can do a task, those that do more as well."""
        also = "detect_pose" if task in ("detect", "pose") else task
        return tuple(spec.name for spec in self if spec.task in (task, also))


def load_registry(path: Path = REGISTRY_PATH, zoo: Path = ZOO_PATH) -> Registry:
    """Read the registry and the project's own networks. Raises RegistryInvalid, which names the entry."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    specs = {name: _validated(_MODEL, {"name": name, **entry}, name) for name, entry in table["models"].items()}
    specs |= {spec.name: spec for spec in _iter_zoo(zoo)}
    profiles = {
        name: _validated(_PROFILE, entry, f"profiles.{name}") for name, entry in table.get("profiles", {}).items()
    }
    registry = Registry(specs, profiles)
    for profile in registry.profiles:
        registry.require_profile(profile)
    return registry


def _validated(adapter: TypeAdapter[ValueT], entry: dict[str, object], name: str) -> ValueT:
    try:
        return adapter.validate_python(entry)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RegistryInvalid(f"{name}: {place}: found {first['input']!r}, {first['msg']}") from error


_MODEL, _PROFILE = TypeAdapter(ModelSpec), TypeAdapter(Profile)


def _iter_zoo(zoo: Path) -> Iterator[ModelSpec]:
    for path in sorted(zoo.glob("*/model.json")):
        folder = path.parent
        entry = json.loads(path.read_text(encoding="utf-8"))
        model = FileSpec(
            path=f"{folder.name}/model.onnx",
            sha256=entry["sha256"],
            size_bytes=(folder / "model.onnx").stat().st_size,
            sources=(WeightSource("repository", path=f"{folder.name}/model.onnx"),),
        )
        card = folder / "card.md"
        yield ModelSpec(
            name=entry["name"],
            task=entry["task"],
            family=entry["network"],
            files={"model": model},
            layout=entry["layout"],
            labels=tuple(entry["labels"]),
            licence="Apache-2.0",
            card=card.read_text(encoding="utf-8") if card.is_file() else "",
        )
