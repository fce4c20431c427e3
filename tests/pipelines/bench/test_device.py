"""A device measured with stand-ins for the networks: every part, its time, its report, and what goes wrong in it."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.arrays import Image
from models.bench.budget import Budget
from models.errors import DeviceUnavailable, WeightsMissing
from models.runtime.detector import DetectedPeople
from models.runtime.device import REHEARSAL
from models.runtime.session import Session
from pipelines.bench.buckets import measure_buckets, session_calls, stage_calls
from pipelines.bench.cameras import CameraPlan, measure_cameras
from pipelines.bench.clip_pairs import measure_clips
from pipelines.bench.device import DeviceBench, DevicePlan, Loading
from pipelines.bench.device_report import report_object, tables
from pipelines.bench.device_use import Use, UseMeter, ask_driver, parse_use
from pipelines.bench.percentiles import percentiles
from pipelines.bench.recorded import record, remembering
from pipelines.stream.build import Networks
from tests.models.runtime.networks import write_constant
from tests.stream_fakes import FakeDetector, networks_of
from tests.videos import Clip, write_video

_QUICK = CameraPlan(settle_s=0.2, seconds=0.6)


class _Counting(FakeDetector):
    def __init__(self) -> None:
        super().__init__((10.0, 5.0, 30.0, 45.0))
        self.looks = 0

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        self.looks += len(images)
        return super().__call__(images)


class _Slow(FakeDetector):
    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        time.sleep(0.2)
        return super().__call__(images)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", Clip(num_frames=30, fps=15))


def _loading(networks: Networks) -> Loading:
    return Loading(lambda _: networks, lambda found, _: found)


class _OnSession(FakeDetector):
    """A detector that runs on a session, beside what it says."""

    def __init__(self, session: Session) -> None:
        super().__init__((120.0, 40.0, 200.0, 220.0))
        self.sessions = (session,)


def test_session_is_measured_at_every_bucket_and_one_that_it_refuses_is_told(tmp_path: Path) -> None:
    answer = {"dets": np.ones((2, 5), np.float32)}
    path = write_constant(tmp_path / "net.onnx", (2, 3, "height", "width"), answer)

    rows = measure_buckets(session_calls([Session(path)]), "session", (1, 2), 0, Budget(60))

    assert [(row.batch, row.call_ms is None) for row in rows] == [(1, True), (2, False)]
    assert rows[0].why is not None
    assert rows[0].why.startswith("contract_mismatch: net.onnx: input float32[1, 3, 640, 640]")
    assert rows[1].per_second == pytest.approx(2000 / (rows[1].call_ms or 0))


def test_every_stage_is_measured_at_every_bucket() -> None:
    rows = measure_buckets(stage_calls(networks_of()), "stage", (1, 4), 0, Budget(60))

    assert [(row.network, row.batch) for row in rows] == [
        (name, batch) for name in ("detect", "pose", "action") for batch in (1, 4)
    ]
    assert all(row.call_ms is not None for row in rows)


def test_clip_says_the_same_on_equal_networks(clip: Path) -> None:
    (row,) = measure_clips([clip], networks_of(), networks_of(), 20, Budget(60))

    assert (row.clip, row.frames, row.is_cut) == ("clip.mp4", 30, False)
    assert (row.same_labels, row.same_events, row.first) == (True, True, None)
    assert row.frames_per_s > 0
    assert row.cpu_frames_per_s is not None


def test_clip_tells_where_another_network_says_something_else(tmp_path: Path) -> None:
    large = write_video(tmp_path / "large.mp4", Clip((320, 240), num_frames=60, fps=15))
    other = networks_of((0.0, 5.0, 0.0))

    (row,) = measure_clips([large], networks_of(), other, 20, Budget(60))

    assert row.same_labels is False
    assert row.first is not None


def test_clip_that_takes_too_long_is_cut_off_and_not_compared(clip: Path) -> None:
    slow = replace(networks_of(), detector=_Slow())

    (row,) = measure_clips([clip], slow, networks_of(), 20, Budget(0.8))

    assert row.is_cut
    assert 0 < row.frames < 30
    assert (row.same_labels, row.cpu_frames_per_s) == (None, None)


def test_cameras_are_watched_at_their_own_pace(clip: Path) -> None:
    (row,) = measure_cameras([3], [clip], networks_of(), _QUICK, lambda: Use(40.0, 2**30), Budget(60))

    assert (row.cameras, row.errors) == (3, {})
    assert 0 < row.labels_per_s <= 3 * 15 * 1.5
    assert row.lowest_per_s > 0
    assert row.label_age_ms["p50"] is not None
    assert (row.gpu_percent, row.gpu_bytes) == (40.0, 2**30)
    assert row.memory_bytes > 2**20


def test_camera_whose_network_fails_is_told(clip: Path) -> None:
    class Failing(FakeDetector):
        def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
            raise DeviceUnavailable("the card is gone")

    networks = replace(networks_of(), detector=Failing())

    (row,) = measure_cameras([2], [clip], networks, _QUICK, lambda: None, Budget(60))

    assert row.errors == {"DeviceUnavailable: the card is gone": 2}
    assert (row.labels_per_s, row.label_age_ms["p95"], row.gpu_percent) == (0, None, None)


def test_recorded_cameras_decode_nothing_and_remember_what_was_detected(clip: Path) -> None:
    detector = _Counting()
    recording = record(clip, 15, 1)
    networks = remembering(replace(networks_of(), detector=detector), [recording])
    clip.unlink()

    plan = CameraPlan(settle_s=0.2, seconds=2.5, recordings=(recording,))
    (row,) = measure_cameras([2], [], networks, plan, lambda: None, Budget(60))

    assert row.labels_per_s > 0
    assert len(recording.frames) == 16
    # Two cameras look at the sixteen pictures about forty times each.
    assert detector.looks <= 2 * len(recording.frames)


def test_use_of_the_gpu_is_read_as_its_tool_prints_it() -> None:
    assert parse_use("37, 1024\n") == Use(37.0, 2**30)


def test_use_is_unknown_on_a_cpu() -> None:
    with UseMeter(lambda: ask_driver("cpu")) as meter:
        pass

    assert (meter.mean_percent, meter.peak_bytes) == (None, None)


def test_percentiles_are_values_that_occurred() -> None:
    assert percentiles(list(range(100))) == {"p50": 50, "p95": 95, "p99": 99}
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}


def test_bench_runs_its_parts_and_reports_them(clip: Path, tmp_path: Path) -> None:
    path = write_constant(tmp_path / "net.onnx", ("batch", 3, 8, 8), {"dets": np.ones((2, 5), np.float32)})
    plan = DevicePlan(
        "cpu", (clip,), 60, ("buckets", "clips", "cameras"), cameras=(1,), camera=_QUICK, buckets=(1,), bucket_seconds=0
    )
    said: list[str] = []

    networks = replace(networks_of(), detector=_OnSession(Session(path, REHEARSAL)))

    report = DeviceBench(plan, _loading(networks), said.append).run()

    found = report_object(report)
    assert json.loads(json.dumps(found)) == found
    assert found["providers"] == {"net": ["CPUExecutionProvider"]}
    assert found["torch"] is None
    assert found["left_out"] == {}
    assert not report.is_empty
    text = tables(report)
    assert "| net | CPUExecutionProvider |" in text
    assert "| clip.mp4 | 30 |" in text
    assert len(said) == 5


def test_part_that_fails_is_told_and_the_others_go_on(clip: Path) -> None:
    def missing(device: str) -> Networks:
        if device == "cpu":
            return networks_of()
        raise WeightsMissing("pose.onnx: nowhere")

    loading = Loading(missing, lambda found, _: found)
    plan = DevicePlan("cuda:0", (clip,), 60, ("clips", "cameras"))

    report = DeviceBench(plan, loading, lambda _: None).run()

    assert report.is_empty
    assert report.left_out["clips"] == ("clips: weights_missing: pose.onnx: nowhere",)
    assert "- cameras: weights_missing: pose.onnx: nowhere" in tables(report)


def test_bench_names_the_rows_that_it_has_no_time_for(clip: Path) -> None:
    plan = DevicePlan("cpu", (clip,), 0.0, ("clips", "cameras"), cameras=(1, 8), camera=_QUICK)

    report = DeviceBench(plan, _loading(networks_of()), lambda _: None).run()

    assert report.left_out["clips"] == ("clip.mp4: no time left",)
    assert report.left_out["cameras"] == ("1 cameras: no time left", "8 cameras: no time left")
