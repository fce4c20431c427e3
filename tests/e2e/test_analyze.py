"""`actogram analyze` from outside: real clips with the real networks, and everything that is not a good video."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result

from service.commands.actions import command as actions_command
from service.commands.analyze import command
from tests.models.export.checkpoints import import_small

pytestmark = pytest.mark.e2e

ACTOGRAM = Path(sys.executable).with_name("actogram")


@pytest.fixture(autouse=True)
def _settings(weights_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shared weights; and the signal handler that the command sets goes away again."""
    monkeypatch.setenv("ACTOGRAM_WEIGHTS", str(weights_dir))
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def run(*args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args])


def write_video(
    path: Path, num_frames: int = 5, rate_hz: float = 10.0, size_wh: tuple[int, int] = (64, 48), form: str = "mp4"
) -> Path:
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream("libx264", rate=Fraction(rate_hz).limit_denominator(1000))
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for index in range(num_frames):
            image = np.full((size_wh[1], size_wh[0], 3), 40 + index % 100, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_audio(path: Path) -> Path:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def cut_in_half(path: Path) -> Path:
    data = write_video(path, num_frames=40).read_bytes()
    return write_bytes(path, data[: len(data) // 2])


@pytest.fixture(scope="session")
def fall(data_dir: Path, weights_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that one run on a real fall writes."""
    folder = tmp_path_factory.mktemp("fall")
    done = subprocess.run(
        [
            ACTOGRAM, "analyze", data_dir / "video" / "upfall_a4_t1_c1.mp4", "--out", folder / "out.jsonl",
            "--video", folder / "out.mp4", "--timeline", folder / "out.png",
        ],
        env={"ACTOGRAM_WEIGHTS": str(weights_dir), "HOME": str(Path.home()), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    (folder / "stdout.txt").write_text(done.stdout)
    assert done.returncode == 0, done.stderr
    return folder


def test_imported_network_labels_the_people_of_a_clip(tmp_path: Path, data_dir: Path) -> None:
    folder = import_small(tmp_path / "mine")

    result = run(data_dir / "video" / "upfall_a1_t1_c1.mp4", "--model", folder, "--out", tmp_path / "out.json")

    assert result.exit_code == 0, result.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    actions = {action["action"] for track in found["tracks"] for action in track["actions"]}
    assert found["model"] == "mine"
    assert actions
    assert actions <= {"wave", "kick", "fall"}


def test_fall_is_in_the_table(fall: Path) -> None:
    table = (fall / "stdout.txt").read_text()

    assert "fall" in table
    assert "times real time" in table


def test_fall_is_confirmed_within_a_second_and_a_half_of_the_ground(fall: Path) -> None:
    lines = [json.loads(line) for line in (fall / "out.jsonl").read_text().splitlines()]

    events = [line for line in lines if line["type"] == "action" and line["action"] == "fall"]
    confirmed = next(event for event in events if event["state"] == "confirmed")
    assert confirmed["media_time_s"] < 1.1 + 1.5  # the torso is down at 1.1 s
    assert confirmed["start_s"] < 1.1
    assert events[-1]["state"] == "ended"


def test_every_frame_is_in_the_lines_and_in_the_video(fall: Path) -> None:
    lines = [json.loads(line) for line in (fall / "out.jsonl").read_text().splitlines()]
    frames = [line for line in lines if line["type"] == "frame"]

    with av.open(str(fall / "out.mp4")) as container:
        times = [picture.time for picture in container.decode(video=0)]

    assert len(frames) == len(times) == 138
    assert times == pytest.approx([frame["media_time_s"] for frame in frames], abs=0.002)
    assert (fall / "out.png").stat().st_size > 1000


def test_lines_lead_from_the_source_to_the_summary(fall: Path) -> None:
    lines = [json.loads(line) for line in (fall / "out.jsonl").read_text().splitlines()]

    assert lines[0]["type"] == "source"
    assert lines[-1]["type"] == "summary"
    assert lines[-1]["stats"]["frames"] == 138
    assert {action["action"] for track in lines[-1]["tracks"] for action in track["actions"]} >= {"fall"}


@pytest.mark.parametrize(
    ("make", "code", "status"),
    [
        (lambda folder: write_bytes(folder / "a.mp4", b"this is no video\n" * 50), "unsupported_media", 2),
        (lambda folder: write_bytes(folder / "a.mp4", b""), "source_truncated", 2),
        (lambda folder: cut_in_half(folder / "a.mp4"), "source_truncated", 2),
        (lambda folder: write_audio(folder / "a.mp4"), "unsupported_media", 2),
        (lambda folder: folder / "absent.mp4", "not_found", 2),
        (lambda folder: folder, "unsupported_media", 2),
    ],
    ids=["not a video", "zero bytes", "truncated", "audio only", "absent", "a folder"],
)
def test_bad_input_is_one_line_with_a_code(tmp_path: Path, make: object, code: str, status: int) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()

    result = run(make(tmp_path / "in"), "--out", tmp_path / "out" / "a.jsonl")  # type: ignore[operator]

    assert result.exit_code == status
    assert result.stderr.startswith(f"actogram: {code}: ")
    assert result.stderr.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "num_analysed"),
    [
        ("one frame.mp4", {"num_frames": 1}, 1),
        ("größe 视频 🎬.mp4", {}, 5),
        ("slow.mp4", {"num_frames": 4, "rate_hz": 0.1}, 4),
        ("fast.mp4", {"num_frames": 60, "rate_hz": 240.0}, 8),
        ("video.txt", {}, 5),
    ],
)
def test_odd_input_gives_a_correct_empty_answer(
    tmp_path: Path, name: str, options: dict[str, object], num_analysed: int
) -> None:
    video = write_video(tmp_path / name, **options)  # type: ignore[arg-type]

    result = run(video, "--format", "json")

    found = json.loads(result.stdout)
    assert (result.exit_code, found["source"], found["tracks"]) == (0, name, [])
    assert found["stats"]["frames"] == num_analysed


def test_8k_is_analysed(tmp_path: Path) -> None:
    video = write_video(tmp_path / "8k.mp4", num_frames=2, size_wh=(7680, 4320))

    result = run(video, "--format", "json")

    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["stats"]["frames"] == 2
    assert found["stats"]["peak_rss_bytes"] < 1.5 * 2**30


def test_csv_of_nobody_is_its_head(tmp_path: Path) -> None:
    result = run(write_video(tmp_path / "a.mp4"), "--format", "csv")

    assert list(csv.reader(io.StringIO(result.stdout))) == [
        ["track_id", "action", "start_s", "end_s", "duration_s", "score", "state"]
    ]
    assert "Nobody was seen." in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "status"),
    [
        (["--model", "nobody"], "model_unknown", 2),
        (["--device", "cuda:9"], "device_unavailable", 1),
        (["--out", "/dev/full"], "disk_full", 1),
        (["--timeline", "/dev/full"], "disk_full", 1),
        (["--out", "{folder}/absent/a.jsonl"], "sink_error", 1),
        (["--out", "{folder}"], "sink_error", 1),
    ],
)
def test_failure_has_a_code_and_leaves_nothing(tmp_path: Path, options: list[str], code: str, status: int) -> None:
    video = write_video(tmp_path / "a.mp4")

    result = run(video, *(option.format(folder=tmp_path) for option in options))

    assert (result.exit_code, result.stderr.split(": ")[1]) == (status, code)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_video_is_not_overwritten_by_its_results(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4")
    before = video.read_bytes()

    result = run(video, "--video", video)

    assert result.exit_code == 2
    assert video.read_bytes() == before


def test_sigterm_leaves_nothing_behind(data_dir: Path, tmp_path: Path) -> None:
    video = data_dir / "video" / "upfall_a6_t1_c2.mp4"
    process = subprocess.Popen(
        [ACTOGRAM, "analyze", video, "--out", tmp_path / "a.jsonl", "--video", tmp_path / "a.mp4"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline_s = time.monotonic() + 60
    while not any(path.stat().st_size for path in tmp_path.iterdir()) and time.monotonic() < deadline_s:
        time.sleep(0.05)

    process.terminate()
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGTERM, errors
    assert list(tmp_path.iterdir()) == []


def test_actions_say_how_well_each_is_known() -> None:
    result = CliRunner().invoke(actions_command, ["--json"])

    found = json.loads(result.stdout)
    assert found["actions"]["fall"]["severity"] == "alarm"
    assert {rule["quality"] for rule in found["actions"].values()} == {"solid", "experimental"}


def test_actions_are_a_table_for_people() -> None:
    result = CliRunner().invoke(actions_command)

    assert result.exit_code == 0
    assert "sit_down" in result.stdout
