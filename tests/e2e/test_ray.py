"""Cameras on the nodes of a Ray cluster: a node dies or joins, and they are watched on."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.live_house import Ear, House, Told, data_of
from tests.ray_clusters import Nodes, ray_nodes
from tests.rtsp_server import Footage, RtspServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BACK_S = 10.0
FALL = "upfall_a1_t1_c1.mp4"


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with ray_nodes(3) as found:
        yield found


def test_stream_runs_elsewhere_within_ten_seconds_when_its_node_dies(
    nodes: Nodes, tmp_path: Path, data_dir: Path, weights_dir: Path
) -> None:
    footage = Footage.load(data_dir / "video" / FALL)
    with (
        House(tmp_path / "home", weights_dir, engine="ray", ray_address=nodes.address, workers="2") as house,
        RtspServer(footage) as camera,
        Ear(house, "action", "frame") as ear,
    ):
        stream_id = house.add("victim", camera.url)
        house.until(lambda: bool(ear.of("action.started", stream_id)) and _all_ready(house))
        pid = _pid_of_watcher(house)

        nodes.kill_node_of(pid)
        killed_s = time.monotonic()
        house.until(lambda: _pid_of_watcher(house) not in (0, pid))
        seen = len(ear.of("frame", stream_id))
        house.until(lambda: len(ear.of("frame", stream_id)) > seen)
        back_s = time.monotonic() - killed_s
        print(f"labels again {back_s:.1f} s after the node was killed")

        nodes.add()
        house.until(lambda: _all_ready(house))
        started = len(ear.of("action.started", stream_id))
        house.until(lambda: len(ear.of("action.started", stream_id)) > started)
        house.http.patch(f"/v1/streams/{stream_id}", json={"enabled": False})
        house.until(lambda: all(event["state"] in ("ended", "retracted") for event in house.events(stream_id)))
        time.sleep(1)
        ended = {str(event["event_id"]) for event in house.events(stream_id) if event["state"] == "ended"}

    assert len(ended) >= 2
    for kind in ("action.started", "action.ended"):
        assert Counter(str(data_of(one)["event_id"]) for one in ear.of(kind, stream_id)) == Counter(ended), kind
    assert back_s < BACK_S


def _all_ready(house: House) -> bool:
    return all(one["state"] == "ready" for one in house.workers())


def _pid_of_watcher(house: House) -> int:
    """The process of the worker that has the stream; 0 while none has it."""
    return next((int(str(one["pid"] or 0)) for one in house.workers() if _num_streams(one)), 0)


def _num_streams(worker: Told) -> int:
    tasks = worker["tasks"]
    assert isinstance(tasks, dict)
    return int(tasks.get("stream", 0))
