"""A job whose video lies in a store: fetched, done, sent back, and nothing left here, whatever goes wrong."""

import threading
from pathlib import Path

import pytest

from service.errors import StorageFull
from service.protocol.messages import JobTask
from service.worker import staging
from service.worker.channel import Channel
from service.worker.staging import StagedRunners
from tests.blob_fakes import FlakyStore
from tests.fakes import ScriptedRunners, SilentChannel

_TASK = JobTask("job_1", 1, "blob:jobs/job_1/source.mp4", "blob:jobs/job_1", {})


class Stage:
    """A store with a video in it, and runners that do what it says."""

    def __init__(self, folder: Path, script: str, *, failures: int = 0, patience_s: float = 30.0) -> None:
        self.store = FlakyStore(folder / "store")
        self.store.write("jobs/job_1/source.mp4", script.encode())
        self.store.failures = failures
        self.scratch = folder / "scratch"
        self.runners = StagedRunners(ScriptedRunners(), self.store, self.scratch, self._require, patience_s)
        self.free_bytes = 1000
        self.channel: Channel = SilentChannel()

    def _require(self, more_bytes: int) -> None:
        if more_bytes > self.free_bytes:
            raise StorageFull(f"{more_bytes} bytes do not fit")

    def names(self) -> list[str]:
        return sorted(blob.name for blob in self.store.list("jobs/job_1"))

    def left(self) -> list[Path]:
        return list(self.scratch.rglob("*"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "_PAUSE_S", 0.05)


def test_results_of_a_job_are_in_the_store_and_nothing_is_left_here(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "script frames 3 picture 1")

    ended = stage.runners.run(_TASK, stage.channel)

    assert ended.outcome == "succeeded"
    assert stage.names() == [
        "results.csv", "results.json", "results.jsonl", "source.mp4", "thumbnail.jpg", "timeline.json",
    ]  # fmt: skip
    assert stage.left() == []


def test_job_waits_for_a_store_that_is_away(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "script frames 3", failures=3)

    ended = stage.runners.run(_TASK, stage.channel)

    assert (ended.outcome, "results.jsonl" in stage.names()) == ("succeeded", True)


def test_job_fails_with_a_code_when_the_store_stays_away(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "script frames 3", failures=10_000, patience_s=0.2)

    ended = stage.runners.run(_TASK, stage.channel)

    assert (ended.outcome, ended.code, stage.left()) == ("failed", "blobs_unavailable", [])


def test_job_that_is_cancelled_while_the_store_is_away_ends_at_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "script frames 3", failures=10_000)

    def cancel() -> None:
        stage.channel.stop_reason = "cancelled"

    timer = threading.Timer(0.2, cancel)
    timer.start()
    ended = stage.runners.run(_TASK, stage.channel)
    timer.join()

    assert (ended.outcome, stage.left()) == ("cancelled", [])


def test_video_that_does_not_fit_here_fails_the_job(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "script frames 3" + " " * 2000)

    ended = stage.runners.run(_TASK, stage.channel)

    assert (ended.outcome, ended.code, stage.left()) == ("failed", "disk_full", [])


def test_video_that_is_gone_fails_the_job(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "script frames 3")
    stage.store.remove("jobs/job_1")

    ended = stage.runners.run(_TASK, stage.channel)

    assert (ended.outcome, ended.code) == ("failed", "source_error")


def test_results_of_a_job_that_failed_are_not_kept(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "script frames 3 fail source_truncated")

    with pytest.raises(Exception, match="ends early"):
        stage.runners.run(_TASK, stage.channel)

    assert (stage.names(), stage.left()) == (["source.mp4"], [])


def test_job_on_files_is_done_where_it_lies(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "script frames 3")
    folder = tmp_path / "store" / "jobs" / "job_1"

    ended = stage.runners.run(JobTask("job_1", 1, str(folder / "source.mp4"), str(folder)), stage.channel)

    assert (ended.outcome, (folder / "results.jsonl").is_file()) == ("succeeded", True)
