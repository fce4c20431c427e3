"""What is written: the documented lines and objects, the video with its times, the picture."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image as PilImage

from pipelines.actions import load_actions
from pipelines.errors import SinkError
from pipelines.results import ActionSpan, Header, PersonTimeline, RunStats, Summary
from pipelines.stream.render.actogram import ROWS_MAX, clock_time, draw_actogram, tick_step_s
from pipelines.stream.render.draw import Artist, label_of
from pipelines.stream.render.numbers import Numbers
from pipelines.stream.render.palette import colour_of, ink_on
from pipelines.stream.sinks import CsvSink, JsonlSink, JsonSink, TimelineSink, VideoSink
from pipelines.stream.sinks.text import CSV_COLUMNS
from pipelines.stream.stats import StageClock
from pipelines.types import ActionState, Event, Frame, FrameResult
from tests.fakes import poses_of

SIZE_WH = (640, 480)


def header(size_wh: tuple[int, int] = SIZE_WH) -> Header:
    return Header("größe 视频.mp4", 4.0, size_wh, "fake", "coco17", ("walk", "none"))


def result(index: int, time_s: float, *events: Event, size_wh: tuple[int, int] = SIZE_WH) -> FrameResult:
    image = np.full((size_wh[1], size_wh[0], 3), 60, np.uint8)
    state = ActionState(1, time_s, "walk", 0.8, "assessed")
    return FrameResult(Frame(index, time_s, image), poses_of(time_s, frame_index=index), (state,), events)


def event(state: str = "confirmed") -> Event:
    return Event("abc", 1, "walk", state, 1.0, 2.0, 0.81234, (0.1, 0.1, 0.5, 0.5))  # type: ignore[arg-type]


def summary(*tracks: PersonTimeline) -> Summary:
    walk = ActionSpan("walk", 1.0, 3.5, 0.9, "ended")
    fall = ActionSpan("fall", 3.5, 4.0, 0.7, "ended")
    people = tracks or (PersonTimeline(1, 0.5, 4.0, (walk, fall)), PersonTimeline(2, 1.0, 2.0))
    return Summary(header(), 4.0, people, RunStats(120, 2.0, 60.0, {"pose": 8.1234}))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_jsonl_says_source_frames_actions_and_summary_in_order(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "a.jsonl")
    sink.open(header())
    sink.write(result(0, 0.0))
    sink.write(result(1, 0.04, event()))
    sink.close((event("ended"),), summary())

    lines = lines_of(tmp_path / "a.jsonl")

    assert [line["type"] for line in lines] == ["source", "frame", "frame", "action", "action", "summary"]
    assert lines[0]["source"] == "größe 视频.mp4"
    assert lines[0]["frame_size"] == [640, 480]
    assert lines[3]["media_time_s"] == 0.04
    assert lines[3]["box"] == [0.1, 0.1, 0.5, 0.5]
    assert lines[4]["state"] == "ended"


def test_jsonl_frame_holds_normalised_people(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "a.jsonl")
    sink.open(header())
    sink.write(result(0, 0.0))
    sink.close((), summary())

    (person,) = lines_of(tmp_path / "a.jsonl")[1]["persons"]

    assert person.keys() == {"track_id", "box", "keypoints", "action", "score", "status", "reason"}
    assert np.array(person["keypoints"]).shape == (17, 3)
    assert person["keypoints"][0][:2] == [0.5, round(145 / 480, 4)]


def test_jsonl_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "a.jsonl")
    sink.open(header())
    sink.write(result(0, 0.0))

    before = (tmp_path / "a.jsonl").exists()
    sink.close((), summary())

    assert not before
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_json_is_the_documented_object(tmp_path: Path) -> None:
    sink = JsonSink(tmp_path / "a.json")
    sink.open(header())
    sink.close((), summary())

    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))

    assert found.keys() == {"source", "duration_s", "frame_size", "model", "layout", "tracks", "stats"}
    assert found["tracks"][0] == {
        "track_id": 1,
        "number": 1,
        "start_s": 0.5,
        "end_s": 4.0,
        "actions": [
            {"action": "walk", "start_s": 1.0, "end_s": 3.5, "score": 0.9, "state": "ended"},
            {"action": "fall", "start_s": 3.5, "end_s": 4.0, "score": 0.7, "state": "ended"},
        ],
    }
    assert found["stats"]["stage_ms"] == {"pose": 8.123}


def test_csv_has_a_row_per_action(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path / "a.csv")
    sink.open(header())
    sink.close((), summary())

    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))

    assert [(row["track_id"], row["action"], row["duration_s"]) for row in rows] == [
        ("1", "walk", "2.5"), ("1", "fall", "0.5"),
    ]  # fmt: skip


def test_json_numbers_people_as_they_are_shown_and_csv_keeps_its_columns(tmp_path: Path) -> None:
    wave = ActionSpan("wave", 1.0, 2.0, 0.8, "ended")
    seen = summary(PersonTimeline(4, 0.0, 2.0, (wave,)), PersonTimeline(9, 0.5, 2.0, (wave,)))
    sinks: list[JsonSink | CsvSink] = [JsonSink(tmp_path / "a.json"), CsvSink(tmp_path / "a.csv")]

    for sink in sinks:
        sink.open(header())
        sink.close((), seen)

    tracks = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["tracks"]
    assert [(track["track_id"], track["number"]) for track in tracks] == [(4, 1), (9, 2)]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert [tuple(row) for row in rows] == [CSV_COLUMNS] * 2


def test_people_are_numbered_in_order_of_appearance() -> None:
    numbers = Numbers()

    for track_ids in ([7], [7, 12, 3], [12], [20, 7]):
        numbers.see(track_ids)

    assert [numbers.of(track_id) for track_id in (7, 3, 12, 20)] == [1, 2, 3, 4]


def test_artist_writes_the_number_and_not_the_track() -> None:
    one, other = result(0, 0.0), result(0, 0.0)
    other = replace(
        other,
        poses=replace(other.poses, track_id=other.poses.track_id + 40),
        states=tuple(replace(state, track_id=state.track_id + 40) for state in other.states),
    )

    assert (Artist().draw(one) == Artist().draw(other)).all()


def test_json_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    sink = JsonSink(None)
    sink.open(header())
    sink.close((), summary())

    assert json.loads(capsys.readouterr().out)["model"] == "fake"


def test_sink_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="folder"):
        JsonSink(tmp_path).open(header())


def test_video_keeps_the_times_of_the_frames(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.2, 0.24, 1.0]
    sink = VideoSink(tmp_path / "a.mp4")
    sink.open(header())
    for index, time_s in enumerate(times):
        sink.write(result(index, time_s))
    sink.close((), summary())

    with av.open(str(tmp_path / "a.mp4")) as container:
        decoded = [frame.time for frame in container.decode(video=0)]
        kinds = {stream.type for stream in container.streams}

    assert decoded == pytest.approx(times, abs=0.002)
    assert kinds == {"video"}


@pytest.mark.parametrize(
    ("size_wh", "expected"), [((641, 481), (640, 480)), ((2880, 1620), (1920, 1080)), ((3, 3), (2, 2))], ids=str
)
def test_video_sides_are_even_and_bounded(tmp_path: Path, size_wh: tuple[int, int], expected: tuple[int, int]) -> None:
    sink = VideoSink(tmp_path / "a.mp4")
    sink.open(header(size_wh))
    sink.write(result(0, 0.0, size_wh=size_wh))
    sink.close((), summary())

    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == expected


def test_video_leaves_nothing_when_aborted(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "a.mp4")
    sink.open(header())
    sink.write(result(0, 0.0))

    sink.abort()
    sink.abort()

    assert list(tmp_path.iterdir()) == []


def test_artist_draws_the_person_in_the_colour_of_the_action() -> None:
    shown = result(0, 0.0)

    drawn = Artist().draw(shown)

    red, green, blue = colour_of("walk")
    assert (drawn == (blue, green, red)).all(axis=2).sum() > 500
    assert (shown.frame.image == 60).all()


def test_artist_draws_nothing_on_an_empty_frame() -> None:
    image = np.full((48, 64, 3), 60, np.uint8)

    drawn = Artist().draw(FrameResult(Frame(0, 0.0, image), poses_of(0.0, people={}), (), ()))

    assert (drawn == image).all()


def test_artist_draws_a_person_outside_of_a_tiny_picture() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    state = ActionState(1, 0.0, None, 0.0, "unknown")

    drawn = Artist().draw(FrameResult(Frame(0, 0.0, image), poses_of(0.0), (state,), ()))

    assert drawn.shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (ActionState(3, 0.0, "sit_down", 0.874, "assessed"), "2  sit down 87%"),
        (ActionState(3, 0.0, None, 0.0, "warming_up"), "2  …"),
        (ActionState(3, 0.0, None, 0.9, "none"), "2"),
        (ActionState(3, 0.0, None, 0.0, "unknown"), "2  unknown"),
        (ActionState(3, 0.0, None, 0.0, "not_assessable", "too_small"), "2  too small"),
    ],
)
def test_label_says_what_is_known(state: ActionState, text: str) -> None:
    assert label_of(state, number=2) == text


def test_actogram_has_a_bar_in_the_colour_of_each_action(tmp_path: Path) -> None:
    sink = TimelineSink(tmp_path / "a.png")
    sink.open(header())
    sink.close((), summary())

    picture = np.asarray(PilImage.open(tmp_path / "a.png").convert("RGB"))

    walk = (picture == colour_of("walk")).all(axis=2).sum()
    fall = (picture == colour_of("fall")).all(axis=2).sum()
    assert 4 < walk / fall < 6  # 2.5 s beside 0.5 s; the legend has one of each


def test_actogram_of_nobody_is_a_picture() -> None:
    picture = draw_actogram(Summary(header(), 0.0, (), RunStats(1, 0.1, 10.0)))

    assert picture.size[0] == 1600


def test_actogram_is_bounded_however_many_people_there_are() -> None:
    crowd = [PersonTimeline(index, index * 0.01, index * 0.02 + 1) for index in range(500)]

    picture = draw_actogram(summary(*crowd))

    assert picture.size[1] < ROWS_MAX * 40


@pytest.mark.parametrize(("duration_s", "step_s"), [(2.5, 0.5), (16, 1), (60, 5), (3600, 300), (36000, 3600)])
def test_axis_marks_are_round_and_few(duration_s: float, step_s: float) -> None:
    assert tick_step_s(duration_s) == step_s


@pytest.mark.parametrize(
    ("time_s", "step_s", "text"), [(1.5, 0.5, "0:01.5"), (75, 5, "1:15"), (3725, 300, "1:02:05"), (0, 1, "0:00")]
)
def test_axis_marks_read_as_a_clock(time_s: float, step_s: float, text: str) -> None:
    assert clock_time(time_s, step_s) == text


def test_palette_gives_every_action_a_colour_of_its_own() -> None:
    colours = load_actions().colours

    assert len(set(colours.values())) == len(colours)
    assert colour_of("juggle") == colour_of("juggle") != colour_of("walk")


@pytest.mark.parametrize("action", load_actions().colours)
def test_ink_is_readable_on_every_colour(action: str) -> None:
    colour = np.array([colour_of(action), ink_on(colour_of(action))]) / 255
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    light = np.sort(linear @ [0.2126, 0.7152, 0.0722])

    assert (light[1] + 0.05) / (light[0] + 0.05) > 3.9


def test_clock_gives_each_stage_its_time() -> None:
    ticks = iter([0.0, 0.010, 0.030, 1.0, 1.030, 1.040])
    clock = StageClock(lambda: next(ticks))
    for _ in range(2):
        clock.start()
        clock.lap("detect")
        clock.lap("pose")

    assert clock.mean_ms() == pytest.approx({"detect": 20.0, "pose": 15.0})
    assert clock.frame_ms == pytest.approx({"detect": 30.0, "pose": 10.0})
