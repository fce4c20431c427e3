"""Cameras that name a detector or a pose estimator: admitted while the workers have room for it, else told why not."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.addresses.policy import AddressPolicy
from service.errors import IdempotencyConflict, TooManyNetworks
from service.protocol.stream_config import Analysis
from service.streams.control import StreamControl, WorkerCapacity
from service.streams.schemas import StreamCreate, StreamPatch
from tests.service.streams.puppets import CAMERA, Desk

CAPACITY = WorkerCapacity(8, None, pairs_max=1, default_pair=("boxes", "joints"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk before workers that hold one pair beside `boxes` with `joints`."""
    return _with(Desk(tmp_path), CAPACITY)


def _with(desk: Desk, capacity: WorkerCapacity) -> Desk:
    policy = AddressPolicy(frozenset({"rtsp", "push"}))
    desk.control = StreamControl(
        desk.database, desk.log, policy, desk.dispatcher, desk.witness, lambda _: None, lambda: capacity, lambda _: ()
    )
    return desk


@pytest.mark.parametrize(
    "analysis",
    [{"detector": "boxes"}, {"pose": "joints"}, {"detector": "boxes", "pose": "joints"}, {"detector": "other"}, {}],
)
def test_camera_is_admitted_with_the_default_networks_or_those_of_another(desk: Desk, analysis: dict[str, str]) -> None:
    desk.add("first", analysis={"detector": "other"})

    desk.add("second", analysis=analysis)

    assert desk.control.require("second").is_enabled


def test_camera_is_refused_when_the_workers_hold_as_many_as_they_may(desk: Desk) -> None:
    desk.add("first", analysis={"detector": "other"})

    with pytest.raises(TooManyNetworks, match=r"third: .* already \(other\), and a worker holds 1;") as refused:
        desk.add("second", analysis={"detector": "third"})

    assert (refused.value.code, refused.value.status) == ("networks_full", 429)
    assert "Retry-After" in refused.value.headers


def test_camera_takes_the_place_of_one_that_was_disabled(desk: Desk) -> None:
    desk.add("first", analysis={"detector": "other"})
    desk.control.change("first", StreamPatch(enabled=False))

    desk.add("second", analysis={"detector": "third"})

    with pytest.raises(TooManyNetworks):
        desk.control.change("first", StreamPatch(enabled=True))


def test_change_of_networks_is_refused_like_a_new_camera(desk: Desk) -> None:
    desk.add("first", analysis={"detector": "other"})
    desk.add("second")

    with pytest.raises(TooManyNetworks):
        desk.control.change("second", StreamPatch(analysis=Analysis(pose="third")))
    desk.control.change("first", StreamPatch(analysis=Analysis(pose="third")))

    assert desk.control.require("first").config["analysis"] == Analysis(pose="third").model_dump(mode="json")


def test_camera_that_names_a_detector_is_another_request_under_the_same_key(desk: Desk) -> None:
    plain = StreamCreate.model_validate({"name": "dock", "source": {"uri": CAMERA}})
    named = plain.model_copy(update={"analysis": Analysis(detector="other")})
    desk.control.create(plain, "key")

    _, is_repeated = desk.control.create(plain, "key")

    assert is_repeated
    with pytest.raises(IdempotencyConflict):
        desk.control.create(named, "key")


def test_no_camera_may_name_networks_where_workers_hold_the_default_ones_alone(tmp_path: Path) -> None:
    desk = _with(Desk(tmp_path), replace(CAPACITY, pairs_max=0))

    with pytest.raises(TooManyNetworks, match=r"0 other choices .* \(none\), and a worker holds 0"):
        desk.add(analysis={"detector": "other"})
