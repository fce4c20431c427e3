"""The options by which commands choose their networks, and the choice that options and settings make together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipelines.stream.build import NetworkChoice
    from service.settings import Settings


@dataclass(frozen=True, slots=True)
class WantedNetworks:
    """What the options say; None leaves it to the settings."""

    model: str | None = None
    detector: str | None = None
    pose: str | None = None
    profile: str | None = None
    device: str | None = None


_OPTIONS = (
    click.option(
        "--model", help="Action model, a name (see `actogram models list`) or a folder [default: the built-in one]."
    ),
    click.option(
        "--detector",
        help="Detector, a name or a folder; one that also finds joints takes both places [default: ACTOGRAM_DETECTOR, "
        "else the profile's].",
    ),
    click.option(
        "--pose",
        help="Pose estimator, a name or a folder; one that also detects people takes both places [default: "
        "ACTOGRAM_POSE, else the profile's].",
    ),
    click.option(
        "--profile",
        help="Networks where none is named: auto, fast (CPU) or accurate (GPU) [default: ACTOGRAM_PROFILE or auto].",
    ),
    click.option("--device", help="cpu or cuda:0 [default: ACTOGRAM_DEVICE or cpu]."),
)


def network_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it gets all of them as one argument, `networks`."""

    @wraps(command)
    def gathered(
        *, model: str | None, detector: str | None, pose: str | None, profile: str | None, device: str | None,
        **others: object,
    ) -> None:  # fmt: skip
        command(networks=WantedNetworks(model, detector, pose, profile, device), **others)

    decorated: Callable[..., None] = gathered
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def network_choice(settings: "Settings", wanted: WantedNetworks, threads: int) -> "NetworkChoice":
    """What is to be loaded; names of the user's own folders become their paths."""
    from pipelines.stream.build import NetworkChoice

    model = None if wanted.model is None else settings.model_folder(wanted.model)
    return NetworkChoice(
        profile=wanted.profile or settings.profile,
        model=wanted.model if model is None else str(model),
        device=wanted.device or settings.device,
        threads=threads,
        detector=_placed(settings, wanted.detector or settings.detector),
        pose=_placed(settings, wanted.pose or settings.pose),
    )


def _placed(settings: "Settings", name: str | None) -> str | None:
    """A name of the registry as it is, the folder of any other network as a path."""
    from models.weights.registry import load_registry

    folder = None if name is None or name in load_registry().specs else settings.model_folder(name)
    return name if folder is None else str(folder)
