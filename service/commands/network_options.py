"""The options by which commands choose their networks, and the choice that options and settings make together."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING

import click

from service.network_choice import default_choice, engine_device, placed

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
    click.option("--device", help="cpu, cpu,openvino or cuda:0 [default: ACTOGRAM_DEVICE or cpu]."),
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
    """What is to be loaded; names of the user's own folders become their paths. Raises as `with_named`."""
    from models.weights.registry import load_registry
    from pipelines.stream.people_networks import with_named

    model = None if wanted.model is None else settings.model_folder(wanted.model)
    base = replace(
        default_choice(settings, threads),
        model=wanted.model if model is None else str(model),
        profile=wanted.profile or settings.profile,
        device=engine_device(settings, wanted.device or settings.device),
    )
    return with_named(base, placed(settings, wanted.detector), placed(settings, wanted.pose), load_registry())
