"""Which networks are open in a worker, and how fast each was here: what the service lists of its models."""

import threading
from collections.abc import Callable
from dataclasses import asdict

from models.runtime.session import sessions_of
from pipelines.stream.build import Networks, PeopleNetworks
from pipelines.types import NetworkId
from service.protocol.loaded_networks import LOADED, LoadedNetwork, Per
from service.protocol.messages import Values
from service.worker.people_pool import PeoplePool
from service.worker.warm import measure_action, measure_people, warm_people


class LoadedNetworks:
    """Notes what was measured of each network that was opened; may be used from any thread."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._lock = threading.Lock()
        self._measured: dict[NetworkId, LoadedNetwork] = {}
        self._people: PeoplePool | None = None

    def watch(self, people: PeoplePool) -> None:
        """Whose networks are to be told of: a network that it has closed is measured, but not loaded."""
        self._people = people

    def note(self, networks: PeopleNetworks) -> None:
        """Measure networks that are warm; those of a whole pipeline with their action model."""
        cost = measure_people(networks)
        window_ms = measure_action(networks) if isinstance(networks, Networks) else 0.0
        with self._lock:
            self._note(networks.pose_id, cost.pose_ms, "picture" if cost.is_one_stage else "person")
            if not cost.is_one_stage:
                self._note(networks.detector_id, cost.look_ms, "picture")
            if isinstance(networks, Networks):
                self._note(networks.used.action, window_ms, "window")

    def facts(self) -> Values:
        """All that was measured, for the web process."""
        is_open = {one for people in (self._people.open_networks if self._people else ()) for one in _ids(people)}
        with self._lock:
            measured = list(self._measured.items())
        return {
            LOADED: [
                {**asdict(one), "is_loaded": one.is_loaded and (one.per == "window" or network in is_open)}
                for network, one in measured
            ]
        }

    def _note(self, network: NetworkId, ms: float, per: Per) -> None:
        self._measured[network] = LoadedNetwork(network.name, network.sha256, round(ms, 2), per, self._device)


def opened(
    networks: PeopleNetworks, *, loaded: LoadedNetworks, wrap: Callable[[PeopleNetworks], PeopleNetworks],
    max_persons: int,
) -> PeopleNetworks:  # fmt: skip
    """Networks that were just opened, as streams use them: shared, warm and measured."""
    for session in sessions_of(networks.detector, networks.glance, networks.crop_detector, networks.pose):
        session.warm_declared()
    ready = wrap(networks)
    warm_people(ready, max_persons)
    loaded.note(ready)
    return ready


def _ids(people: PeopleNetworks) -> tuple[NetworkId, NetworkId]:
    return people.detector_id, people.pose_id
