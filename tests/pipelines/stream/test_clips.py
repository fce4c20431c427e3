"""Evidence: bounded, cut at a keyframe before the start, copied bit by bit, and honest about what it covers."""

import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.orientation import Orientation, Rotation
from pipelines.stream.clips import Clip as Evidence
from pipelines.stream.clips import ClipWriter, EvidenceBuffer, write_clip
from pipelines.stream.sources import FileSource, LiveOptions, ReaderHooks, build_reader
from pipelines.stream.sources.packet_tap import PacketTap
from pipelines.stream.sources.timing import PlayedClock
from pipelines.types import EncodedPacket, Frame
from tests.rtsp_server import Footage, RtspServer
from tests.videos import Clip, number, red_corner, write_video

OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "g": "5"}


def feed(sink: EvidenceBuffer, path: Path, shift_s: float = 0.0) -> None:
    """Send a file's packets into the buffer as a reader would, media time shifted."""
    clock = PlayedClock()
    clock.at(0.0, 0.0)
    shifted = _Shifted(sink, shift_s)
    tap = PacketTap(shifted, clock)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.size:
                tap(packet, stream)


class _Shifted:
    def __init__(self, sink: EvidenceBuffer, shift_s: float) -> None:
        self._sink = sink
        self._shift_s = shift_s

    def begin(self, header: bytes) -> None:
        self._sink.begin(header)

    def orient(self, orientation: Orientation) -> None:
        self._sink.orient(orientation)

    def add(self, packet: EncodedPacket) -> None:
        self._sink.add(
            EncodedPacket(
                packet.data, packet.time_s + self._shift_s, packet.pts, packet.dts, packet.duration, packet.tick_s,
                packet.is_keyframe,
            )
        )  # fmt: skip


def shown(path: Path) -> list[tuple[int, float]]:
    """Number and time of each picture in a clip."""
    with av.open(str(path)) as container:
        return [
            (number(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)), round(frame.time, 3))
            for frame in container.decode(video=0)
        ]


def packets_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Twenty pictures at 10 per second with a keyframe each half second."""
    return write_video(tmp_path / "camera.mp4", Clip(num_frames=20, fps=10, codec_options=OPTIONS))


@pytest.fixture
def buffer(video: Path) -> EvidenceBuffer:
    filled = EvidenceBuffer()
    feed(filled, video)
    return filled


def test_cut_begins_at_the_keyframe_before_the_start_and_is_copied_unchanged(
    buffer: EvidenceBuffer, video: Path, tmp_path: Path
) -> None:
    cut = buffer.cut(0.72, 1.35)
    assert cut is not None

    write_clip(cut, tmp_path / "clip.mp4")

    assert cut.covered_s == pytest.approx((0.5, 1.3))
    assert shown(tmp_path / "clip.mp4") == [(5 + i, round(i / 10, 3)) for i in range(9)]
    assert packets_of(tmp_path / "clip.mp4") == packets_of(video)[5:14]


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("a.ts", Clip(num_frames=20, fps=10, codec_options=OPTIONS)),
        ("a.mkv", Clip(num_frames=20, fps=10, codec_options={"preset": "medium", "bf": "2", "g": "5"})),
        ("a.mp4", Clip(num_frames=20, times_s=[i / 10 + (i > 8) for i in range(20)], codec_options=OPTIONS)),
    ],
    ids=["annex b", "reordered pictures", "variable rate"],
)
def test_cut_of_other_streams_plays(tmp_path: Path, name: str, clip: Clip) -> None:
    buffer = EvidenceBuffer()
    feed(buffer, write_video(tmp_path / name, clip))
    covered_s = buffer.covered_s()
    assert covered_s is not None
    cut = buffer.cut(*covered_s)
    assert cut is not None

    write_clip(cut, tmp_path / "clip.mp4")

    pictures = shown(tmp_path / "clip.mp4")
    assert [index for index, _ in pictures] == list(range(20))
    assert pictures[-1][1] - pictures[0][1] == pytest.approx(clip.times[-1], abs=0.01)


def test_buffer_lets_whole_groups_go_beyond_its_seconds(video: Path) -> None:
    buffer = EvidenceBuffer(max_s=0.8)

    feed(buffer, video)

    assert buffer.covered_s() == pytest.approx((1.0, 1.9))


def test_buffer_lets_whole_groups_go_beyond_its_bytes(video: Path) -> None:
    sizes = [len(data) for data in packets_of(video)]
    buffer = EvidenceBuffer(max_bytes=sum(sizes[10:]) + 10)

    feed(buffer, video)

    assert buffer.num_bytes == sum(sizes[10:])
    assert buffer.covered_s() == pytest.approx((1.0, 1.9))


def test_buffer_keeps_no_group_that_is_larger_than_itself(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "100"}
    buffer = EvidenceBuffer(max_bytes=800)

    feed(buffer, write_video(tmp_path / "a.mp4", Clip(num_frames=20, codec_options=options)))

    assert buffer.num_bytes == 0
    assert buffer.covered_s() is None
    assert buffer.cut(0, 1) is None


def test_cut_over_a_reconnect_takes_the_connection_that_covers_most(video: Path) -> None:
    buffer = EvidenceBuffer()
    feed(buffer, video)
    feed(buffer, video, shift_s=10.0)

    cut = buffer.cut(1.6, 11.5)

    assert cut is not None
    assert cut.covered_s == pytest.approx((10.0, 11.5))


def test_cut_of_a_time_that_is_gone_is_none(buffer: EvidenceBuffer) -> None:
    assert buffer.cut(5.0, 6.0) is None
    assert buffer.cut(-3.0, -1.0) is None


def test_cut_says_what_it_really_covers_when_the_start_is_gone(buffer: EvidenceBuffer) -> None:
    cut = buffer.cut(-2.0, 0.55)

    assert cut is not None
    assert cut.covered_s == pytest.approx((0.0, 0.5))


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def writer(clips: list[Evidence], clock: Callable[[], float] = lambda: 0.0) -> ClipWriter:
    return ClipWriter(clips.append, pre_roll_s=0.3, post_roll_s=0.2, max_clip_s=1.5, grace_s=1.0, clock=clock)


def test_clip_is_ready_with_its_rolls_and_its_coverage(buffer: EvidenceBuffer, tmp_path: Path) -> None:
    clips: list[Evidence] = []
    writing = writer(clips)

    asked = writing.request("e1", buffer, 0.9, 1.45, tmp_path / "e1.mp4")
    writing.run_due()

    assert asked.state == "pending"
    assert [(clip.clip_id, clip.state) for clip in clips] == [("e1", "ready")]
    assert clips[0].covered_s == pytest.approx((0.5, 1.6))
    assert len(shown(tmp_path / "e1.mp4")) == 12


def test_clip_waits_for_its_last_second(buffer: EvidenceBuffer, video: Path, tmp_path: Path) -> None:
    clips: list[Evidence] = []
    writing = writer(clips)
    writing.request("e1", buffer, 1.0, 1.95, tmp_path / "e1.mp4")
    assert writing.run_due() == 0

    feed(buffer, video, shift_s=2.0)

    assert writing.run_due() == 1
    assert clips[0].state == "ready"


def test_clip_of_a_stream_that_died_is_cut_from_what_there_is(buffer: EvidenceBuffer, tmp_path: Path) -> None:
    clips: list[Evidence] = []
    clock = Clock()
    writing = writer(clips, clock)
    writing.request("e1", buffer, 1.5, 1.9, tmp_path / "e1.mp4")
    assert writing.run_due() == 0

    clock.now_s = 1.3
    writing.run_due()

    assert [clip.state for clip in clips] == ["ready"]
    assert clips[0].covered_s == pytest.approx((1.0, 1.9))


def test_clip_of_a_long_action_is_its_beginning(buffer: EvidenceBuffer, tmp_path: Path) -> None:
    clips: list[Evidence] = []
    writing = writer(clips)

    clip = writing.request("e1", buffer, 0.3, 500.0, tmp_path / "e1.mp4")

    assert (clip.start_s, clip.end_s) == pytest.approx((0.0, 1.5))


def test_clip_fails_with_a_reason_and_leaves_nothing_behind(buffer: EvidenceBuffer, tmp_path: Path) -> None:
    clips: list[Evidence] = []
    writing = writer(clips)
    folder = tmp_path / "absent" / "e1.mp4"

    writing.request("gone", EvidenceBuffer(), 0.0, 1.0, tmp_path / "gone.mp4")
    writing.request("folder", buffer, 0.3, 1.0, folder)
    writing.stop()
    writing.run_due()

    assert [(clip.clip_id, clip.state, clip.reason) for clip in clips] == [
        ("gone", "failed", "not_covered"),
        ("folder", "failed", "not_writable"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["camera.mp4"]


def test_clips_asked_for_without_end_are_refused(buffer: EvidenceBuffer, tmp_path: Path) -> None:
    writing = writer([])

    clips = [writing.request(str(i), buffer, 1.0, 9.0, tmp_path / f"{i}.mp4") for i in range(300)]

    assert [clip.reason for clip in clips if clip.state == "failed"] == ["too_many"] * 44


def test_writer_settles_what_is_asked_for_when_stopped_twice(buffer: EvidenceBuffer, tmp_path: Path) -> None:
    clips: list[Evidence] = []
    writing = writer(clips)
    writing.start()
    writing.request("e1", buffer, 1.0, 9.0, tmp_path / "e1.mp4")

    writing.stop()
    writing.stop()

    assert writing.join(5)
    assert [clip.state for clip in clips] == ["ready"]
    assert writing.request("e2", buffer, 1.0, 1.2, tmp_path / "e2.mp4").reason == "stopped"


class Frames:
    """Counts what a reader hands over."""

    def __init__(self, goal: int) -> None:
        self.frames: list[Frame] = []
        self.enough = threading.Event()
        self._goal = goal

    def put(self, frame: Frame, timeout_s: float | None = None) -> bool:
        self.frames.append(frame)
        if len(self.frames) >= self._goal:
            self.enough.set()
        return True

    def end(self, error: Exception | None = None) -> None:
        self.enough.set()


def test_clip_of_an_rtsp_camera_shows_what_its_frames_showed(video: Path, tmp_path: Path) -> None:
    buffer, frames = EvidenceBuffer(), Frames(goal=12)
    policy = AddressPolicy(networks=frozenset({"loopback"}))
    with RtspServer(Footage.load(video), speed=2.0) as server:
        reader = build_reader(
            server.url, frames, policy, LiveOptions(read_timeout_s=0.3), hooks=ReaderHooks(packets=buffer)
        )
        reader.start()
        assert frames.enough.wait(10)
        reader.stop()
        assert reader.join(5)

    cut = buffer.cut(frames.frames[0].time_s, frames.frames[11].time_s)
    assert cut is not None
    write_clip(cut, tmp_path / "clip.mp4")

    numbers = [index for index, _ in shown(tmp_path / "clip.mp4")]
    assert numbers == [number(frame.image) for frame in frames.frames[:12]]
    assert cut.covered_s == pytest.approx((frames.frames[0].time_s, frames.frames[11].time_s), abs=0.01)


@pytest.mark.parametrize("rotation", [None, 90], ids=["stored upright", "held sideways"])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotate_deg", [0, 90, 180, 270])
def test_clip_is_shown_as_the_frames_that_were_analysed(
    tmp_path: Path, rotate_deg: Rotation, mirror: bool, rotation: int | None
) -> None:
    path = write_video(tmp_path / "camera.mp4", Clip(num_frames=6, fps=50, rotation=rotation, codec_options=OPTIONS))
    buffer, frames = EvidenceBuffer(), Frames(goal=6)
    options = LiveOptions(turn=Orientation.turned(rotate_deg, mirror))
    policy = AddressPolicy(schemes=frozenset({"file"}), folders=(tmp_path,))
    reader = build_reader(f"file:{path}", frames, policy, options, hooks=ReaderHooks(packets=buffer))
    reader.start()
    assert frames.enough.wait(10)
    reader.stop()
    assert reader.join(5)

    cut = buffer.cut(0.0, 1.0)
    assert cut is not None
    write_clip(cut, tmp_path / "clip.mp4")

    with FileSource(tmp_path / "clip.mp4") as clip:
        shown_first = next(iter(clip))
    analysed = frames.frames[0]
    assert red_corner(shown_first.image) == red_corner(analysed.image)
    assert shown_first.size_wh == analysed.size_wh
