"""The service with its real workers and networks: a clip becomes labels, and bad files become clear errors."""

import json
import logging
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from service.bench import build_bench
from service.settings import load_settings
from service.workers.local import LocalEngine
from tests.service.conftest import Running, running

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, weights_dir: Path) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("real")
    # What was fetched once serves every run.
    cache = load_settings(home=Path.home() / ".actogram").cache
    cache.mkdir(parents=True, exist_ok=True)
    (home / "weights").symlink_to(cache)
    settings = load_settings(home=home, weights=weights_dir, disk_reserve_bytes=0, workers=0)
    engine = LocalEngine(partial(build_bench, settings), logging.WARNING)
    with running(home, engine, is_ready=False, workers=0) as found:
        until = time.monotonic() + 120
        while found.http.get("/readyz").status_code != 200:
            assert time.monotonic() < until, found.http.get("/readyz").text
            time.sleep(0.2)
        yield found


def _audio(path: Path) -> bytes:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path.read_bytes()


def _upload(service: Running, name: str, data: bytes, **fields: str) -> dict[str, object]:
    made = service.http.post("/v1/jobs", files={"file": (name, data)}, data=fields)
    assert made.status_code == 202, made.text
    return service.wait(made.json()["job_id"], timeout_s=120)


def test_clip_of_a_fall_becomes_labels(service: Running, data_dir: Path) -> None:
    clip = (data_dir / "video" / "upfall_a1_t1_c1.mp4").read_bytes()

    job = _upload(service, "Sturz – 落ちる.MP4", clip, video="true")

    assert job["state"] == "succeeded", job["error"]
    summary, base = job["summary"], f"/v1/jobs/{job['job_id']}"
    assert isinstance(summary, dict)
    assert "fall" in summary["actions"]
    lines = [json.loads(line) for line in service.http.get(f"{base}/results").text.splitlines()]
    frames = [line for line in lines if line["type"] == "frame"]
    assert len(frames) == summary["num_frames"]
    boxes = np.array([person["box"] for line in frames for person in line["persons"]])
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert "fall" in service.http.get(f"{base}/results?format=csv").text
    tracks = service.http.get(f"{base}/timeline").json()["tracks"]
    assert {action["action"] for track in tracks for action in track["actions"]} == set(summary["actions"])
    assert service.http.get(f"{base}/video").content[4:8] == b"ftyp"


def test_bad_files_say_what_is_wrong_by_their_own_name(service: Running, data_dir: Path, tmp_path: Path) -> None:
    clip = (data_dir / "video" / "upfall_a1_t1_c1.mp4").read_bytes()
    cases = {
        "notes.mp4": (b"these are notes, not a film\n" * 100, "unsupported_media"),
        "noise.avi": (np.random.default_rng(0).bytes(20_000), "unsupported_media"),
        "ton ü.mp4": (_audio(tmp_path / "a.mp4"), "unsupported_media"),
        "cut.mp4": (clip[:60_000], "source_truncated"),
    }

    found = {name: _upload(service, name, data) for name, (data, _) in cases.items()}

    for name, (_, code) in cases.items():
        error = found[name]["error"]
        assert isinstance(error, dict)
        assert (found[name]["state"], error["code"]) == ("failed", code)
        assert name in error["detail"]
        assert "source." not in error["detail"]
