"""Finds and opens the detector and the pose estimator: those of a profile, named ones, or those of a folder."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.errors import ModelUnknown
from models.runtime.build import ONE_STAGE_FAMILIES, build_detectors, build_one_stage, build_pose
from models.runtime.detector import Detector
from models.runtime.gpu_libraries import require_gpu_libraries
from models.runtime.people_folder import load_people_folder, read_people_folder
from models.runtime.pose import PoseEstimator
from models.runtime.session import sessions_of
from models.runtime.spare import SpareThreads
from models.weights.fetch import Progress
from models.weights.registry import ModelSpec, Profile, Registry, load_registry
from models.weights.store import WeightStore
from pipelines.types import UNNAMED, NetworkId

Place = Literal["detect", "pose"]
_PLACES = {"detect": "a detector", "pose": "a pose estimator", "detect_pose": "both", "action": "an action model"}


@dataclass(frozen=True, slots=True)
class NetworkChoice:
    """Which networks to load, and where to run them.

    profile: which detector and pose estimator where none is named, by name in the registry.
    model: an action model of the registry, or a folder that holds model.json and model.onnx; None takes the default.
    detector, pose: the same of these two; one that finds people and joints in one pass takes the other's place, too,
        unless that is named. None takes the profile's.
    spare: threads beside `threads` for a call of the people's networks while no other runs; None for no more.
    """

    profile: str = "auto"
    model: str | None = None
    device: str = "cpu"
    threads: int = 1
    detector: str | None = None
    pose: str | None = None
    spare: SpareThreads | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleNetworks:
    """One instance of each network that finds people and their joints; pipelines share them.

    names: of all that is loaded, for reports.
    glance: a cheaper look for people, crop_detector: a look at one person; None where the detector serves for both.
    detector_id, pose_id: which they are; the same where one network is both.
    """

    detector: Detector
    pose: PoseEstimator
    names: tuple[str, ...] = ()
    glance: Detector | None = None
    crop_detector: Detector | None = None
    detector_id: NetworkId = UNNAMED
    pose_id: NetworkId = UNNAMED


@dataclass(frozen=True, slots=True)
class FoundNetwork:
    """A network and its weight file, not opened yet."""

    spec: ModelSpec
    path: Path

    @property
    def is_one_stage(self) -> bool:
        """Whether it finds people and their joints in one pass."""
        return self.spec.family in ONE_STAGE_FAMILIES

    def identify(self) -> NetworkId:
        """Its name, and the sha256 of the very file that is opened."""
        with self.path.open("rb") as file:
            return NetworkId(self.spec.name, hashlib.file_digest(file, "sha256").hexdigest())


@dataclass(frozen=True, slots=True)
class FoundPeople:
    """The two networks of a choice; one and the same where it finds people and their joints in one pass."""

    detector: FoundNetwork
    pose: FoundNetwork


def load_people_networks(
    choice: NetworkChoice, store: WeightStore, progress: Progress | None = None, beside: PeopleNetworks | None = None
) -> PeopleNetworks:
    """The detector and the pose estimator alone.

    beside: networks that are open already; whichever of them is chosen is not opened again.
    Raises ModelUnknown, WeightsMissing, WeightsCorrupt, ContractMismatch, LayoutUnknown or DeviceUnavailable.
    """
    if choice.device.startswith("cuda"):
        require_gpu_libraries()
    registry = load_registry()
    return _open(find_people(choice, registry, store, progress), choice, registry.profiles[choice.profile], beside)


def find_people(
    choice: NetworkChoice, registry: Registry, store: WeightStore, progress: Progress | None = None
) -> FoundPeople:
    """Both networks, fetched where they are missing. Raises as `load_people_networks`."""
    profile = registry.require_profile(choice.profile)
    detector = _find_named(choice.detector, "detect", registry, store, progress)
    pose = _find_named(choice.pose, "pose", registry, store, progress)
    if pose is None and detector is not None and detector.is_one_stage:
        pose = detector
    if detector is None and pose is not None and pose.is_one_stage:
        detector = pose
    return FoundPeople(
        detector or FoundNetwork(*store.choose(profile["detect"], progress)),
        pose or FoundNetwork(*store.choose(profile["pose"], progress)),
    )


def with_named(base: NetworkChoice, detector: str | None, pose: str | None, registry: Registry) -> NetworkChoice:
    """The choice with other networks where they are named, each a name or a folder; None keeps the base's.

    One that finds people and joints in one pass takes both places, unless the other is named too.
    Raises ModelUnknown, and what `read_people_folder` raises.
    """
    if detector is None and pose is None:
        return base
    if (pose is None and _is_one_stage(detector, registry)) or (detector is None and _is_one_stage(pose, registry)):
        return replace(base, detector=detector, pose=pose)
    both = next((name for name in (base.detector, base.pose) if name and _is_one_stage(name, registry)), None)
    return replace(base, detector=detector or base.detector or both, pose=pose or base.pose or both)


def _is_one_stage(name: str | None, registry: Registry) -> bool:
    if name is None:
        return False
    if (Path(name) / "model.json").is_file():
        return read_people_folder(Path(name)).task == "detect_pose"
    return name in registry.specs and registry.specs[name].task == "detect_pose"


def _find_named(
    name: str | None, place: Place, registry: Registry, store: WeightStore, progress: Progress | None
) -> FoundNetwork | None:
    """Raises ModelUnknown for a name that is no network, or one of another kind."""
    if name is None:
        return None
    if (Path(name) / "model.json").is_file() or (name not in registry.specs and Path(name).is_dir()):
        found = FoundNetwork(*load_people_folder(Path(name)))
        _require_task(found.spec, place, registry)
        return found
    if name not in registry.specs:
        known = ", ".join(registry.names(place))
        raise ModelUnknown(f"found {name!r}, expected {_PLACES[place]}: {known}; or a folder with model.json")
    _require_task(registry.specs[name], place, registry)
    return FoundNetwork(registry.specs[name], store.require(registry.specs[name], progress=progress))


def _require_task(spec: ModelSpec, place: Place, registry: Registry) -> None:
    if spec.task not in (place, "detect_pose"):
        known = ", ".join(registry.names(place))
        raise ModelUnknown(f"{spec.name} is {_PLACES[spec.task]}, expected {_PLACES[place]}, such as {known}")


def _open(found: FoundPeople, choice: NetworkChoice, profile: Profile, beside: PeopleNetworks | None) -> PeopleNetworks:
    detector_id, pose_id = found.detector.identify(), found.pose.identify()
    names = (detector_id.name, pose_id.name)
    if found.pose.is_one_stage and detector_id == pose_id:
        both = build_one_stage(found.pose.spec, found.pose.path, choice.device, choice.threads)
        one_id = computed(detector_id, both[0])
        return PeopleNetworks(detector=both[0], pose=both[1], names=names, detector_id=one_id, pose_id=one_id)
    look, glance, crop = _open_detector(found.detector, detector_id, choice, profile, beside)
    pose = _open_pose(found.pose, pose_id, choice, beside)
    return PeopleNetworks(
        detector=look,
        pose=pose,
        names=names,
        glance=glance,
        crop_detector=crop,
        detector_id=_computed_as(beside.detector_id if beside else None, computed(detector_id, look)),
        pose_id=_computed_as(beside.pose_id if beside else None, computed(pose_id, pose)),
    )


def computed(network: NetworkId, part: object) -> NetworkId:
    """The network's id with the engine and precision in which this part runs it."""
    sessions = sessions_of(part)
    return replace(network, engine=sessions[0].engine, precision=sessions[0].precision) if sessions else network


def _computed_as(open_id: NetworkId | None, network: NetworkId) -> NetworkId:
    """The id of a network that was open already, which knows what it runs in; else the network's own."""
    return open_id if open_id == network else network


def _open_detector(
    found: FoundNetwork, found_id: NetworkId, choice: NetworkChoice, profile: Profile, beside: PeopleNetworks | None
) -> tuple[Detector, Detector | None, Detector | None]:
    if beside is not None and beside.detector_id == found_id:
        return beside.detector, beside.glance, beside.crop_detector
    detectors = build_detectors(found.spec, found.path, choice.device, choice.threads, profile.sides, choice.spare)
    look = detectors.look
    return (
        look,
        None if detectors.glance is look else detectors.glance,
        None if detectors.crop is look else detectors.crop,
    )


def _open_pose(
    found: FoundNetwork, found_id: NetworkId, choice: NetworkChoice, beside: PeopleNetworks | None
) -> PoseEstimator:
    if beside is not None and beside.pose_id == found_id:
        return beside.pose
    return build_pose(found.spec, found.path, choice.device, choice.threads, spare=choice.spare)
