"""A whole source through the pipeline: the same in, the same out, and nothing left behind when it fails."""

import gc
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelUnknown
from models.weights.registry import load_registry
from models.weights.store import WeightStore
from pipelines.errors import AnalysisCancelled, DiskFull, SinkError, SourceTruncated
from pipelines.results import Header, Summary
from pipelines.stream.analyze import Run, Sink, analyze
from pipelines.stream.build import NetworkChoice, build_pipeline, find_action
from pipelines.stream.config import PipelineConfig
from pipelines.stream.sinks import CsvSink, JsonlSink, JsonSink, TimelineSink, VideoSink
from pipelines.types import Event, Frame, FrameResult
from tests.stream_fakes import FakeSource, networks_of


def run(source: FakeSource | None = None, *sinks: Sink, logits: tuple[float, ...] = (5.0, 0.0, 0.0)) -> Summary:
    return analyze(source or FakeSource(), networks_of(logits), PipelineConfig(), sinks, Run("clip.mp4"))


class FullSink:
    """A sink whose disk is full at the tenth frame."""

    wants_pictures = False

    def __init__(self) -> None:
        self.is_aborted = False

    def open(self, header: Header) -> None:
        pass

    def write(self, result: FrameResult) -> None:
        if result.frame.index == 10:
            raise DiskFull("no space left")

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:
        raise AssertionError("a sink that failed is not closed")

    def abort(self) -> None:
        self.is_aborted = True


def test_analyze_says_who_did_what_when() -> None:
    summary = run()

    (track,) = summary.tracks
    (walk,) = track.actions
    assert (walk.action, walk.state) == ("walk", "ended")
    assert walk.start_s == track.start_s < 0.6
    assert walk.end_s == track.end_s == pytest.approx(89 / 30)
    assert walk.score > 0.9


def test_analyze_counts_what_it_cost() -> None:
    stats = run().stats

    assert stats.frames == 90
    assert stats.stage_ms.keys() == {
        "detect",
        "track",
        "pose",
        "camera",
        "window",
        "action",
        "smooth",
        "label",
        "events",
    }
    assert stats.peak_rss_bytes > 1_000_000


def test_analyze_of_nobody_is_a_normal_empty_answer() -> None:
    source = FakeSource()
    networks = networks_of((5.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0))

    summary = analyze(source, networks, PipelineConfig(), [], Run("empty.mp4"))

    assert summary.tracks == ()
    assert summary.stats.frames == 90


@pytest.mark.parametrize(
    ("num_frames", "rate_hz"), [(1, 30.0), (4, 0.1), (20, 2.0)], ids=["one frame", "0.1 fps", "2 fps"]
)
def test_analyze_makes_no_label_from_too_little(num_frames: int, rate_hz: float) -> None:
    summary = run(FakeSource(num_frames, rate_hz))

    assert [action for track in summary.tracks for action in track.actions] == []


def test_analyze_says_none_without_an_event() -> None:
    summary = run(logits=(0.0, 0.0, 5.0))

    assert [track.actions for track in summary.tracks] == [()]


def test_analyze_gives_the_same_events_every_time(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        run(FakeSource(), JsonlSink(tmp_path / name))
        texts.append([line for line in (tmp_path / name).read_text().splitlines() if '"summary"' not in line])

    assert texts[0] == texts[1]


@pytest.mark.parametrize("rate_hz", [8.0, 15.0, 25.0, 30.0])
def test_analyze_gives_the_same_label_at_every_frame_rate(rate_hz: float) -> None:
    summary = run(FakeSource(round(4 * rate_hz), rate_hz))

    assert [action.action for track in summary.tracks for action in track.actions] == ["walk"]


def test_analyze_reports_progress_up_to_the_end() -> None:
    told: list[tuple[int, float | None]] = []

    def listen(frames: int, percent: float | None, fps: float, eta_s: float | None) -> None:
        told.append((frames, percent))

    analyze(FakeSource(), networks_of(), PipelineConfig(), [], Run("clip.mp4", on_progress=listen))

    assert told[-1] == (90, 100.0)


def test_every_frame_is_shown_with_its_picture_although_no_sink_wants_any() -> None:
    seen: list[float] = []
    run = Run("clip.mp4", on_result=lambda result: seen.append(float(result.frame.image.mean())))

    analyze(FakeSource(30), networks_of(), PipelineConfig(), [], run)

    assert seen == [90.0] * 30


def test_analyze_leaves_nothing_when_cancelled(tmp_path: Path) -> None:
    frames = iter(range(100))
    sinks: list[Sink] = [
        JsonlSink(tmp_path / "a.jsonl"),
        JsonSink(tmp_path / "a.json"),
        CsvSink(tmp_path / "a.csv"),
        VideoSink(tmp_path / "a.mp4"),
        TimelineSink(tmp_path / "a.png"),
    ]

    with pytest.raises(AnalysisCancelled):
        analyze(
            FakeSource(),
            networks_of(),
            PipelineConfig(),
            sinks,
            Run("clip.mp4", is_cancelled=lambda: next(frames) > 20),
        )

    assert list(tmp_path.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "decode"]


def test_analyze_leaves_nothing_when_the_source_breaks(tmp_path: Path) -> None:
    source = FakeSource(error=SourceTruncated("cut off"))

    with pytest.raises(SourceTruncated):
        run(source, JsonlSink(tmp_path / "a.jsonl"))

    assert list(tmp_path.iterdir()) == []


def test_analyze_aborts_every_sink_when_one_fails(tmp_path: Path) -> None:
    full = FullSink()

    with pytest.raises(DiskFull):
        run(FakeSource(), JsonlSink(tmp_path / "a.jsonl"), full)

    assert full.is_aborted
    assert list(tmp_path.iterdir()) == []


def test_analyze_says_disk_full_when_the_disk_is(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="/dev/full"):
        run(FakeSource(), JsonlSink(Path("/dev/full")), TimelineSink(tmp_path / "a.png"))

    assert list(tmp_path.iterdir()) == []


def test_analyze_names_the_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="absent"):
        run(FakeSource(), JsonlSink(tmp_path / "absent" / "a.jsonl"))


def test_analyze_keeps_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    with pytest.raises(SourceTruncated):
        run(FakeSource(error=SourceTruncated("cut off")), JsonSink(path))
    kept = path.read_text()
    run(FakeSource(), JsonSink(path))

    assert kept == "old"
    assert json.loads(path.read_text())["source"] == "clip.mp4"


def test_pipeline_gives_one_state_per_person_in_every_frame() -> None:
    pipeline = build_pipeline(networks_of(), PipelineConfig(), "clip.mp4")

    results = [pipeline.process(frame) for frame in FakeSource()]

    assert all(len(result.states) == len(result.poses) for result in results)
    statuses = [state.status for result in results for state in result.states]
    assert statuses[0] == "warming_up"
    assert statuses[-1] == "assessed"
    assert results[-1].latency_ms.keys() >= {"detect", "pose", "action"}


def test_pipelines_of_two_sources_give_different_event_ids() -> None:
    ids = []
    for source_id in ("a", "b"):
        pipeline = build_pipeline(networks_of(), PipelineConfig(), source_id)
        ids.append({event.event_id for frame in FakeSource() for event in pipeline.process(frame).events})

    assert ids[0].isdisjoint(ids[1])


def test_unknown_model_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match="expected an action model"):
        find_action(NetworkChoice(model="nobody"), load_registry(), WeightStore(tmp_path, offline=True))


def test_detector_is_no_action_model(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match="rtmdet-nano-person"):
        find_action(NetworkChoice(model="rtmdet-nano-person"), load_registry(), WeightStore(tmp_path, offline=True))


def test_results_hold_no_pixels_of_the_source(tmp_path: Path) -> None:
    run(FakeSource(), JsonlSink(tmp_path / "a.jsonl"))

    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    people = [person for line in lines if line["type"] == "frame" for person in line["persons"]]
    boxes = np.array([person["box"] for person in people])
    assert len(boxes)
    assert boxes.min() >= 0
    assert boxes.max() <= 1


def test_pipeline_holds_no_more_after_three_minutes_than_after_one() -> None:
    pipeline = build_pipeline(networks_of(), PipelineConfig(), "camera")
    frames = iter(FakeSource(num_frames=1080, rate_hz=6.0))

    def held_after(num_frames: int) -> int:
        people = [len(pipeline.process(next(frames)).poses) for _ in range(num_frames)]
        gc.collect()
        return len(gc.get_objects()) if people[-1] else 0

    early = held_after(360)
    late = held_after(720)

    assert early > 0
    assert late - early < 100


def test_analyze_writes_every_form_when_no_name_is_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    folder = tmp_path / name
    folder.mkdir()
    paths = [folder / f"{name}.{ending}" for ending in ("jsonl", "json", "csv", "mp4", "png")]
    sinks: list[Sink] = [
        JsonlSink(paths[0]), JsonSink(paths[1]), CsvSink(paths[2]), VideoSink(paths[3]), TimelineSink(paths[4])
    ]  # fmt: skip

    analyze(FakeSource(30), networks_of(), PipelineConfig(), sinks, Run(f"{name}.mp4"))

    assert sorted(folder.iterdir()) == sorted(paths)
    assert json.loads(paths[1].read_text())["source"] == "caf\ufffd.mp4"


def test_analyze_follows_nobody_across_a_break() -> None:
    summary = run(FakeSource(180, breaks={90: "scene_cut"}))

    before, after = summary.tracks
    assert before.end_s == pytest.approx(89 / 30)
    assert 3.0 < after.start_s < 3.5
    assert before.actions[-1].end_s <= before.end_s
    assert after.actions[0].start_s >= after.start_s
    assert summary.stats.breaks == {"scene_cut": 1}


def test_analyze_tells_a_break_before_what_it_ends(tmp_path: Path) -> None:
    run(FakeSource(180, breaks={90: "clock_jump"}), JsonlSink(tmp_path / "a.jsonl"))

    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    at_break = [line for line in lines if line.get("frame_index") == 90]
    assert [line["type"] for line in at_break] == ["break", "frame", "action", "track"]
    cut, frame, action, track = at_break
    assert (cut["reason"], frame["persons"]) == ("clock_jump", [])
    assert (action["state"], action["end_s"]) == ("ended", pytest.approx(89 / 30, abs=1e-4))
    assert (track["reason"], track["break"]) == ("lost", "gap")


def test_pipeline_keeps_the_box_of_what_a_change_of_size_closed_as_a_share_of_the_picture() -> None:
    pipeline = build_pipeline(networks_of(), PipelineConfig(), "camera")
    for frame in FakeSource(90):
        last = pipeline.process(frame)
    (box,) = last.poses.xyxy
    wide = np.zeros((480, 640, 3), np.uint8)

    result = pipeline.process(Frame(90, 3.0, wide, break_reason="size_change"))

    (event,) = result.events
    assert event.box == pytest.approx(tuple(box / np.array([320, 240, 320, 240])), abs=1e-3)


def test_frame_lines_say_of_every_moment_what_the_summary_says(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    summary = run(None, JsonlSink(path))

    (walk,) = summary.tracks[0].actions
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    shown = [(line["media_time_s"], line["persons"]) for line in lines if line["type"] == "frame"]
    named = [time_s for time_s, persons in shown if any(person["action"] == "walk" for person in persons)]
    assert named == [time_s for time_s, persons in shown if persons and walk.start_s <= time_s <= walk.end_s + 1e-4]
