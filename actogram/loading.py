"""Networks for the library: chosen as the command line chooses them, loaded once per choice and process."""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass

from models.weights.store import WeightStore
from pipelines.stream.build import Networks, load_networks
from service.commands.network_options import WantedNetworks, network_choice
from service.settings import Settings, load_settings

_KEPT = 2
_lock = threading.Lock()
_loaded: OrderedDict[str, Networks] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Choice:
    """Which networks: names of the registry or folders; None takes the default.

    model: for actions. detector, pose: for people and joints. profile: auto, fast or accurate. device: cpu or cuda:N.
    """

    model: str | None = None
    detector: str | None = None
    pose: str | None = None
    profile: str | None = None
    device: str | None = None


def require_networks(choice: Choice | Networks | None) -> Networks:
    """The networks of a choice, or those that were loaded already; the two choices used last stay loaded.

    Raises as `load_networks`.
    """
    if isinstance(choice, Networks):
        return choice
    choice = choice or Choice()
    settings = load_settings()
    wanted = WantedNetworks(choice.model, choice.detector, choice.pose, choice.profile, choice.device)
    chosen = network_choice(settings, wanted, _threads(settings))
    key = repr((chosen, settings.cache, settings.weights))
    with _lock:
        if key not in _loaded:
            _loaded[key] = load_networks(chosen, WeightStore(settings.cache, settings.weights, settings.offline))
        _loaded.move_to_end(key)
        while len(_loaded) > _KEPT:
            _loaded.popitem(last=False)
        return _loaded[key]


def _threads(settings: Settings) -> int:
    if "threads" in settings.model_fields_set:
        return settings.threads
    return min(2, len(os.sched_getaffinity(0)))
