"""How many GPUs, cores, how much memory, network and storage a number of cameras needs, each from a measured cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import ConfigInvalid
from pipelines.planning.costs import STAGES, Cost, Costs, Stage
from pipelines.stream.config import PipelineConfig

FREE_SHARE = 0.2
"""Kept free for bursts, as a worker does that measures itself."""
CAMERAS_MAX, FPS_MAX, PEOPLE_MAX, RATE_MAX = 10_000_000, 240.0, 100.0, 1e6
_MEASURE = "measure it: actogram bench gpu --json FILE"
_DAY_H = 24
_TOLD_PER_EVENT = 2
"""An event is told twice, when it begins and when it ends; each is one transaction."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be watched; raises ConfigInvalid for what no site has.

    camera_mbit: bit rate of one camera, Mbit/s.  events_hour: events of one camera in an hour.
    clip_mib: size of the clip that is kept of each.  store_facts_s: what the database takes in a second, measured.
    The last four are None where nobody knows them.
    """

    cameras: int
    fps: float
    people: float
    camera_mbit: float | None = None
    events_hour: float | None = None
    clip_mib: float | None = None
    store_facts_s: float | None = None

    def __post_init__(self) -> None:
        _require("cameras", self.cameras, 1, CAMERAS_MAX)
        _require("fps", self.fps, 0.1, FPS_MAX)
        _require("people", self.people, 0, PEOPLE_MAX)
        for name in ("camera_mbit", "events_hour", "clip_mib", "store_facts_s"):
            value: float | None = getattr(self, name)
            if value is not None:
                _require(name, value, 0, RATE_MAX)


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that is needed.

    value: None where a cost of it is unknown.  source: which costs it comes from, or what to measure or to say.
    """

    name: str
    value: float | None
    unit: str
    source: str


def plan(wish: Wish, costs: Costs) -> tuple[Figure, ...]:
    """What the cameras need on machines like the measured one, unknown where its report or the wish leaves it open."""
    device_s = _device_s(wish, costs)
    gpus = _gpus(wish, costs, device_s)
    cores = _cores(wish, costs)
    workers = gpus if costs.is_gpu else _whole("workers", cores, "one core each, as a worker reserves by default")
    return (
        Figure("labels", wish.cameras * wish.fps, "per second", "cameras x fps"),
        gpus,
        cores,
        workers,
        _memory(wish, costs, workers),
        _gpu_memory(wish, costs, gpus),
        _product("network in", (wish.cameras, wish.camera_mbit), 1 / 1000, "Gbit/s", "say it: --camera-mbit"),
        _product(
            "event messages", (wish.cameras, wish.events_hour), _TOLD_PER_EVENT / 3600, "per second",
            "say it: --events-per-hour",
        ),
        _product(
            "clips", (wish.cameras, wish.events_hour, wish.clip_mib), _DAY_H / 2**20, "TiB a day",
            "say it: --events-per-hour and --clip-mib",
        ),
        _database(wish),
    )  # fmt: skip


def rows_hz(wish: Wish, config: PipelineConfig) -> dict[Stage, float]:
    """Pictures, crops and windows that each stage gets from one camera in a second."""
    return {
        "detect": min(wish.fps, 1 / config.detect.period_s),
        "pose": wish.fps * wish.people,
        "action": wish.people * min(wish.fps, 1 / config.window.stride_s),
    }


def _device_s(wish: Wish, costs: Costs) -> Cost | None:
    """Seconds of the device that one camera takes in a second; None while a stage's cost is unknown."""
    if any(stage not in costs.row_s for stage in STAGES):
        return None
    rates = rows_hz(wish, PipelineConfig())
    value = math.fsum(rates[stage] * costs.row_s[stage].value for stage in STAGES)
    return Cost(value, "; ".join(costs.row_s[stage].source for stage in STAGES))


def _gpus(wish: Wish, costs: Costs, device_s: Cost | None) -> Figure:
    if not costs.is_gpu:
        return Figure("GPUs", None, "", f"measured on {costs.device}; {_MEASURE} on the GPU in question")
    if device_s is None:
        missing = ", ".join(stage for stage in STAGES if stage not in costs.row_s)
        return Figure("GPUs", None, "", f"no cost of {missing} in {costs.name}; {_MEASURE}")
    needed = math.ceil(wish.cameras * device_s.value / (1 - FREE_SHARE))
    return Figure("GPUs", float(max(1, needed)), costs.device, f"{device_s.source}; a fifth kept free")


def _cores(wish: Wish, costs: Costs) -> Figure:
    """What is around the networks costs the same however many people there are; networks on the CPU cost by person."""
    if costs.core_s is None:
        return Figure("cores", None, "", f"no cameras in {costs.name}; {_MEASURE}")
    each_s, source = costs.core_s.value * wish.fps, costs.core_s.source
    if not costs.is_gpu:
        if costs.people is None or any(stage not in costs.row_s for stage in STAGES):
            return Figure("cores", None, "", f"no people or no cost of a stage in {costs.name}; {_MEASURE}")
        there = _network_s(Wish(1, wish.fps, costs.people), costs)
        here = _network_s(wish, costs)
        each_s = max(0.0, each_s - there) + here
        source += f" with {costs.people:.1f} people, networks scaled to {wish.people:g}"
    return Figure("cores", math.ceil(10 * wish.cameras * each_s / (1 - FREE_SHARE)) / 10, "", f"{source}; a fifth free")


def _network_s(wish: Wish, costs: Costs) -> float:
    found = _device_s(wish, costs)
    return 0.0 if found is None else found.value


def _whole(name: str, figure: Figure, source: str) -> Figure:
    value = None if figure.value is None else float(max(1, math.ceil(figure.value)))
    return Figure(name, value, "", source if figure.value is not None else figure.source)


def _memory(wish: Wish, costs: Costs, workers: Figure) -> Figure:
    if costs.memory is None or workers.value is None:
        return Figure("memory of the workers", None, "GiB", f"cameras at two or more numbers; {_MEASURE}")
    total = workers.value * costs.memory.base + wish.cameras * costs.memory.each
    return Figure("memory of the workers", round(total / 2**30, 1), "GiB", costs.memory.source)


def _gpu_memory(wish: Wish, costs: Costs, gpus: Figure) -> Figure:
    if costs.gpu_memory is None or gpus.value is None:
        return Figure("memory of each GPU", None, "GiB", f"cameras at two or more numbers on a GPU; {_MEASURE}")
    total = costs.gpu_memory.base + wish.cameras / gpus.value * costs.gpu_memory.each
    return Figure("memory of each GPU", round(total / 2**30, 1), "GiB", costs.gpu_memory.source)


def _product(name: str, factors: Sequence[float | None], scale: float, unit: str, ask: str) -> Figure:
    known = [factor for factor in factors if factor is not None]
    if len(known) < len(factors):
        return Figure(name, None, unit, ask)
    return Figure(name, round(math.prod(known) * scale, 3), unit, "from what was said")


def _database(wish: Wish) -> Figure:
    if wish.events_hour is None or wish.store_facts_s is None:
        return Figure("database in use", None, "%", "say it: --events-per-hour and --store-per-second, measured")
    if wish.store_facts_s == 0:
        return Figure("database in use", None, "%", "--store-per-second: found 0, expected what the database takes")
    used = wish.cameras * wish.events_hour * _TOLD_PER_EVENT / 3600 / wish.store_facts_s
    return Figure("database in use", round(100 * used, 1), "%", "event messages by what the database takes")


def _require(name: str, value: float, least: float, most: float) -> None:
    if not math.isfinite(value) or not least <= value <= most:
        raise ConfigInvalid(f"{name}: found {value:g}, expected {least:g} to {most:g}")
