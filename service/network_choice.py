"""The networks that the settings name, for the commands as for the workers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.stream.build import NetworkChoice
    from service.settings import Settings


def default_choice(settings: "Settings", threads: int) -> "NetworkChoice":
    """What is used where nobody names another network."""
    from pipelines.stream.build import NetworkChoice

    return NetworkChoice(
        profile=settings.profile,
        device=engine_device(settings, settings.device),
        threads=threads,
        detector=placed(settings, settings.detector),
        pose=placed(settings, settings.pose),
    )


def engine_device(settings: "Settings", device: str) -> str:
    """A device with the settings' engine where it is a processor that names none, and a folder for what that compiles.

    Raises DeviceUnavailable for a name that means nothing.
    """
    from models.runtime.device import Device

    found = Device.parse(device)
    match settings.engine_cpu:
        case "openvino" | "openvino-bf16":
            found = found.running("openvino", bf16=settings.engine_cpu == "openvino-bf16")
        case "auto":
            found = found.running("auto")
    return str(found.keeping(settings.cache / "engines") if found.kind == "cpu" else found)


def placed(settings: "Settings", name: str | None) -> str | None:
    """A name of the registry as it is, the folder of any other network as a path."""
    from models.weights.registry import load_registry

    folder = None if name is None or name in load_registry().specs else settings.model_folder(name)
    return name if folder is None else str(folder)


def own_names(settings: "Settings") -> "tuple[str | None, str | None]":
    """The detector and the pose estimator of the settings, where those are the user's own by the folder's name."""
    named = (settings.detector, settings.pose)
    detector, pose = (name if name and _is_own(settings, name) else None for name in named)
    return detector, pose


def _is_own(settings: "Settings", name: str) -> bool:
    own = settings.models_folder / name
    return own.parent == settings.models_folder and placed(settings, name) == str(own)
