"""Build: the only place that creates networks, stages and pipelines."""

from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelUnknown
from models.runtime.action import ActionModel
from models.runtime.continual import ContinualModel
from models.runtime.contract import load_contract, verify_members, verify_weights
from models.runtime.fusion import FusedModel
from models.runtime.overrides import judging_rules
from models.runtime.session import Session, sessions_of
from models.runtime.windows import declare_windows
from models.skeleton.layouts import COCO17, Layout, require_layout
from models.weights.fetch import Progress
from models.weights.registry import ModelSpec, Registry, load_registry
from models.weights.store import WeightStore
from pipelines.stream.actions.chain import ActionChain, ActionStages, ClassifyStage
from pipelines.stream.actions.classify import ActionStage
from pipelines.stream.actions.events import EventDating, EventStage
from pipelines.stream.actions.label import LabelStage
from pipelines.stream.actions.pictures import PictureRing
from pipelines.stream.actions.smooth import SmoothStage
from pipelines.stream.actions.steps import StepStage
from pipelines.stream.actions.window import WindowStage
from pipelines.stream.config import PipelineConfig
from pipelines.stream.people.camera import CameraStage
from pipelines.stream.people.chain import PeopleChain
from pipelines.stream.people.detect import DetectStage
from pipelines.stream.people.pose import PoseStage
from pipelines.stream.people.track import TrackStage
from pipelines.stream.people_networks import NetworkChoice, PeopleNetworks, computed, load_people_networks
from pipelines.stream.pipeline import Pipeline
from pipelines.stream.stats import StageClock
from pipelines.types import NetworkId, NetworksUsed

__all__ = [
    "NetworkChoice", "Networks", "PeopleNetworks", "build_actions", "build_people", "build_pipeline", "find_action",
    "load_action", "load_networks", "load_people_networks", "open_action", "with_action",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks(PeopleNetworks):
    """The networks of a whole pipeline."""

    action: ActionModel

    @property
    def used(self) -> NetworksUsed:
        """Which they are, for results."""
        contract = self.action.contract
        action_id = computed(NetworkId(contract.name, contract.sha256), self.action)
        return NetworksUsed(self.detector_id, self.pose_id, action_id)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What all of them run on, each once."""
        return sessions_of(self.detector, self.glance, self.crop_detector, self.pose, self.action)


def load_networks(choice: NetworkChoice, store: WeightStore, progress: Progress | None = None) -> Networks:
    """Find, check and open the networks.

    Raises ModelUnknown, WeightsMissing, WeightsCorrupt, ContractMismatch or DeviceUnavailable.
    """
    people = load_people_networks(choice, store, progress)
    return with_action(people, load_action(choice, load_registry(), store))


def with_action(people: PeopleNetworks, action: ActionModel) -> Networks:
    """Everything that a pipeline needs."""
    return Networks(
        detector=people.detector,
        pose=people.pose,
        names=(*people.names[:2], action.contract.name),
        glance=people.glance,
        crop_detector=people.crop_detector,
        detector_id=people.detector_id,
        pose_id=people.pose_id,
        action=action,
    )


def load_action(choice: NetworkChoice, registry: Registry, store: WeightStore) -> ActionModel:
    """The action model alone; raises what `load_networks` raises."""
    folder = find_action(choice, registry, store).parent
    return open_action(folder, choice.device, choice.threads)


def open_action(folder: Path, device: str = "cpu", threads: int = 1) -> ActionModel:
    """The action model of a folder, with its members where it is a fusion.

    Raises WeightsMissing, WeightsCorrupt, ContractMismatch, LayoutUnknown or DeviceUnavailable.
    """
    contract = load_contract(folder / "model.json")
    if contract.members:
        members = [open_action(folder / member.folder, device, threads) for member in contract.members]
        verify_members(contract, [member.contract for member in members])
        return FusedModel(contract, members)
    verify_weights(contract, folder / "model.onnx")
    session = Session(folder / "model.onnx", device, threads)
    declare_windows(contract, session)
    return ContinualModel(contract, session) if contract.is_continual else ActionModel(contract, session)


def find_action(choice: NetworkChoice, registry: Registry, store: WeightStore) -> Path:
    """The weight file of the chosen action model; its model.json lies beside it."""
    if choice.model is not None and (Path(choice.model) / "model.json").is_file():
        return Path(choice.model) / "model.onnx"
    return store.require(_action_spec(choice, registry))


def build_pipeline(networks: Networks, config: PipelineConfig, source_id: str) -> Pipeline:
    """A new pipeline for one source; `source_id` goes into the ids of its events."""
    clock = StageClock()
    people = build_people(networks, config, clock)
    layout = require_layout(networks.pose.layout)
    return Pipeline(people, build_actions(networks.action, config, source_id, clock, layout), clock)


def build_people(networks: PeopleNetworks, config: PipelineConfig, clock: StageClock | None = None) -> PeopleChain:
    """A new chain from frames to poses for one source."""
    layout = require_layout(networks.pose.layout)
    return PeopleChain(
        DetectStage(networks.detector, config.detect, networks.glance),
        TrackStage(config.track, layout),
        PoseStage(networks.pose, config.pose, networks.crop_detector or networks.detector, layout),
        CameraStage(config.camera, layout),
        clock,
    )


def build_actions(
    model: ActionModel,
    config: PipelineConfig,
    source_id: str,
    clock: StageClock | None = None,
    layout: Layout = COCO17,
) -> ActionChain:
    """A new chain from poses to events for one source.

    source_id: goes into the ids of its events. layout: of the poses' joints.
    """
    contract = model.contract
    rules = judging_rules(contract.actions, config.actions)
    smooth_s = max(0.0, config.smooth.mean_s - config.window.stride_s) / 2
    stages = ActionStages(
        window=WindowStage(config.window, contract.window_s, contract.rate_hz),
        classify=_build_classify(model, config, layout),
        smooth=SmoothStage(config.smooth, contract.labels, contract.families),
        label=LabelStage(config.smooth, contract.labels, rules),
        events=EventStage(source_id, contract.labels, rules, config.events, EventDating(contract.window_s, smooth_s)),
    )
    return ActionChain(stages, clock)


def _build_classify(model: ActionModel, config: PipelineConfig, layout: Layout) -> ClassifyStage:
    """The stage that this kind of model needs; raises LayoutNotServed."""
    if isinstance(model, ContinualModel):
        return StepStage(model, config.window.max_gap_s, layout)
    pictures = PictureRing(model.contract.window_s, model.num_pictures) if model.wants_pictures else None
    return ActionStage(model, layout, pictures)


def _action_spec(choice: NetworkChoice, registry: Registry) -> ModelSpec:
    """The named action model, else the profile's, else the first of the registry."""
    known = [spec for spec in registry if spec.task == "action"]
    preferred = registry.require_profile(choice.profile).get("action", ())
    if choice.model is None and (preferred or known):
        return (*preferred, *known)[0]
    for spec in known:
        if spec.name == choice.model:
            return spec
    names = ", ".join(spec.name for spec in known) or "none"
    raise ModelUnknown(f"found model {choice.model!r}, expected an action model ({names}) or a folder with model.json")
