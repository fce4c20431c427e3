"""Action models that tasks name are loaded once for all of them, and few are kept."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.errors import ModelUnknown
from models.runtime.action import ActionModel
from models.weights.registry import ZOO_PATH, load_registry
from models.weights.store import WeightStore
from pipelines.stream.build import NetworkChoice
from service.worker.action_models import ActionModels, NamedModels
from tests.service.worker.action_models import only
from tests.stream_fakes import networks_of

NETWORKS = networks_of((5.0, 0.0, 0.0))


class Shelf:
    """Every name has a model; notes which were loaded, and takes its time."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self._lock = threading.Lock()

    def load(self, name: str) -> ActionModel:
        with self._lock:
            self.loaded.append(name)
        time.sleep(0.02)
        return networks_of((5.0, 0.0, 0.0)).action


@pytest.mark.parametrize("name", [None, "fake"])
def test_default_model_is_not_loaded_again(name: str | None) -> None:
    shelf = Shelf()

    found = ActionModels(NETWORKS, shelf.load).require(name)

    assert found is NETWORKS
    assert shelf.loaded == []


def test_model_is_loaded_once_for_everyone_who_asks_at_the_same_time() -> None:
    shelf = Shelf()
    models = ActionModels(NETWORKS, shelf.load)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(models.require, ["other"] * 8))

    assert shelf.loaded == ["other"]
    assert len({id(networks) for networks in found}) == 1
    assert found[0].detector is NETWORKS.detector
    assert found[0].action is not NETWORKS.action


def test_model_that_was_not_asked_for_the_longest_goes_first() -> None:
    shelf = Shelf()
    models = ActionModels(NETWORKS, shelf.load, models_max=2)

    for name in ("a", "b", "a", "c", "a", "b"):
        models.require(name)

    assert shelf.loaded == ["a", "b", "c", "b"]


def test_model_that_cannot_be_loaded_is_tried_again() -> None:
    models = only(NETWORKS)

    for _ in range(2):
        with pytest.raises(ModelUnknown):
            models.require("nobody")


def test_model_of_ones_own_is_known_by_the_name_of_its_folder(tmp_path: Path) -> None:
    shutil.copytree(ZOO_PATH / "everyday-stgcnpp", tmp_path / "mine")
    load = NamedModels(NetworkChoice(), load_registry(), WeightStore(tmp_path / "cache", offline=True), tmp_path)

    assert load("mine").contract.name == "mine"
    assert load("everyday-stgcnpp").contract.name == "everyday-stgcnpp"


@pytest.mark.parametrize("name", ["nobody", "../mine", "sub/mine"])
def test_name_that_leads_elsewhere_is_unknown(tmp_path: Path, name: str) -> None:
    for place in ("mine", "models/sub/mine"):
        shutil.copytree(ZOO_PATH / "everyday-stgcnpp", tmp_path / place)
    store = WeightStore(tmp_path / "cache", offline=True)
    load = NamedModels(NetworkChoice(), load_registry(), store, tmp_path / "models")

    with pytest.raises(ModelUnknown):
        load(name)
