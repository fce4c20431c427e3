"""The action models that tasks ask for by name: loaded once, shared by jobs and streams, a few of them kept."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from models.errors import ModelUnknown
from models.runtime.action import ActionModel
from models.weights.registry import Registry
from models.weights.store import WeightStore
from pipelines.stream.build import NetworkChoice, Networks, PeopleNetworks, load_action, with_action
from service.protocol.network_pair import Pair, told
from service.worker.people_pool import PeoplePool

_MODELS_MAX = 4


@dataclass(frozen=True, slots=True)
class NamedModels:
    """Loads an action model by the name that clients know it by: the registry's, or a folder of the user's own.

    choice: where networks run. folder: of the user's own models.
    """

    choice: NetworkChoice
    registry: Registry
    store: WeightStore
    folder: Path

    def __call__(self, name: str) -> ActionModel:
        """The model; raises ModelUnknown, WeightsMissing and the like."""
        # A name only: no client may name a folder elsewhere.
        own = self.folder / name
        is_own = own.parent == self.folder and (own / "model.json").is_file()
        if not is_own or name in self.registry.specs:
            self.registry.require(name)
            return load_action(replace(self.choice, model=name), self.registry, self.store)
        model = load_action(replace(self.choice, model=str(own)), self.registry, self.store)
        # A folder that was copied is known by its own name, in the API as in results.
        model.contract = model.contract.model_copy(update={"name": name})
        return model


@dataclass(frozen=True, slots=True)
class Wanted:
    """The names of the networks that a task asks for; None takes the default."""

    model: str | None = None
    detector: str | None = None
    pose: str | None = None


class ActionModels:
    """The worker's networks, each time with the action model that is wanted.

    networks: with the default action model.
    load: name of another one → the model; raises ModelUnknown, WeightsMissing and the like.
    models_max: others that are kept; the one that was not asked for the longest goes, once no task has it any more.
    people: where other detectors and pose estimators come from; None knows none.
    """

    def __init__(
        self, networks: Networks, load: Callable[[str], ActionModel], models_max: int = _MODELS_MAX,
        people: PeoplePool | None = None,
    ) -> None:  # fmt: skip
        self._people = people or PeoplePool(networks, _know_none, pairs_max=1)
        self._networks = networks
        self._load = load
        self._models_max = models_max
        # Held while a model is loaded: two streams that want the same one must not load it twice.
        self._lock = threading.Lock()
        self._others: OrderedDict[str, Networks] = OrderedDict()

    @contextmanager
    def hold(self, wanted: Wanted) -> Iterator[Networks]:
        """The networks of a task, for as long as the block runs; raises NetworksFull, and what both `load`s raise."""
        judging = self.require(wanted.model)
        with self._people.hold(wanted.detector, wanted.pose) as people:
            is_default = people.detector is judging.detector and people.pose is judging.pose
            yield judging if is_default else with_action(people, judging.action)

    def require(self, name: str | None) -> Networks:
        """The networks with this action model; None takes the default. Raises what `load` raises."""
        if name is None or name == self._networks.action.contract.name:
            return self._networks
        with self._lock:
            if name not in self._others:
                self._others[name] = replace(self._networks, action=self._load(name))
            self._others.move_to_end(name)
            while len(self._others) > self._models_max:
                self._others.popitem(last=False)
            return self._others[name]


def _know_none(pair: Pair) -> PeopleNetworks:
    raise ModelUnknown(f"{told(pair)}: this worker knows its default detector and pose estimator alone")
