"""FileSource: every picture once, upright, with its own time; a file that cannot be read says why."""

import gc
import hashlib
import os
import socket
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.errors import SourceError, SourceForbidden, SourceTooLarge, SourceTruncated, UnsupportedMedia
from pipelines.orientation import Orientation
from pipelines.stream.sources import FileSource, SourceLimits
from pipelines.types import Frame
from tests.videos import Clip, number, picture, red_corner, write_audio, write_video


def read(path: Path, limits: SourceLimits | None = None, rate_hz: float | None = None) -> list[Frame]:
    with FileSource(path, limits, rate_hz) as source:
        return list(source)


def test_file_gives_every_frame_once_with_its_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Clip(num_frames=12, fps=10))

    frames = read(path)

    assert [number(frame.image) for frame in frames] == list(range(12))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 10 for i in range(12)])
    assert all(frame.wall_s is None for frame in frames)


def test_file_says_what_it_holds_before_it_is_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Clip(num_frames=12, fps=29.97))

    with FileSource(path) as source:
        info = source.info

    assert info.size_wh == info.stored_wh == (64, 48)
    assert info.fps == pytest.approx(29.97, abs=0.01)
    assert info.duration_s == pytest.approx(12 / 29.97, abs=0.04)
    assert (info.num_frames, info.codec, info.container) == (12, "h264", "mov")


def test_file_keeps_variable_times(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.5, 0.51, 3.0]
    path = write_video(tmp_path / "vfr.mp4", Clip(times_s=times_s, fps=25))

    frames = read(path)

    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-3)


@pytest.mark.parametrize(
    ("rotation", "hflip", "corner", "size_wh"),
    [
        pytest.param(None, False, "top left", (64, 48), id="upright"),
        pytest.param(90, False, "bottom left", (48, 64), id="quarter turn left"),
        pytest.param(-90, False, "top right", (48, 64), id="quarter turn right"),
        pytest.param(180, False, "bottom right", (64, 48), id="upside down"),
        pytest.param(0, True, "top right", (64, 48), id="mirrored"),
        pytest.param(90, True, "bottom right", (48, 64), id="turned and mirrored"),
    ],
)
def test_file_hands_out_upright_pictures_when_the_container_says_how_it_was_held(
    tmp_path: Path, rotation: int | None, hflip: bool, corner: str, size_wh: tuple[int, int]
) -> None:
    path = write_video(tmp_path / "held.mp4", Clip(num_frames=2, rotation=rotation, hflip=hflip))

    with FileSource(path) as source:
        frame = next(iter(source))

        assert red_corner(frame.image) == corner
        assert frame.size_wh == source.info.size_wh == size_wh
        assert frame.image.flags.c_contiguous


@pytest.mark.parametrize(
    ("turn", "corner", "size_wh"),
    [
        pytest.param(Orientation.turned(90), "top left", (64, 48), id="back to how it was stored"),
        pytest.param(Orientation.turned(180), "top right", (48, 64), id="on its head"),
        pytest.param(Orientation.turned(0, mirror=True), "bottom right", (48, 64), id="mirrored"),
    ],
)
def test_file_is_turned_further_than_its_container_says(
    tmp_path: Path, turn: Orientation, corner: str, size_wh: tuple[int, int]
) -> None:
    path = write_video(tmp_path / "held.mp4", Clip(num_frames=2, rotation=90))

    with FileSource(path, turn=turn) as source:
        frame = next(iter(source))

        assert red_corner(frame.image) == corner
        assert frame.size_wh == source.info.size_wh == size_wh
        assert source.info.stored_wh == (64, 48)


@pytest.mark.parametrize(
    "clip",
    [
        pytest.param(Clip(size_wh=(65, 49), pix_fmt="yuv444p"), id="odd sides"),
        pytest.param(Clip(size_wh=(63, 47), pix_fmt="yuvj420p", codec="mjpeg", codec_options={}), id="odd, subsampled"),
        pytest.param(Clip(size_wh=(16, 720)), id="narrow"),
        pytest.param(Clip(has_audio=True), id="with sound"),
        pytest.param(Clip(codec_options={"preset": "medium", "bf": "3", "g": "12"}), id="reordered pictures"),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_file_reads_every_frame_of_unusual_streams(tmp_path: Path, clip: Clip, suffix: str) -> None:
    frames = read(write_video(tmp_path / f"a.{suffix}", clip))

    assert [number(frame.image) for frame in frames] == list(range(12))
    assert {frame.size_wh for frame in frames} == {clip.size_wh}


@pytest.mark.parametrize(
    ("name", "container_format"),
    [
        ("film.txt", "mp4"),
        ("film", "matroska"),
        ("Übung 見本 🎬.mp4", None),
        ("concat:a|b.mp4", None),
        ("x.avi", "mpegts"),
    ],
)
def test_file_is_read_by_content_whatever_its_name(tmp_path: Path, name: str, container_format: str | None) -> None:
    path = write_video(tmp_path / "made.mp4", Clip(container_format=container_format)).rename(tmp_path / name)

    assert len(read(path)) == 12


def test_file_with_a_name_in_latin_1_is_read(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    path = write_video(tmp_path / "made.mp4").rename(folder / os.fsdecode(b"caf\xe9.mp4"))

    assert len(read(path)) == 12


def test_file_with_a_name_in_latin_1_is_named_in_text_that_can_be_printed(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        FileSource(tmp_path / os.fsdecode(b"caf\xe9.mp4"))

    assert str(caught.value) == "caf\ufffd.mp4: no such file"


def test_file_shows_wide_pixels_at_their_true_shape(tmp_path: Path) -> None:
    path = write_video(tmp_path / "anamorphic.mp4", Clip(aspect=Fraction(2, 1)))

    with FileSource(path) as source:
        assert source.info.size_wh == (128, 48)
        assert source.info.stored_wh == (64, 48)


def test_file_scales_large_pictures_down(tmp_path: Path) -> None:
    path = write_video(tmp_path / "large.mp4", Clip(size_wh=(640, 320), num_frames=2))

    frames = read(path, SourceLimits(max_side_px=160))

    assert {frame.size_wh for frame in frames} == {(160, 80)}
    assert red_corner(frames[0].image) == "top left"


def test_file_gives_one_frame_when_it_holds_one(tmp_path: Path) -> None:
    frames = read(write_video(tmp_path / "one.mp4", Clip(num_frames=1)))

    assert [frame.time_s for frame in frames] == [0.0]


def test_file_reads_a_picture_every_ten_seconds(tmp_path: Path) -> None:
    frames = read(write_video(tmp_path / "slow.mp4", Clip(fps=0.1, num_frames=5)))

    assert [frame.time_s for frame in frames] == pytest.approx([0, 10, 20, 30, 40])


def test_file_numbers_time_by_the_frame_rate_when_the_stream_has_no_clock(tmp_path: Path) -> None:
    frames = read(write_video(tmp_path / "raw.h264", Clip(fps=25)))

    assert [number(frame.image) for frame in frames] == list(range(12))
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(0.04)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("fps", [240.0, 120.0, 59.94, 50.0])
def test_file_keeps_the_analysis_rate_when_it_has_more_frames(tmp_path: Path, fps: float, suffix: str) -> None:
    clip = Clip(fps=fps, num_frames=int(fps), codec_options={"preset": "veryfast", "bf": "3", "b_strategy": "0"})
    path = write_video(tmp_path / f"fast.{suffix}", clip)

    frames = read(path, rate_hz=30)

    gaps_s = np.diff([frame.time_s for frame in frames])
    assert len(frames) == pytest.approx(30, abs=1)
    assert gaps_s.max() < 2 / 30
    assert gaps_s.min() > 0.5 / 30


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("fps", [30.0, 29.97, 15.0])
def test_file_keeps_every_frame_when_its_rate_is_not_above_the_analysis_rate(
    tmp_path: Path, fps: float, suffix: str
) -> None:
    path = write_video(tmp_path / f"same.{suffix}", Clip(fps=fps, num_frames=60))

    assert len(read(path, rate_hz=30)) == 60


def test_file_counts_what_it_leaves_out_for_the_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "fast.mp4", Clip(fps=60, num_frames=60))

    with FileSource(path, rate_hz=15) as source:
        num_frames = len(list(source))

        assert source.info.num_frames == 15
        assert num_frames == source.counts.frames == pytest.approx(15, abs=1)
        assert source.counts.skipped_rate == 60 - num_frames


def not_a_video(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(40_000))


def text(path: Path) -> None:
    path.write_text("hello\n" * 500)


def playlist(path: Path) -> None:
    other = write_video(path.with_name("other.ts"))
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def cut_without_index(path: Path) -> None:
    whole = write_video(path, Clip(num_frames=60)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def cut_before_first_picture(path: Path) -> None:
    whole = write_video(path, Clip(container_options={"movflags": "+faststart"})).read_bytes()
    path.write_bytes(whole[: whole.index(b"mdat") + 4])


def scrambled(path: Path) -> None:
    whole = bytearray(write_video(path, Clip(container_options={"movflags": "+faststart"})).read_bytes())
    start = whole.index(b"mdat") + 4
    path.write_bytes(bytes(whole[:start]) + b"\xff" * (len(whole) - start))


@pytest.mark.parametrize(
    ("name", "make", "error", "code"),
    [
        ("random.mp4", not_a_video, UnsupportedMedia, "unsupported_media"),
        ("letter.txt", text, UnsupportedMedia, "unsupported_media"),
        ("list.m3u8", playlist, UnsupportedMedia, "unsupported_media"),
        ("list.mp4", playlist, UnsupportedMedia, "unsupported_media"),
        ("song.m4a", write_audio, UnsupportedMedia, "unsupported_media"),
        ("folder.mp4", Path.mkdir, UnsupportedMedia, "unsupported_media"),
        ("pipe.mp4", pipe, UnsupportedMedia, "unsupported_media"),
        ("socket.mp4", unix_socket, UnsupportedMedia, "unsupported_media"),
        ("device.mp4", link_to_device, UnsupportedMedia, "unsupported_media"),
        ("loop.mp4", link_to_itself, SourceForbidden, "source_forbidden"),
        ("scrambled.mp4", scrambled, UnsupportedMedia, "unsupported_media"),
        ("zero.mp4", Path.touch, SourceTruncated, "source_truncated"),
        ("half.mp4", cut_without_index, SourceTruncated, "source_truncated"),
        ("head.mp4", cut_before_first_picture, SourceTruncated, "source_truncated"),
        ("absent.mp4", lambda path: None, SourceError, "not_found"),
    ],
)
def test_file_that_cannot_be_analysed_says_why(
    tmp_path: Path, name: str, make: Callable[[Path], object], error: type[SourceError], code: str
) -> None:
    make(tmp_path / name)

    with pytest.raises(error, match=name) as caught:
        FileSource(tmp_path / name)

    assert caught.value.code == code
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(SourceLimits(max_pixels=64 * 48 - 1), id="pixels"),
        pytest.param(SourceLimits(max_picture_bytes=64 * 48 * 3 // 2 - 1), id="bytes of a picture"),
        pytest.param(SourceLimits(max_duration_s=1.0), id="seconds"),
    ],
)
def test_file_beyond_the_limits_is_refused_at_once(tmp_path: Path, limits: SourceLimits) -> None:
    path = write_video(tmp_path / "a.mp4")

    with pytest.raises(SourceTooLarge, match=r"a\.mp4"):
        FileSource(path, limits)


def test_file_beyond_the_time_limit_is_refused_on_the_way_when_it_declares_none(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.h264", Clip(fps=10))

    with FileSource(path, SourceLimits(max_duration_s=0.2)) as source, pytest.raises(SourceTooLarge):
        list(source)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_file_cut_in_the_middle_gives_what_is_there_and_says_so(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    options = {"movflags": "+faststart"} if suffix == "mp4" else {}
    whole = write_video(path, Clip(size_wh=(320, 240), num_frames=60, container_options=options)).read_bytes()
    path.write_bytes(whole[: len(whole) * 7 // 10])

    with FileSource(path) as source:
        frames = list(source)

        assert 20 < len(frames) < 60
        assert source.counts.is_truncated


def test_file_read_to_its_end_is_not_truncated(tmp_path: Path) -> None:
    with FileSource(write_video(tmp_path / "a.mkv")) as source:
        list(source)

        assert not source.counts.is_truncated


def test_file_goes_on_after_broken_packets_and_counts_them(tmp_path: Path) -> None:
    path = write_video(tmp_path / "hurt.mp4", Clip(size_wh=(320, 240), num_frames=60))
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    whole = bytearray(path.read_bytes())
    for position, size in places[20:23]:
        assert position is not None
        whole[position : position + size] = b"\xff" * size
    path.write_bytes(whole)

    with FileSource(path) as source:
        frames = list(source)

        assert source.counts.corrupt > 0
        assert len(frames) >= 50
        assert frames[-1].time_s == pytest.approx(5.9)


@pytest.mark.parametrize("seed", range(3))
def test_file_with_broken_pictures_is_read_the_same_every_time(data_dir: Path, tmp_path: Path, seed: int) -> None:
    content = bytearray((data_dir / "video" / "mmaction2_demo_skeleton.mp4").read_bytes())
    for place in np.random.default_rng(seed).integers(3000, len(content) - 3000, 40):
        content[place] ^= 0xFF
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)

    readings = [_digest(path) for _ in range(4)]

    assert readings == [readings[0]] * 4


def _digest(path: Path) -> str:
    """Of all pictures of a file, their times, and what was said of them."""
    digest = hashlib.sha256()
    with FileSource(path) as source:
        for frame in source:
            digest.update(repr(frame.time_s).encode() + frame.image.tobytes())
        digest.update(repr(source.counts).encode())
    return digest.hexdigest()


def test_file_lets_go_of_every_picture_without_the_garbage_collector(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", Clip(num_frames=60, rotation=90))
    gc.collect()
    gc.disable()

    try:
        with FileSource(path) as source:
            # By exact type: isinstance asks every object for its class, and some warn when they are asked.
            most_held = max(sum(type(each) is av.VideoFrame for each in gc.get_objects()) for _ in source)
    finally:
        gc.enable()

    assert most_held < 10


def test_file_may_be_closed_twice_and_before_it_is_read(tmp_path: Path) -> None:
    source = FileSource(write_video(tmp_path / "a.mp4"))

    source.close()
    source.close()


def test_pictures_of_the_tests_say_their_number() -> None:
    assert number(picture(7)) == 7
    assert red_corner(picture(0)) == "top left"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_forbidden(tmp_path: Path) -> None:
    path = write_video(tmp_path / "secret.mp4")
    path.chmod(0)

    with pytest.raises(SourceForbidden):
        FileSource(path)
