"""LiveReader against a real RTSP server: it starts without a camera, notices every way to die, and comes back."""

import io
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceForbidden
from pipelines.orientation import Orientation
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.sources import (
    FileSource,
    LiveOptions,
    LiveReader,
    PushFeed,
    ReaderHooks,
    SourceStatus,
    build_reader,
)
from pipelines.types import Frame
from tests.rtsp_server import Footage, RtspServer
from tests.videos import Clip, number, picture, red_corner, write_video

LOCAL = AddressPolicy(
    schemes=frozenset({"rtsp", "rtsps", "http", "https", "file", "push", "webcam"}),
    networks=frozenset({"loopback"}),
    folders=(Path("/"),),
)
QUICK = LiveOptions(
    open_timeout_s=1.0,
    read_timeout_s=0.3,
    max_frame_age_s=0.5,
    degraded_after_s=0.15,
    backoff_first_s=0.02,
    backoff_max_s=0.05,
)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
    clip = Clip(size_wh=(320, 240), num_frames=20, fps=20, codec_options=options)
    return Footage.load(write_video(tmp_path_factory.mktemp("camera") / "camera.mp4", clip))


@pytest.fixture
def server(footage: Footage) -> Iterator[RtspServer]:
    with RtspServer(footage) as running:
        yield running


class Watched:
    """A running reader, its frames and its states; stopped at the end of the test."""

    def __init__(self, source: str | PushFeed, options: LiveOptions = QUICK) -> None:
        self.frames: list[Frame] = []
        self.states: list[str] = []
        self.errors: list[str] = []
        self.ended = threading.Event()
        around = ReaderHooks(on_state=self._note, generator=random.Random(1))
        self.reader = build_reader(source, self, LOCAL, options, hooks=around)
        self.reader.start()

    def put(self, frame: Frame, timeout_s: float | None = None) -> bool:
        self.frames.append(frame)
        return True

    def end(self, error: Exception | None = None) -> None:
        self.ended.set()

    def _note(self, status: SourceStatus) -> None:
        self.states.append(status.state)
        if status.last_error is not None:
            self.errors.append(status.last_error.code)

    def until(self, is_met: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
        give_up_s = time.monotonic() + within_s
        while not is_met():
            assert time.monotonic() < give_up_s, f"{what} not within {within_s} s: {self.reader.status()}"
            time.sleep(0.01)

    def until_frames(self, num_more: int) -> None:
        goal = len(self.frames) + num_more
        self.until(lambda: len(self.frames) >= goal, f"{num_more} more frames")

    def until_state(self, state: str) -> None:
        self.until(lambda: self.reader.status().state == state, state)

    def until_error(self, code: str) -> None:
        def is_met() -> bool:
            error = self.reader.status().last_error
            return error is not None and error.code == code

        self.until(is_met, code)


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    all_watched: list[Watched] = []

    def start(source: str | PushFeed, options: LiveOptions = QUICK) -> Watched:
        all_watched.append(Watched(source, options))
        return all_watched[-1]

    yield start
    for watched in all_watched:
        watched.reader.stop()
    for watched in all_watched:
        assert watched.reader.join(5)


Watch = Callable[..., Watched]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_reader_hands_over_a_cameras_pictures_in_order(server: RtspServer, watch: Watch, transport: str) -> None:
    options = LiveOptions(transport="udp") if transport == "udp" else LiveOptions()

    watched = watch(server.url, options)
    watched.until_frames(12)

    status = watched.reader.status()
    times_s = [frame.time_s for frame in watched.frames]
    shown = [number(frame.image) for frame in watched.frames]
    assert status.state == "running"
    assert [frame.index for frame in watched.frames] == list(range(len(watched.frames)))
    assert times_s[0] == 0.0
    assert times_s == sorted(set(times_s))
    assert [(b - a) % 20 for a, b in pairwise(shown)] == [1] * (len(shown) - 1)
    assert status.fps_in > 5
    assert all(frame.wall_s is not None for frame in watched.frames)


def test_reader_gives_a_cameras_pictures_the_times_that_the_file_has(tmp_path: Path, watch: Watch) -> None:
    clip = Clip(size_wh=(320, 240), num_frames=15, fps=30, codec_options={"preset": "ultrafast", "tune": "zerolatency"})
    path = write_video(tmp_path / "a.mp4", clip)
    with FileSource(path) as source:
        expected = [(number(frame.image), frame.time_s) for frame in source]

    with RtspServer(Footage.load(path), loops=False) as server:
        watched = watch(server.url)
        watched.until(lambda: len(watched.frames) >= 15, "15 frames")

    seen = [(number(frame.image), frame.time_s) for frame in watched.frames[:15]]
    assert [index for index, _ in seen] == [index for index, _ in expected]
    assert [time_s for _, time_s in seen] == pytest.approx([time_s for _, time_s in expected], abs=1e-3)


def test_reader_starts_while_the_camera_is_off(server: RtspServer, watch: Watch) -> None:
    server.go_away()
    watched = watch(server.url)
    watched.until_error("connection_failed")
    assert watched.reader.status().state == "connecting"

    server.come_back()
    watched.until_frames(1)

    assert watched.reader.status().reconnects == 0


@pytest.mark.parametrize("fault", ["drop", "stall", "go_away"])
def test_reader_comes_back_with_growing_times_when_the_camera_was_lost(
    server: RtspServer, watch: Watch, fault: str
) -> None:
    watched = watch(server.url)
    watched.until_frames(3)

    getattr(server, fault)()
    watched.until_error("timeout" if fault == "stall" else "ended" if fault == "drop" else "connection_failed")
    if fault == "go_away":
        server.come_back()
    server.flow()
    watched.until(lambda: watched.reader.status().reconnects >= 1, "reconnect")
    watched.until_frames(3)

    times_s = [frame.time_s for frame in watched.frames]
    assert times_s == sorted(set(times_s))
    assert "reconnecting" in watched.states
    assert watched.states[-1] == "running"


def test_reader_lets_media_time_go_on_by_the_length_of_the_gap(server: RtspServer, watch: Watch) -> None:
    watched = watch(server.url)
    watched.until_frames(3)
    server.go_away()
    watched.until_state("reconnecting")
    before = watched.frames[-1]

    server.come_back()
    watched.until_frames(1)

    after = next(frame for frame in watched.frames if frame.index == before.index + 1)
    assert before.wall_s is not None
    assert after.wall_s is not None
    assert after.time_s - before.time_s == pytest.approx(after.wall_s - before.wall_s, abs=0.5)


def test_reader_shows_a_stalled_camera_as_degraded_before_it_gives_it_up(server: RtspServer, watch: Watch) -> None:
    watched = watch(server.url, LiveOptions(degraded_after_s=0.15, read_timeout_s=5.0))
    watched.until_frames(3)

    server.stall()
    watched.until_state("degraded")
    server.flow()
    watched.until_state("running")

    assert (watched.reader.status().frame_age_s or 0) < 0.15


@pytest.mark.parametrize(
    ("status", "code"), [(404, "not_found"), (403, "auth_failed"), (500, "connection_failed"), (401, "auth_failed")]
)
def test_reader_says_what_the_camera_answered(server: RtspServer, watch: Watch, status: int, code: str) -> None:
    server.status = status

    watched = watch(server.url)

    watched.until_error(code)


def test_reader_says_that_a_mute_server_did_not_answer_in_time(server: RtspServer, watch: Watch) -> None:
    server.is_mute = True

    watched = watch(server.url, LiveOptions(open_timeout_s=0.3))

    watched.until_error("timeout")


@pytest.mark.parametrize("scheme", ["rtsps", "https"])
def test_reader_says_that_a_server_does_not_speak_tls(server: RtspServer, watch: Watch, scheme: str) -> None:
    watched = watch(server.url.replace("rtsp", scheme))

    watched.until_error("tls_failed")


@pytest.mark.parametrize("auth", ["basic", "digest"])
def test_reader_logs_in(footage: Footage, watch: Watch, auth: str) -> None:
    with RtspServer(footage, auth="basic" if auth == "basic" else "digest") as server:
        watched = watch(server.url_with_login)

        watched.until_frames(1)


def test_reader_fails_on_a_refused_login_and_returns_when_it_is_accepted(server: RtspServer, watch: Watch) -> None:
    server.auth = "digest"
    options = LiveOptions(backoff_first_s=0.02, auth_backoff_s=0.1)
    watched = watch(server.url.replace("//", "//viewer:wr0ng-secret@"), options)
    watched.until_state("failed")

    server.auth = None
    watched.until_frames(1)

    status = watched.reader.status()
    assert watched.errors[0] == "auth_failed"
    assert status.state == "running"
    assert "wr0ng-secret" not in f"{status} {watched.errors}"


def test_reader_tells_no_secret_in_logs_or_errors(
    server: RtspServer, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    server.go_away()

    with caplog.at_level("DEBUG"):
        watched = watch(server.url_with_login + "?token=t0ps3cret")
        watched.until_error("connection_failed")

    said = f"{caplog.text} {watched.reader.status()}"
    assert "s3cret" not in said
    assert "viewer" not in said
    assert "127.0.0.1" in said


def test_reader_counts_damaged_pictures_and_goes_on(server: RtspServer, watch: Watch) -> None:
    watched = watch(server.url)
    watched.until_frames(3)

    server.corrupt_every = 2
    watched.until(lambda: watched.reader.status().dropped.get("corrupt", 0) > 0, "a corrupt picture")
    server.corrupt_every = 0

    watched.until_frames(3)


def test_reader_connects_again_when_data_arrives_and_no_picture(server: RtspServer, watch: Watch) -> None:
    watched = watch(server.url)
    watched.until_frames(3)

    server.corrupt_every = 1
    watched.until_error("timeout")
    server.corrupt_every = 0

    watched.until(lambda: watched.reader.status().reconnects >= 1, "reconnect")


def test_reader_keeps_the_analysis_rate(server: RtspServer, watch: Watch) -> None:
    watched = watch(server.url, LiveOptions(rate_hz=5))

    watched.until_frames(4)

    gaps_s = [b.time_s - a.time_s for a, b in pairwise(watched.frames)]
    assert min(gaps_s) > 0.14
    assert watched.reader.status().dropped["rate"] > 0


def test_reader_stops_within_its_read_deadline_when_the_camera_is_silent(server: RtspServer, watch: Watch) -> None:
    watched = watch(server.url)
    watched.until_frames(1)
    server.stall()

    watched.reader.stop()
    watched.reader.stop()

    assert watched.reader.join(QUICK.read_timeout_s + 1.0)
    assert watched.ended.is_set()
    num_frames = len(watched.frames)
    server.flow()
    assert len(watched.frames) == num_frames


def test_reader_stops_while_it_waits_to_try_again(server: RtspServer, watch: Watch) -> None:
    server.go_away()
    watched = watch(server.url, LiveOptions(backoff_first_s=60, backoff_max_s=60))
    watched.until_error("connection_failed")

    watched.reader.stop()

    assert watched.reader.join(1.0)


def test_reader_never_disturbs_another_when_its_camera_is_dead(
    server: RtspServer, footage: Footage, watch: Watch
) -> None:
    with RtspServer(footage) as dead:
        dead.is_mute = True
        watch(dead.url)
        watched = watch(server.url)

        watched.until_frames(10)

        assert watched.reader.status().state == "running"


def test_reader_fills_a_frame_buffer(server: RtspServer) -> None:
    buffer = FrameBuffer(capacity=2)
    reader = build_reader(server.url, buffer, LOCAL, QUICK)

    reader.start()
    frame = buffer.get(timeout_s=5)
    reader.stop()

    assert frame is not None
    assert reader.join(5)
    assert not reader.status().dropped.get("sink_full")


def test_reader_reports_a_fault_of_its_own_when_joined() -> None:
    def broken(on_packet: object, stopped: threading.Event) -> NoReturn:
        raise ZeroDivisionError("a bug")

    buffer = FrameBuffer()
    reader = LiveReader(broken, buffer)

    reader.start()

    with pytest.raises(ZeroDivisionError):
        buffer.get(timeout_s=5)
    with pytest.raises(ZeroDivisionError):
        reader.join(5)
    assert reader.status().state == "failed"


def test_file_as_a_camera_gives_the_same_times_as_the_file(tmp_path: Path, watch: Watch) -> None:
    path = write_video(tmp_path / "a.mp4", Clip(num_frames=10, fps=50))
    with FileSource(path) as source:
        expected = [(frame.index, frame.time_s, number(frame.image)) for frame in source]
    started_s = time.monotonic()

    watched = watch(f"file:{path}")

    assert watched.ended.wait(5)
    assert time.monotonic() - started_s > 0.15
    assert [(frame.index, frame.time_s, number(frame.image)) for frame in watched.frames] == expected
    status = watched.reader.status()
    assert (status.state, status.last_error and status.last_error.code) == ("failed", "ended")


def test_file_as_a_camera_goes_on_growing_when_it_loops(tmp_path: Path, watch: Watch) -> None:
    path = write_video(tmp_path / "a.mp4", Clip(num_frames=5, fps=50))

    watched = watch(f"file:{path}", LiveOptions(loops=True))
    watched.until_frames(12)

    times_s = [frame.time_s for frame in watched.frames]
    assert times_s == sorted(set(times_s))


def test_file_as_a_camera_that_is_no_video_ends_with_its_reason(tmp_path: Path, watch: Watch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video" * 100)

    watched = watch(f"file:{tmp_path / 'a.mp4'}")

    assert watched.ended.wait(5)
    watched.until_error("unsupported_media")


def test_webcam_that_is_not_plugged_in_is_not_found(watch: Watch) -> None:
    watched = watch("webcam:97")

    watched.until_error("not_found")


def test_reader_of_a_forbidden_address_is_refused_before_it_starts() -> None:
    with pytest.raises(SourceForbidden):
        build_reader("rtsp://127.0.0.1/live", FrameBuffer(), AddressPolicy())


def jpeg(index: int) -> bytes:
    return cv2.imencode(".jpg", picture(index))[1].tobytes()


def test_push_hands_over_jpeg_pictures(watch: Watch) -> None:
    feed = PushFeed(QUICK)
    watched = watch(feed)

    for index in range(5):
        feed.put(jpeg(index))
        time.sleep(0.005)
    watched.until(lambda: len(watched.frames) == 5, "5 frames")

    assert [number(frame.image) for frame in watched.frames] == [0, 1, 2, 3, 4]
    assert watched.reader.status().state == "running"


def test_push_turns_pictures_as_the_camera_is_set(watch: Watch) -> None:
    feed = PushFeed(QUICK)
    watched = watch(feed, replace(QUICK, turn=Orientation.turned(90, mirror=True)))

    feed.put(cv2.imencode(".jpg", np.rot90(picture(3), -1))[1].tobytes())
    watched.until(lambda: len(watched.frames) == 1, "a frame")

    (frame,) = watched.frames
    assert (red_corner(frame.image), frame.size_wh) == ("bottom left", (64, 48))


def test_push_counts_what_is_no_picture(watch: Watch) -> None:
    feed = PushFeed(QUICK)
    watched = watch(feed)

    feed.put(jpeg(1)[:200])
    feed.put(jpeg(2))
    watched.until_frames(1)

    assert watched.reader.status().dropped == {"corrupt": 1}


def test_push_hands_over_h264_in_mpegts(tmp_path: Path, watch: Watch) -> None:
    options = {"preset": "ultrafast", "tune": "zerolatency"}
    path = write_video(tmp_path / "a.ts", Clip(num_frames=15, fps=25, codec_options=options))
    feed = PushFeed(QUICK)
    watched = watch(feed)

    data = io.BytesIO(path.read_bytes())
    while piece := data.read(1000):
        feed.put(piece)
    feed.end()

    watched.until(lambda: len(watched.frames) >= 14, "all frames")
    assert [number(frame.image) for frame in watched.frames][:14] == list(range(14))


def test_push_waits_for_a_new_client_when_one_leaves(watch: Watch) -> None:
    feed = PushFeed(QUICK)
    watched = watch(feed)
    feed.put(jpeg(1))
    watched.until_frames(1)

    feed.end()
    watched.until_state("reconnecting")
    feed.put(jpeg(2))
    watched.until_frames(1)

    assert [number(frame.image) for frame in watched.frames] == [1, 2]


def test_push_says_what_it_cannot_read(watch: Watch) -> None:
    feed = PushFeed(QUICK)
    watched = watch(feed)

    feed.put(b"hello" * 1000)
    feed.end()

    watched.until_error("codec_unsupported")


def test_push_holds_a_bounded_number_of_bytes() -> None:
    feed = PushFeed(QUICK, max_bytes=1000)

    for _ in range(10):
        feed.put(b"x" * 300)

    assert feed.num_dropped == 7


@pytest.mark.parametrize("pause_s", [0.0, 0.1, 0.7], ids=["at once", "soon", "later"])
def test_reader_counts_every_flap(server: RtspServer, watch: Watch, pause_s: float) -> None:
    watched = watch(server.url)
    watched.until_frames(3)

    for num_plays in range(2, 10):
        server.drop()
        watched.until(lambda: server.num_plays == num_plays, "another connection")  # noqa: B023 - called at once
        time.sleep(pause_s)

    watched.until(lambda: watched.reader.status().reconnects == 8, "eight reconnects")
    watched.until_frames(3)
    assert watched.reader.status().reconnects == 8


def test_reader_counts_connections_that_never_bring_a_picture(server: RtspServer, watch: Watch) -> None:
    server.corrupt_every = 1
    watched = watch(server.url)

    watched.until(lambda: watched.reader.status().reconnects >= 2, "two reconnects", 30)

    assert watched.reader.status().frames == 0


def test_reader_counts_a_client_that_pushes_comes_and_goes(watch: Watch) -> None:
    feed = PushFeed(QUICK)
    jpeg = cv2.imencode(".jpg", picture(0, (64, 48)))[1].tobytes()
    watched = watch(feed)

    for _ in range(9):
        feed.put(jpeg)
        feed.put(b"")
        feed.put(jpeg)
        feed.end()
        feed.end()

    watched.until(lambda: watched.reader.status().frames == 18, "18 pictures", 30)
    assert watched.reader.status().reconnects == 8
