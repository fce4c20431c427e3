"""The detectors and pose estimators that tasks ask for by name: opened once, warm before use, a bounded number."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from models.errors import NetworksFull
from models.runtime.batched import BatchedDetector, BatchedPose
from models.weights.registry import Registry
from models.weights.store import WeightStore
from pipelines.stream.build import NetworkChoice, PeopleNetworks, load_people_networks
from pipelines.stream.people_networks import with_named
from service.protocol.network_pair import Pair, is_default, told

PeopleT = TypeVar("PeopleT", bound=PeopleNetworks)


@dataclass(slots=True)
class _Held:
    """Networks that are open, and how many tasks use them now."""

    networks: PeopleNetworks
    users: int = 0


@dataclass(frozen=True, slots=True)
class NamedPeople:
    """Opens a pair by the names that clients know: the registry's, or folders of the user's own.

    choice: the default networks, and where networks run. folder: of the user's own. beside: what is open already.
    prepare: batches and counts what is new, and warms it.
    """

    choice: NetworkChoice
    registry: Registry
    store: WeightStore
    folder: Path
    beside: PeopleNetworks
    prepare: Callable[[PeopleNetworks], PeopleNetworks]

    def __call__(self, pair: Pair) -> PeopleNetworks:
        """The networks; raises ModelUnknown, WeightsMissing and the like."""
        detector, pose = (None if name is None else self._place(name) for name in pair)
        choice = with_named(self.choice, detector, pose, self.registry)
        found = load_people_networks(choice, self.store, beside=self.beside)
        return self.prepare(renamed(found, pair))

    def _place(self, name: str) -> str:
        """A name of the registry as it is, or one's own folder: no client may name a folder elsewhere."""
        own = self.folder / name
        is_own = own.parent == self.folder and (own / "model.json").is_file()
        if name not in self.registry.specs and is_own:
            return str(own)
        self.registry.require(name)
        return name


def renamed(found: PeopleT, pair: Pair) -> PeopleT:
    """The networks under the names that clients know: a folder that was copied is known by its own."""
    is_one = found.detector_id == found.pose_id
    detector = pair[0] or (pair[1] if is_one else None) or found.detector_id.name
    pose = pair[1] or (pair[0] if is_one else None) or found.pose_id.name
    return replace(
        found,
        names=(detector, pose, *found.names[2:]),
        detector_id=replace(found.detector_id, name=detector),
        pose_id=replace(found.pose_id, name=pose),
    )


class PeoplePool:
    """A worker's detectors and pose estimators, each time those that are wanted.

    default: held always. load: pair → its networks. pairs_max: others that are open at a time.
    """

    def __init__(self, default: PeopleNetworks, load: Callable[[Pair], PeopleNetworks], pairs_max: int) -> None:
        self._default = default
        self._load = load
        self._pairs_max = pairs_max
        # Held while networks are opened: two streams that want the same ones must not open them twice.
        self._lock = threading.Lock()
        self._held: OrderedDict[Pair, _Held] = OrderedDict()
        self._open: tuple[PeopleNetworks, ...] = (default,)

    @contextmanager
    def hold(self, detector: str | None, pose: str | None) -> Iterator[PeopleNetworks]:
        """These networks, for as long as the block runs; None takes the default.

        Raises NetworksFull where tasks use as many others as may be open, and what `load` raises.
        """
        pair = (detector, pose)
        if is_default(pair, (self._default.detector_id.name, self._default.pose_id.name)):
            yield self._default
            return
        held = self._take(pair)
        try:
            yield held.networks
        finally:
            with self._lock:
                held.users -= 1

    @property
    def open_networks(self) -> tuple[PeopleNetworks, ...]:
        """All that are open now, the default ones first; never waits for others to be opened."""
        return self._open

    def _take(self, pair: Pair) -> _Held:
        with self._lock:
            if pair not in self._held:
                self._make_room(pair)
                self._held[pair] = _Held(self._load(pair))
                self._open = (self._default, *(held.networks for held in self._held.values()))
            held = self._held[pair]
            self._held.move_to_end(pair)
            held.users += 1
            return held

    def _make_room(self, pair: Pair) -> None:
        """Close the ones that nobody has used for the longest; raises NetworksFull where all are in use."""
        while len(self._held) >= self._pairs_max:
            idle = next((one for one, held in self._held.items() if held.users == 0), None)
            if idle is None:
                raise NetworksFull(
                    f"{told(pair)}: this worker holds {len(self._held)} other choices of detector and pose estimator, "
                    f"all in use ({'; '.join(map(told, self._held)) or 'none may be'}), and takes {self._pairs_max}; "
                    "see ACTOGRAM_NETWORKS_PER_WORKER"
                )
            self._close(self._held.pop(idle).networks)

    def _close(self, networks: PeopleNetworks) -> None:
        """End the threads that gathered calls for what is open no more."""
        if isinstance(networks.detector, BatchedDetector) and networks.detector is not self._default.detector:
            networks.detector.close()
        if isinstance(networks.pose, BatchedPose) and networks.pose is not self._default.pose:
            networks.pose.close()
