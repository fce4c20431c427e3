"""Networks, actions and joint layouts, read once from the registry and the model folders."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from models.errors import ModelUnknown
from models.runtime.card import card_text
from models.runtime.contract import ActionContract
from models.severity import Severity
from models.skeleton.layouts import LAYOUTS, Layout
from models.weights.registry import ZOO_PATH, ModelSpec, Registry, load_registry
from service.catalog.own_models import OwnModels, OwnPeople, require_served
from service.protocol.loaded_networks import LoadedNetwork, Per

Quality = Literal["solid", "experimental"]


class ActionRead(BaseModel):
    """One label of an action model, and when it becomes an event."""

    model_config = ConfigDict(extra="ignore")

    action: str
    model: str = Field(description="The action model that recognises it.")
    quality: Quality = Field(description="`solid` or `experimental`, as measured on data sets that training never saw.")
    severity: Severity
    threshold: float = Field(description="Smoothed probability at which an event begins.")
    offset_threshold: float = Field(description="Probability below which it ends.")
    min_duration_s: float = Field(description="Seconds that it must last before it is confirmed.")
    merge_gap_s: float = Field(description="Gaps of up to this many seconds do not end it.")


class LayoutRead(BaseModel):
    """A joint layout: what the keypoints mean, and which ones to connect."""

    layout: str
    joints: list[str] = Field(description="Names, in the order of the keypoints.")
    edges: list[tuple[int, int]] = Field(description="Bones, as pairs of joint indexes.")
    mirror_pairs: list[tuple[int, int]] = Field(description="Pairs of left and right joints, which mirroring swaps.")

    @classmethod
    def of(cls, layout: Layout) -> "LayoutRead":
        """A layout as clients see it."""
        return cls(
            layout=layout.name, joints=list(layout.joints), edges=list(layout.edges), mirror_pairs=list(layout.pairs)
        )


class ModelSpeed(BaseModel):
    """What a network took in a worker here, measured when it was opened; the best of several runs."""

    ms: float = Field(description="Milliseconds.")
    per: Per = Field(description="For one picture, for the joints of one person, or for one window of an action model.")
    device: str


class ModelSummary(BaseModel):
    """A network."""

    model_id: str
    task: Literal["detect", "pose", "detect_pose", "action"]
    family: str
    layout: str | None
    labels: list[str]
    licence: str
    terms: str = Field(description="What must be known of the licence before use; empty where nothing needs saying.")
    is_active: bool = Field(description="Whether it is used when a job does not name one.")
    is_loaded: bool = Field(description="Whether a worker has it open now.")
    speed: ModelSpeed | None = Field(description="What it took here; null until a worker has measured it.")


class ProfileRead(BaseModel):
    """A named choice of a detector and a pose estimator; the best of each that is here is taken."""

    profile: str
    detector: str = Field(description="The best one whose file is here already, else the best one.")
    pose: str = Field(description="Likewise.")
    is_active: bool = Field(description="Whether it is the server's own.")


class ModelRead(ModelSummary):
    """A network with everything known about it."""

    card: str = Field(description="Markdown: data, licence terms, protocol, accuracy, limits.")
    contract: dict[str, JsonValue] = Field(description="What it expects: sizes, rates, names of inputs.")
    metrics: JsonValue = Field(description="What was measured, and on which data; null when nothing was.")
    files: list[dict[str, JsonValue]] = Field(description="Name, sha256 and size of each weight file.")


@dataclass(frozen=True, slots=True)
class Running:
    """What the workers say of their networks.

    names: of the default ones; empty before any worker is ready. loaded: what was opened and measured.
    """

    names: tuple[str, ...] = ()
    loaded: tuple[LoadedNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class Library:
    """The registry and the action models' own descriptions.

    manifests: action model → its model.json. own: action models that were imported or trained here.
    own_people: detectors and pose estimators of the user's own. running: what the workers have open, asked anew each
    time. profile: of the default networks. is_at_hand: whether a network's file is here already.
    """

    registry: Registry
    manifests: Mapping[str, Mapping[str, JsonValue]]
    own: OwnModels = field(default_factory=lambda: OwnModels(None))
    own_people: OwnPeople = field(default_factory=lambda: OwnPeople(None))
    running: Callable[[], Running] = Running
    profile: str = "auto"
    is_at_hand: Callable[[ModelSpec], bool] = lambda _: False

    @property
    def default_action_model(self) -> str | None:
        """The action model of jobs that do not name one; None when there is none at all."""
        return next(iter(self.manifests), None)

    def require_action_model(self, name: str) -> None:
        """Make sure that a name is an action model that can judge people; raises ModelUnknown or LayoutNotServed."""
        if name in self.manifests:
            return
        own = self._own()
        if name not in own:
            known = ", ".join([*self.manifests, *own]) or "none"
            raise ModelUnknown(
                f"found model {name[:128]!r}, expected one of the action models: {known}; your own go into the folder "
                "that ACTOGRAM_MODELS names"
            )
        require_served(own[name])

    def require_people(self, name: str, task: Literal["detect", "pose"]) -> None:
        """Make sure that a name is a network that detects people, or finds their joints; raises ModelUnknown."""
        own = {own_name for own_name, spec in self._own_people().items() if spec.task in (task, "detect_pose")}
        known = [*self.registry.names(task), *sorted(own)]
        if name not in known:
            kind = "detectors" if task == "detect" else "pose estimators"
            raise ModelUnknown(
                f"found {name[:128]!r}, expected one of the {kind}: {', '.join(known)}; your own go into the folder "
                "that ACTOGRAM_MODELS names"
            )

    def window_s(self, name: str) -> float | None:
        """Seconds that one answer of an action model looks back; None where that is not known."""
        found = self.manifests[name].get("window_s") if name in self.manifests else self.own.require(name).window_s
        return float(found) if isinstance(found, (int, float)) else None

    def summaries(self) -> Sequence[ModelSummary]:
        """Every network."""
        running = self.running()
        specs = [*self.registry, *self._own_people().values()]
        own = [self._own_summary(name, contract, running) for name, contract in self._own().items()]
        return [*(self._summary(spec, running) for spec in specs), *own]

    def profiles(self) -> Sequence[ProfileRead]:
        """Every profile of the registry."""

        def best(names: Sequence[str]) -> str:
            return next((name for name in names if self.is_at_hand(self.registry.specs[name])), names[0])

        return [
            ProfileRead(
                profile=name, detector=best(one.detect), pose=best(one.pose), is_active=name == self.profile
            )
            for name, one in self.registry.profiles.items()
        ]  # fmt: skip

    def describe(self, name: str) -> ModelRead:
        """One network; raises ModelUnknown."""
        own, running = self._own(), self.running()
        if name in own:
            return self._own_read(name, own[name], running)
        spec = self._own_people().get(name) or self.registry.require(name)
        manifest = self.manifests.get(name, {})
        contract = {key: manifest[key] for key in _CONTRACT_KEYS if key in manifest}
        if spec.task != "action":
            contract = {"size_wh": list(spec.input.size_wh), "colour": spec.input.colour, "decode": dict(spec.decode)}
        files: list[dict[str, JsonValue]] = [
            {"role": role, "name": file.path, "sha256": file.sha256 or None, "size_bytes": file.size_bytes or None}
            for role, file in spec.files.items()
        ]
        return ModelRead(
            **self._summary(spec, running).model_dump(), card=spec.card, contract=contract, files=files,
            metrics=manifest.get("metrics"),
        )  # fmt: skip

    def actions(self, name: str | None = None) -> Sequence[ActionRead]:
        """The labels of an action model, of the default one when none is named; raises ModelUnknown."""
        model = name or self.default_action_model
        if model is None:
            return []
        self.require_action_model(model)
        if model not in self.manifests:
            rules = self.own.require(model).actions.items()
            return [ActionRead(**rule.model_dump(), action=action, model=model) for action, rule in rules]
        table = self.manifests[model].get("actions", {})
        assert isinstance(table, dict)
        return [
            ActionRead.model_validate({**entry, "action": action, "model": model})
            for action, entry in table.items()
            if isinstance(entry, dict)
        ]

    def layouts(self) -> Sequence[LayoutRead]:
        """Every joint layout."""
        return [LayoutRead.of(layout) for layout in LAYOUTS.values()]

    def _own(self) -> Mapping[str, ActionContract]:
        """Own models; one that is called like a model of the registry is hidden by it."""
        taken = {spec.name for spec in self.registry}
        return {name: contract for name, contract in self.own.contracts().items() if name not in taken}

    def _own_people(self) -> Mapping[str, ModelSpec]:
        """The same of detectors and pose estimators."""
        return {name: spec for name, spec in self.own_people.specs().items() if name not in self.registry.specs}

    def _summary(self, spec: ModelSpec, running: Running) -> ModelSummary:
        return ModelSummary(
            model_id=spec.name, task=spec.task, family=spec.family, layout=spec.layout or None,
            labels=list(spec.labels), licence=spec.licence, terms=spec.terms,
            is_active=self._is_active(spec, running), **_told(spec.name, running),
        )  # fmt: skip

    def _is_active(self, spec: ModelSpec, running: Running) -> bool:
        """What the workers took; before any is ready, the first of the profile."""
        if spec.name == self.default_action_model:
            return True
        if running.names:
            return spec.name in running.names and spec.task != "action"
        profile = self.registry.profiles.get(self.profile)
        return profile is not None and spec.name in profile.tasks.get(spec.task, ())[:1]

    def _own_summary(self, name: str, contract: ActionContract, running: Running) -> ModelSummary:
        return ModelSummary(
            model_id=name, task="action", family=contract.network, layout=contract.layout,
            labels=list(contract.labels), licence="", terms="", is_active=False, **_told(name, running),
        )  # fmt: skip

    def _own_read(self, name: str, contract: ActionContract, running: Running) -> ModelRead:
        whole = contract.model_dump(mode="json")
        return ModelRead(
            **self._own_summary(name, contract, running).model_dump(), card=card_text(contract), metrics=None,
            contract={key: whole[key] for key in (*_CONTRACT_KEYS, *_OWN_KEYS)},
            files=[{"role": "model", "name": f"{name}/model.onnx", "sha256": contract.sha256, "size_bytes": None}],
        )  # fmt: skip


class _Told(TypedDict):
    is_loaded: bool
    speed: ModelSpeed | None


def _told(name: str, running: Running) -> _Told:
    """Whether a network is open, and the best time that any worker measured of it."""
    own = [one for one in running.loaded if one.name == name]
    best = min(own, key=lambda one: one.ms, default=None)
    speed = None if best is None else ModelSpeed(ms=best.ms, per=best.per, device=best.device)
    return {"is_loaded": any(one.is_loaded for one in own), "speed": speed}


_CONTRACT_KEYS = ("layout", "features", "window_s", "rate_hz", "num_frames", "inputs", "outputs")
_OWN_KEYS = ("stream", "num_persons", "sampling", "temperature", "unknown", "members", "is_continual", "defaults")


def load_library(
    zoo: Path = ZOO_PATH, own: Path | None = None, running: Callable[[], Running] = Running, profile: str = "auto",
    is_at_hand: Callable[[ModelSpec], bool] = lambda _: False,
) -> Library:  # fmt: skip
    """Read everything; `own` is the folder of the user's own networks. Raises RegistryInvalid."""
    registry = load_registry(zoo=zoo)
    manifests: dict[str, Mapping[str, JsonValue]] = {}
    for path in sorted(zoo.glob("*/model.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest.get("task") == "action":
            manifests[str(manifest["name"])] = manifest
    return Library(registry, manifests, OwnModels(own), OwnPeople(own), running, profile, is_at_hand)
