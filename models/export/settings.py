"""What serving needs and a checkpoint does not say: the choices of whoever imports it, else careful defaults.

The table of defaults is in docs/models.md; a contract names the fields that were filled from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from pydantic import ValidationError

from models.errors import CheckpointMismatch, ContractMismatch
from models.nets.build import NetworkEntry
from models.runtime.contract import NONE_LABEL, ActionContract, Features
from models.skeleton.layouts import Layout
from models.skeleton.network_input import LAYOUTS_3D

UnknownMethod: TypeAlias = Literal["max_probability", "energy", "off"]

WINDOW_S = 3.0
RATE_HZ = 30.0
HAND_WINDOW_S = 1.0
HAND_RATE_HZ = 10.0
EVERYDAY_WINDOW_S = 2.0
EVERYDAY_RATE_HZ = 15.0
NUM_PERSONS = 2
TEMPERATURE = 1.0
UNKNOWN_BELOW = 0.3
THRESHOLD = 0.5
OFFSET_SHARE = 0.6
MIN_DURATION_S = 0.4
MERGE_GAP_S = 0.6
_EVERYDAY_CHANNELS = 5
_RULE_FIELDS = frozenset({"threshold", "min_duration_s", "merge_gap_s"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices at import; None takes the default.

    window_s: seconds that one answer looks back. rate_hz: samples per second of the window. stream: what the network
    sees of a body. normalise: fixed or auto. temperature: divides the logits. unknown: method and threshold of the
    open-set rule. threshold, min_duration_s, merge_gap_s: of every label.
    """

    window_s: float | None = None
    rate_hz: float | None = None
    stream: str | None = None
    normalise: str | None = None
    temperature: float | None = None
    unknown: tuple[UnknownMethod, float] | None = None
    threshold: float | None = None
    min_duration_s: float | None = None
    merge_gap_s: float | None = None

    @property
    def unset(self) -> tuple[str, ...]:
        """Names of the fields of a contract that nobody chose."""
        names = [one.name for one in fields(self) if getattr(self, one.name) is None]
        kept = [name for name in names if name not in _RULE_FIELDS]
        return (*kept, *(["actions"] if _RULE_FIELDS & set(names) else []))


def features_of(entry: NetworkEntry, layout: Layout, num_values: int) -> Features:
    """The features that a network of this layout and of so many values per joint was trained on.

    Raises CheckpointMismatch where no features have that many values.
    """
    if entry.input == "heatmap":
        return "heatmap"
    if entry.input == "rgbpose":
        return "rgbpose"
    if layout.name == "body13" and num_values == _EVERYDAY_CHANNELS:
        return "everyday13"
    if layout.name in LAYOUTS_3D and num_values == 3:
        return "pyskl-3d"
    if layout.name not in LAYOUTS_3D and num_values in (2, 3):
        return "pyskl-2d"
    wanted = "3" if layout.name in LAYOUTS_3D else "2 (x, y) or 3 (x, y, score)"
    raise CheckpointMismatch(f"the network takes {num_values} values per joint of {layout.name}, expected {wanted}")


def timing(settings: Settings, features: Features, layout: Layout) -> tuple[float, float]:
    """Seconds and rate of the window."""
    if features == "everyday13":
        window_s, rate_hz = EVERYDAY_WINDOW_S, EVERYDAY_RATE_HZ
    elif layout.name.startswith("hand"):
        window_s, rate_hz = HAND_WINDOW_S, HAND_RATE_HZ
    else:
        window_s, rate_hz = WINDOW_S, RATE_HZ
    return settings.window_s or window_s, settings.rate_hz or rate_hz


def serving_fields(settings: Settings, features: Features, layout: Layout, labels: Sequence[str]) -> dict[str, object]:
    """The fields of a contract that settings and defaults decide."""
    window_s, rate_hz = timing(settings, features, layout)
    method, threshold = settings.unknown or ("max_probability", UNKNOWN_BELOW)
    return {
        "features": features,
        "stream": settings.stream or "joint",
        "normalise": settings.normalise or ("auto" if layout.name.startswith("hand") else "fixed"),
        "window_s": window_s,
        "rate_hz": rate_hz,
        "sampling": "resample" if features == "everyday13" else "uniform",
        "temperature": settings.temperature or TEMPERATURE,
        "unknown": {"method": method, "threshold": threshold},
        "actions": {label: _rule(settings) for label in labels if label != NONE_LABEL},
    }


def checked(contract: Mapping[str, object]) -> ActionContract:
    """The same as serving will read it; raises ContractMismatch, which names the field."""
    try:
        return ActionContract.model_validate(contract)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ContractMismatch(f"{where}: {first['msg']}" if where else first["msg"]) from error


def _rule(settings: Settings) -> dict[str, object]:
    threshold = THRESHOLD if settings.threshold is None else settings.threshold
    return {
        "threshold": threshold,
        "offset_threshold": round(OFFSET_SHARE * threshold, 6),
        "min_duration_s": MIN_DURATION_S if settings.min_duration_s is None else settings.min_duration_s,
        "merge_gap_s": MERGE_GAP_S if settings.merge_gap_s is None else settings.merge_gap_s,
        "quality": "experimental",
        "severity": "info",
    }
