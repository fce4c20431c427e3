"""Frames of many cameras through decode, people, actions and the server, event by event: where it jams first."""

import importlib
import math
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import ModuleType
from typing import Literal

from pipelines.bench.percentiles import percentiles
from pipelines.errors import PackageMissing

_SLICE_S = 0.01
"""How long a thread keeps a core while others wait."""
_SETTLE_SHARE = 0.2
"""Part of the time before anything is counted: all cameras begin at once."""
_TOLD_PER_EVENT = 2
"""When it begins and when it ends."""
_SPREAD = 0.15
"""How much the cost of one picture varies around its mean, as a share of it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with a worker; seconds of one core, and of the device, per picture.

    decode_s: of every picture that a camera sends.  look_s: of looking for people anew, every `look_period_s`.
    label_s: of joints, tracks and actions of one analysed picture.  device_s: of the GPU, one picture after another.
    wait_s: neither: hand-overs within the worker.  latency_s: before a picture can be decoded.
    """

    cores: int
    decode_s: float
    look_s: float
    label_s: float
    device_s: float = 0.0
    wait_s: float = 0.0
    latency_s: float = 0.0
    look_period_s: float = 0.2


@dataclass(frozen=True, slots=True)
class Station:
    """Something that all cameras share, one thing after another.

    service_s: for one label, or for one message of an event.  waiting_max: best-effort labels over it are dropped;
    None for what is never dropped.
    """

    name: str
    takes: Literal["label", "event"]
    service_s: float
    waiting_max: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Cameras on machines of one kind, round robin; `source_hz` as they send, `fps` as is asked for."""

    cameras: int
    machines: int
    machine: Machine
    source_hz: float = 18.0
    fps: float = 15.0
    events_hour: float = 0.0
    stations: tuple[Station, ...] = ()


@dataclass(slots=True)
class Load:
    """A station's: share of the time that it was in use, what it dropped, and how long the longest wait was."""

    busy_s: float = 0.0
    dropped: int = 0
    longest_s: float = 0.0
    free_at_s: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What came of it.

    ages_ms: p50, p95 and p99 from a picture to its label.  use: station → share of the time in use, over 1 where more
    came than it could take.  dropped: station → labels; `buffer` is the cameras' own.
    """

    labels_per_camera_s: float
    ages_ms: dict[str, float | None]
    core_use: float
    device_use: float
    use: dict[str, float] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    longest_s: dict[str, float] = field(default_factory=dict)


def simulate(site: Site, seconds: float, seed: int = 0, progress: Callable[[float], None] = lambda _: None) -> Outcome:
    """Run the site for so long; the same seed gives the same outcome. Raises PackageMissing.

    progress: told the share that is done, ten times.
    """
    if find_spec("simpy") is None:
        raise PackageMissing("the simulation needs SimPy, which is not installed: pip install 'actogram[plan]'")
    return _Run(importlib.import_module("simpy"), site, seconds, seed).run(progress)


class _Run:
    def __init__(self, simpy: ModuleType, site: Site, seconds: float, seed: int) -> None:
        self._site = site
        self._seconds = seconds
        self._counts_from_s = _SETTLE_SHARE * seconds
        self._random = random.Random(seed)  # noqa: S311 - a simulation
        self._environment = simpy.Environment()
        self._cores = [simpy.Resource(self._environment, site.machine.cores) for _ in range(site.machines)]
        self._devices = [simpy.Resource(self._environment, 1) for _ in range(site.machines)]
        self._loads = {station.name: Load() for station in site.stations}
        self._ages_s: list[float] = []
        self._core_s = self._device_s = 0.0
        self._skipped = 0

    def run(self, progress: Callable[[float], None]) -> Outcome:
        """The whole time, in ten steps."""
        for index in range(self._site.cameras):
            self._environment.process(self._camera(index % self._site.machines))
        for step in range(1, 11):
            self._environment.run(until=self._seconds * step / 10)
            progress(step / 10)
        counted_s = self._seconds - self._counts_from_s
        machines, loads = self._site.machines, self._loads
        ages = percentiles([1000 * age_s for age_s in self._ages_s])
        return Outcome(
            len(self._ages_s) / counted_s / self._site.cameras, ages,
            self._core_s / counted_s / machines / self._site.machine.cores, self._device_s / counted_s / machines,
            {name: load.busy_s / counted_s for name, load in loads.items()},
            {"buffer": self._skipped, **{name: load.dropped for name, load in loads.items()}},
            {name: load.longest_s for name, load in loads.items()},
        )  # fmt: skip

    def _camera(self, machine: int) -> Generator[object, object, None]:
        """One camera's thread: takes the newest picture, which a buffer of one with drop-oldest holds."""
        site, environment = self._site, self._environment
        period_s = 1 / min(site.fps, site.source_hz)
        phase_s, taken, looked_s = self._random.random() * period_s, -1, -math.inf
        while True:
            newest = math.floor((environment.now - phase_s) / period_s)
            if newest <= taken:
                yield environment.timeout(max(1e-9, phase_s + (taken + 1) * period_s - environment.now))
                newest = taken + 1
            came_s, passed = phase_s + newest * period_s, newest - taken
            taken = newest
            self._skipped += (passed - 1) * self._is_counted()
            looks = environment.now - looked_s >= site.machine.look_period_s
            looked_s = environment.now if looks else looked_s
            yield from self._analyse(machine, passed * site.source_hz * period_s, looks=looks)
            self._tell(environment.now - came_s + site.machine.latency_s, passed * period_s)

    def _analyse(self, machine: int, num_decoded: float, *, looks: bool) -> Generator[object, object, None]:
        costs = self._site.machine
        varied = max(0.1, self._random.gauss(1, _SPREAD))
        left_s = num_decoded * costs.decode_s + varied * (costs.label_s + costs.look_s * looks)
        while left_s > 0:
            part_s = min(_SLICE_S, left_s)
            with self._cores[machine].request() as core:
                yield core
                yield self._environment.timeout(part_s)
            self._core_s += part_s * self._is_counted()
            left_s -= part_s
        if costs.device_s > 0:
            with self._devices[machine].request() as device:
                yield device
                yield self._environment.timeout(costs.device_s)
            self._device_s += costs.device_s * self._is_counted()
        if costs.wait_s > 0:
            yield self._environment.timeout(costs.wait_s)

    def _tell(self, age_s: float, since_s: float) -> None:
        """A label goes through what all share; so do the messages of the events since the one before."""
        has_event = self._random.random() < _TOLD_PER_EVENT * self._site.events_hour / 3600 * since_s
        for station in self._site.stations:
            if station.takes == "event":
                if has_event:
                    self._pass(station)
                continue
            waited_s = self._pass(station)
            if waited_s is None:
                age_s = math.inf
            age_s += waited_s or 0.0
        if self._is_counted() and math.isfinite(age_s):
            self._ages_s.append(age_s)

    def _pass(self, station: Station) -> float | None:
        """Seconds until it has come through; None when it was dropped."""
        load, now_s = self._loads[station.name], float(self._environment.now)
        wait_s = max(0.0, load.free_at_s - now_s)
        counts = self._is_counted()
        load.busy_s += station.service_s * counts
        if station.waiting_max is not None and wait_s > station.waiting_max * station.service_s:
            load.dropped += counts
            return None
        load.free_at_s = now_s + wait_s + station.service_s
        load.longest_s = max(load.longest_s, wait_s)
        return wait_s + station.service_s

    def _is_counted(self) -> bool:
        return bool(self._environment.now >= self._counts_from_s)
