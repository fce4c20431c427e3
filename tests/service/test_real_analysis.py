"""The service with its real worker and networks: a clip becomes labels, a bad file a clear error, and nothing stays."""

import json
import logging
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from service.settings import load_settings
from service.supervision.local import LocalEngine
from service.worker.main import main
from service.worker.runners import build_runners
from tests.models.export.checkpoints import import_small
from tests.service.bad_videos import ODD, REFUSED, Odd, Refused
from tests.service.conftest import JobRead, Running, running
from tests.videos import write_video

pytestmark = pytest.mark.e2e

PEAK_BYTES_MAX = 1.5 * 2**30


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, weights_dir: Path) -> Iterator[Running]:
    """One server and one worker for every case; at the end nothing of any case is left."""
    home = tmp_path_factory.mktemp("real")
    # What was fetched once serves every run.
    cache = load_settings(home=Path.home() / ".actogram").cache
    cache.mkdir(parents=True, exist_ok=True)
    (home / "weights").symlink_to(cache)
    settings = load_settings(home=home, weights=weights_dir, disk_reserve_bytes=0, workers=0)
    engine = LocalEngine(partial(main, partial(build_runners, settings), logging.WARNING))
    with running(home, engine, is_ready=False, workers=0) as found:
        until = time.monotonic() + 120
        while found.http.get("/readyz").status_code != 200:
            assert time.monotonic() < until, found.http.get("/readyz").text
            time.sleep(0.2)
        yield found
        _remove_all(found)
        assert _files(home / "blobs") == []
        (worker,) = _workers(found)
        assert worker["restarts"] == 0


def _upload(service: Running, name: str, data: bytes, **fields: str) -> JobRead:
    made = service.http.post("/v1/jobs", files={"file": (name, data)}, data=fields)
    if made.status_code != 202:
        return {"state": "failed", "error": made.json()}
    return service.wait(made.json()["job_id"], timeout_s=120)


def _error(job: JobRead) -> dict[str, object]:
    assert job["state"] == "failed", job
    error = job["error"]
    assert isinstance(error, dict)
    return error


def _summary(job: JobRead) -> dict[str, object]:
    assert job["state"] == "succeeded", job["error"]
    summary = job["summary"]
    assert isinstance(summary, dict)
    return summary


def _workers(service: Running) -> list[dict[str, object]]:
    found: list[dict[str, object]] = service.http.get("/healthz").json()["workers"]
    return found


def _peak_bytes(service: Running) -> int:
    """The most resident memory that the worker ever had."""
    status = Path(f"/proc/{_workers(service)[0]['pid']}/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _remove_all(service: Running) -> None:
    for job in service.http.get("/v1/jobs?limit=200").json()["items"]:
        service.http.delete(f"/v1/jobs/{job['job_id']}")


@contextmanager
def _full_disk(service: Running, num_bytes: int) -> Iterator[None]:
    """The worker may write no file longer than this: to it, the disk is full."""
    pid = int(str(_workers(service)[0]["pid"]))
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (num_bytes, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_clip_of_a_fall_becomes_labels(service: Running, data_dir: Path) -> None:
    clip = (data_dir / "video" / "upfall_a1_t1_c1.mp4").read_bytes()

    job = _upload(service, "Sturz – 落ちる.MP4", clip, video="true")

    summary, base = _summary(job), f"/v1/jobs/{job['job_id']}"
    assert "fall" in str(summary["actions"])
    lines = [json.loads(line) for line in service.http.get(f"{base}/results").text.splitlines()]
    frames = [line for line in lines if line["type"] == "frame"]
    assert len(frames) == summary["num_frames"]
    boxes = np.array([person["box"] for line in frames for person in line["persons"]])
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert "fall" in service.http.get(f"{base}/results?format=csv").text
    tracks = service.http.get(f"{base}/timeline").json()["tracks"]
    assert sorted({action["action"] for track in tracks for action in track["actions"]}) == summary["actions"]
    assert service.http.get(f"{base}/video").content[4:8] == b"ftyp"


def test_clip_is_judged_by_an_imported_network(service: Running, data_dir: Path) -> None:
    import_small(service.home / "models" / "imported")
    clip = (data_dir / "video" / "upfall_a1_t1_c1.mp4").read_bytes()

    job = _upload(service, "clip.mp4", clip, model="imported")

    summary = _summary(job)
    assert summary["model"] == "imported"
    assert summary["actions"]
    assert {str(action) for action in cast("list[str]", summary["actions"])} <= {"wave", "kick", "fall"}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_bad_file_says_what_is_wrong_by_its_own_name(service: Running, case: Refused, tmp_path: Path) -> None:
    job = _upload(service, case.name, case.make(tmp_path))

    error = _error(job)
    assert error["code"] == case.code
    assert case.name in str(error["detail"])
    assert "source." not in str(error["detail"])
    assert str(service.home) not in str(error["detail"])
    if "job_id" in job:
        folder = service.home / "blobs" / "jobs" / str(job["job_id"])
        assert [name.partition(".")[0] for name in _files(folder)] == ["source"]


@pytest.mark.parametrize("case", ODD, ids=lambda case: case.name)
def test_odd_file_gives_a_right_answer_with_nobody_in_it(service: Running, case: Odd, tmp_path: Path) -> None:
    job = _upload(service, case.name, case.make(tmp_path))

    summary = _summary(job)
    assert (summary["num_frames"], summary["num_tracks"]) == (case.num_frames, 0)
    assert float(str(summary["duration_s"])) == pytest.approx(case.duration_s, rel=0.05, abs=0.2)
    lines = service.http.get(f"/v1/jobs/{job['job_id']}/results").text.splitlines()
    assert json.loads(lines[0])["source"] == case.name
    assert _peak_bytes(service) < PEAK_BYTES_MAX


@pytest.mark.parametrize("num_bytes", [0, 1000], ids=["from the first byte", "half way"])
def test_disk_that_is_full_under_the_worker_is_said_and_the_next_job_runs(
    service: Running, num_bytes: int, tmp_path: Path
) -> None:
    film = write_video(tmp_path / "film.mp4").read_bytes()

    with _full_disk(service, num_bytes):
        job = _upload(service, "film.mp4", film, video="true")

    error = _error(job)
    assert (error["code"], error["status"]) == ("disk_full", 507)
    assert str(service.home) not in str(error["detail"])
    assert _files(service.home / "blobs" / "jobs" / str(job["job_id"])) == ["source.mp4"]
    assert _summary(_upload(service, "film.mp4", film))["num_frames"] == 12


def test_unknown_model_is_refused_before_anything_is_kept(service: Running, tmp_path: Path) -> None:
    before = _files(service.home / "blobs")

    job = _upload(service, "film.mp4", write_video(tmp_path / "film.mp4").read_bytes(), model="nobody")

    assert _error(job)["code"] == "model_unknown"
    assert _files(service.home / "blobs") == before


def test_broken_files_in_a_row_leave_a_worker_that_works(service: Running, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4").read_bytes()
    made = [
        service.http.post("/v1/jobs", files={"file": (case.name, data)})
        for case in REFUSED if (data := case.make(tmp_path))
    ]  # fmt: skip

    last = _upload(service, "film.mp4", film)

    assert {answer.status_code for answer in made} == {202}
    assert _summary(last)["num_frames"] == 12
