"""Detectors and pose estimators that tasks name are opened once for all of them, and no more than a worker may hold."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ModelUnknown, NetworksFull
from models.runtime.batched import BatchedDetector
from models.runtime.onestage import OneStagePose
from models.weights.registry import load_registry
from models.weights.store import WeightStore
from pipelines.stream.build import NetworkChoice, Networks, load_people_networks, with_action
from pipelines.types import NetworkId
from service.protocol.loaded_networks import LoadedNetwork, loaded_of
from service.protocol.network_pair import Pair
from service.worker.action_models import ActionModels, Wanted
from service.worker.gauges import BatchSizes
from service.worker.loaded import LoadedNetworks, opened
from service.worker.people_pool import NamedPeople, PeoplePool
from service.worker.runners import shared
from tests.people_folders import detector_folder, one_stage_folder, simcc_folder
from tests.stream_fakes import networks_of

DEFAULT = replace(networks_of(), detector_id=NetworkId("boxes"), pose_id=NetworkId("joints"))


class Shelf:
    """Every pair has networks; notes which were opened, and takes its time."""

    def __init__(self) -> None:
        self.opened: list[Pair] = []

    def load(self, pair: Pair) -> Networks:
        self.opened.append(pair)
        time.sleep(0.02)
        return networks_of()


@pytest.mark.parametrize("pair", [(None, None), ("boxes", "joints"), ("boxes", None), (None, "joints")])
def test_default_networks_are_not_opened_again(pair: Pair) -> None:
    shelf = Shelf()

    with PeoplePool(DEFAULT, shelf.load, 2).hold(*pair) as found:
        assert found is DEFAULT

    assert shelf.opened == []


def test_networks_are_opened_once_for_everyone_who_asks_at_the_same_time() -> None:
    shelf = Shelf()
    pool = PeoplePool(DEFAULT, shelf.load, 1)

    def ask(name: str) -> int:
        with pool.hold(name, None) as found:
            return id(found)

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(ask, ["other"] * 8))

    assert (len(found), shelf.opened) == (1, [("other", None)])


def test_pool_refuses_another_pair_while_all_that_it_may_hold_are_in_use() -> None:
    shelf = Shelf()
    pool = PeoplePool(DEFAULT, shelf.load, 2)

    with ExitStack() as tasks:
        for name in ("a", "b", "a"):
            tasks.enter_context(pool.hold(name, None))
        with pytest.raises(
            NetworksFull, match=r"c: this worker holds 2 other .*\(b; a\).* ACTOGRAM_NETWORKS_PER_WORKER"
        ):
            tasks.enter_context(pool.hold("c", None))

    with pool.hold("c", None):
        assert shelf.opened == [("a", None), ("b", None), ("c", None)]
        assert len(pool.open_networks) == 3


def test_pool_that_may_hold_none_serves_the_default_alone() -> None:
    pool = PeoplePool(DEFAULT, Shelf().load, 0)

    with pool.hold(None, None) as found:
        assert found is DEFAULT
    with pytest.raises(NetworksFull, match="none may be"), pool.hold("other", None):
        pass


def test_pool_tries_again_what_could_not_be_opened() -> None:
    def load(pair: Pair) -> Networks:
        raise ModelUnknown(str(pair))

    pool = PeoplePool(DEFAULT, load, 1)

    for _ in range(2):
        with pytest.raises(ModelUnknown), pool.hold("nobody", None):
            pass


def test_task_keeps_the_action_model_that_it_names_beside_its_detector() -> None:
    shelf = Shelf()
    models = ActionModels(DEFAULT, lambda _: networks_of().action, people=PeoplePool(DEFAULT, shelf.load, 1))

    with models.hold(Wanted("other", "boxes2", None)) as found:
        assert found.action is models.require("other").action
        assert found.detector is not DEFAULT.detector
    with models.hold(Wanted()) as usual:
        assert usual is DEFAULT


@pytest.fixture
def named(tmp_path: Path) -> NamedPeople:
    """Opens folders below `own` beside a detector and a pose estimator that are open."""
    choice = NetworkChoice(
        detector=str(detector_folder(tmp_path / "boxes")), pose=str(simcc_folder(tmp_path / "joints"))
    )
    store = WeightStore(tmp_path / "cache", offline=True)
    (tmp_path / "own").mkdir()
    return NamedPeople(
        choice, load_registry(), store, tmp_path / "own", load_people_networks(choice, store), lambda found: found
    )


def test_folder_of_ones_own_is_known_by_its_name_beside_the_default(named: NamedPeople) -> None:
    detector_folder(named.folder / "first").rename(named.folder / "mine")

    found = named(("mine", None))

    assert (found.detector_id.name, found.pose_id.name) == ("mine", "joints")
    assert found.pose is named.beside.pose


def test_one_stage_folder_of_ones_own_takes_both_places(named: NamedPeople) -> None:
    one_stage_folder(named.folder / "first").rename(named.folder / "mine")

    by_detector, by_pose, apart = named(("mine", None)), named((None, "mine")), named(("mine", "mine"))

    for found in (by_detector, by_pose, apart):
        assert found.names == ("mine", "mine")
        assert isinstance(found.pose, OneStagePose)


@pytest.mark.parametrize("name", ["nobody", "../boxes", "sub/mine", "/etc", "", "boxes"])
def test_name_that_leads_elsewhere_is_unknown(named: NamedPeople, name: str) -> None:
    detector_folder(named.folder / "other").rename(named.folder / "other2")
    (named.folder / "sub").mkdir()
    detector_folder(named.folder / "sub" / "mine")

    with pytest.raises(ModelUnknown):
        named((name, None))


def test_opened_networks_are_warm_shared_measured_and_told(named: NamedPeople) -> None:
    detector_folder(named.folder / "mine")
    loaded = LoadedNetworks("cuda:0")
    prepare = opened(
        named(("mine", None)), loaded=loaded, wrap=lambda found: shared(found, "cuda:0", BatchSizes()), max_persons=2
    )
    pool = PeoplePool(DEFAULT, lambda _: prepare, 1)
    loaded.watch(pool)

    with pool.hold("mine", None):
        told = {one.name: one for one in loaded_of(loaded.facts())}
    with pool.hold("another", None):
        pass
    again = shared(prepare, "cuda:0", BatchSizes())

    assert isinstance(prepare.detector, BatchedDetector)
    assert again.detector is prepare.detector
    assert {name: (one.per, one.is_loaded) for name, one in told.items()} == {
        "mine": ("picture", True),
        "joints": ("person", True),
    }
    assert all(one.ms > 0 for one in told.values())


def test_facts_of_another_version_are_no_loaded_networks() -> None:
    assert loaded_of({}) == ()
    assert loaded_of({"loaded": [{"nobody": 1}]}) == ()
    assert loaded_of({"loaded": [{"name": "x", "sha256": "", "ms": 1.5, "per": "picture", "device": "cpu"}]}) == (
        LoadedNetwork("x", "", 1.5, "picture", "cpu"),
    )


def test_networks_say_which_they_are_with_their_hashes(named: NamedPeople) -> None:
    used = with_action(named.beside, networks_of().action).used

    assert (used.detector.name, used.pose.name, used.action.name) == ("boxes", "joints", "fake")
    assert len(used.detector.sha256) == len(used.pose.sha256) == 64
