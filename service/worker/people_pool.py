"""The detectors and pose estimators that tasks ask for by name: opened once, warm before use, a bounded number."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from models.errors import NetworksFull
from models.weights.registry import Registry
from models.weights.store import WeightStore
from pipelines.stream.build import NetworkChoice, PeopleNetworks, load_people_networks
from pipelines.stream.people_networks import with_named
from service.protocol.network_pair import Pair, told


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
        places = [None if name is None else self._place(name) for name in pair]
        choice = with_named(self.choice, places[0], places[1], self.registry)
        found = load_people_networks(choice, self.store, beside=self.beside)
        # A folder that was copied is known by its own name, in the API as in results.
        named = {place: name for place, name in zip(places, pair, strict=True) if name is not None and place != name}
        return self.prepare(self._renamed(found, choice, named))

    def _place(self, name: str) -> str:
        """A name of the registry as it is, or one's own folder: no client may name a folder elsewhere."""
        own = self.folder / name
        is_own = own.parent == self.folder and (own / "model.json").is_file()
        if name not in self.registry.specs and is_own:
            return str(own)
        self.registry.require(name)
        return name

    def _renamed(self, found: PeopleNetworks, choice: NetworkChoice, named: dict[str | None, str]) -> PeopleNetworks:
        detector = named.get(choice.detector or choice.pose, found.detector_id.name)
        pose = named.get(choice.pose or choice.detector, found.pose_id.name)
        return replace(
            found,
            names=(detector, pose),
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
        if pair in ((None, None), (self._default.detector_id.name, self._default.pose_id.name)):
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
            del self._held[idle]
