"""Files that break: in their timeline, in their order, at their end. Everything is read, and what is odd is told."""

import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipelines.stream.sources import FileSource, SourceCounts
from pipelines.types import BreakReason, Frame
from tests.videos import Clip, number, write_video

REORDERED = {"preset": "veryfast", "bf": "3", "b_strategy": "0", "g": "12"}


def read(path: Path, rate_hz: float | None = None) -> tuple[list[Frame], SourceCounts]:
    with FileSource(path, rate_hz=rate_hz) as source:
        return list(source), source.counts


def reasons(frames: list[Frame]) -> dict[int, BreakReason]:
    return {frame.index: frame.break_reason for frame in frames if frame.break_reason is not None}


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        pytest.param("h264.avi", Clip(num_frames=40, codec_options=REORDERED), id="H.264 in AVI"),
        pytest.param(
            "mjpeg.avi", Clip(num_frames=40, codec="mjpeg", pix_fmt="yuvj420p", codec_options={}), id="MJPEG in AVI"
        ),
        pytest.param("asp.wmv", Clip(num_frames=40, codec="wmv2", codec_options={}), id="WMV"),
        pytest.param("h264.flv", Clip(num_frames=40, codec_options=REORDERED), id="H.264 in FLV"),
        pytest.param("h264.ts", Clip(num_frames=40, codec_options=REORDERED), id="H.264 in MPEG-TS"),
    ],
)
def test_file_gives_every_picture_in_order_when_the_encoder_reordered_them(
    tmp_path: Path, name: str, clip: Clip
) -> None:
    frames, counts = read(write_video(tmp_path / name, clip))

    # By the order of brightness: the four round numbers of `picture` repeat after twenty.
    assert [number(frame.image) for frame in frames] == [index % 20 for index in range(40)]
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(0.1, abs=0.002)
    assert (counts.corrupt, counts.out_of_order, counts.is_truncated, counts.breaks) == (0, 0, False, {})


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        ("avi", "mjpeg", {}),
        ("avi", "libx264", {}),
        ("mp4", "libx264", {"movflags": "+faststart"}),
        ("mov", "libx264", {"movflags": "+frag_keyframe+empty_moov"}),
        ("mkv", "libx264", {}),
        ("webm", "libvpx", {}),
        ("flv", "libx264", {}),
        ("wmv", "wmv2", {}),
        ("gif", "gif", {}),
        ("ts", "libx264", {}),
    ],
)
def test_file_says_whether_it_was_cut_off(tmp_path: Path, suffix: str, codec: str, options: dict[str, str]) -> None:
    pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
    clip = Clip(
        (320, 240), 60, codec=codec, pix_fmt=pix_fmt, container_options=options, codec_options={"g": "12"}
    )  # fmt: skip
    whole = write_video(tmp_path / f"whole.{suffix}", clip)
    data = whole.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(data[: len(data) * 7 // 10 // 188 * 188 + 100])

    (all_frames, of_whole), (some_frames, of_cut) = read(whole), read(cut)

    assert (len(all_frames), of_whole.is_truncated, of_cut.is_truncated) == (60, False, True)
    assert 20 < len(some_frames) <= 60


@pytest.mark.parametrize("name", ["asp.avi", "film.ogv"])
def test_file_of_an_old_codec_is_read_whole(tmp_path: Path, name: str) -> None:
    codec = {"asp.avi": ["-c:v", "mpeg4", "-bf", "2"], "film.ogv": ["-c:v", "libtheora"]}[name]
    source = ["-f", "lavfi", "-i", "testsrc=s=320x240:r=10:d=4"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *codec, str(tmp_path / name)], check=True)
    data = (tmp_path / name).read_bytes()
    (tmp_path / f"cut_{name}").write_bytes(data[: len(data) // 2])

    (frames, of_whole), (_, of_cut) = read(tmp_path / name), read(tmp_path / f"cut_{name}")

    assert (len(frames), of_whole.is_truncated, of_cut.is_truncated) == (40, False, True)
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(0.1)


def test_file_recorded_without_an_end_is_not_called_cut_off(tmp_path: Path) -> None:
    clip = Clip(num_frames=30, container_format="matroska", container_options={"live": "1"})

    frames, counts = read(write_video(tmp_path / "live.mkv", clip))

    assert (len(frames), counts.is_truncated) == (30, False)


def joined(tmp_path: Path, *offsets_s: float) -> Path:
    """An MPEG-TS of several recordings of two seconds, each with its first timestamp."""
    path = tmp_path / "joined.ts"
    parts = []
    for index, offset_s in enumerate(offsets_s):
        times_s = [offset_s + i / 10 for i in range(20)]
        part = write_video(tmp_path / f"part{index}.ts", Clip(times_s=times_s, container_options={"muxdelay": "0"}))
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(
    ("offset_s", "reason", "gap_s"),
    [
        pytest.param(2.9, "gap", 1.0, id="a second"),
        pytest.param(3601.9, "gap", 3600.0, id="an hour"),
        pytest.param(80_000.0, "clock_jump", 1.0, id="nearly a day"),
        pytest.param(0.0, "clock_jump", 1.0, id="back to the start"),
    ],
)
def test_file_of_two_recordings_has_a_break_and_keeps_its_gap(
    tmp_path: Path, offset_s: float, reason: BreakReason, gap_s: float
) -> None:
    frames, counts = read(joined(tmp_path, 0.0, offset_s))

    assert len(frames) == 40
    assert reasons(frames) == {20: reason}
    assert counts.breaks == {reason: 1}
    assert frames[20].time_s - frames[19].time_s == pytest.approx(gap_s, abs=0.01)


def test_file_whose_recordings_overlap_has_a_break_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    frames, counts = read(joined(tmp_path, 0.0, 1.3))

    assert len(frames) + counts.out_of_order == 40
    assert counts.out_of_order == 1
    assert counts.breaks == {"clock_jump": 1}


def test_file_keeps_a_break_when_the_rate_leaves_its_first_picture_out(tmp_path: Path) -> None:
    frames, counts = read(joined(tmp_path, 0.0, 0.0, 0.0), rate_hz=4)

    assert list(reasons(frames).values()) == ["clock_jump", "clock_jump"]
    assert counts.breaks == {"clock_jump": 2}


def test_file_whose_clock_was_set_is_read_on(tmp_path: Path) -> None:
    times_s = [i / 10 + (1e5 if i >= 20 else 0.0) for i in range(40)]

    frames, counts = read(write_video(tmp_path / "set.mkv", Clip(times_s=times_s)))

    assert len(frames) == 40
    assert counts.breaks == {"clock_jump": 1}
    assert frames[-1].time_s == pytest.approx(1.9 + 1.0 + 1.9)


def test_file_whose_picture_changes_its_size_goes_on_in_the_new_size(tmp_path: Path) -> None:
    path = tmp_path / "two.ts"
    clips = [
        Clip(size_wh=size_wh, times_s=[start_s + i / 10 for i in range(10)])
        for size_wh, start_s in (((64, 48), 0.0), ((96, 64), 1.0))
    ]
    parts = [write_video(tmp_path / f"{clip.size_wh[0]}.ts", clip) for clip in clips]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))

    frames, _ = read(path)

    assert Counter(frame.size_wh for frame in frames) == {(64, 48): 10, (96, 64): 10}
    assert list(reasons(frames)) == [10]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-output_ts_offset", "95441.5", "-muxdelay", "0", "-f", "mpegts"], id="33 bits wrap"),
        pytest.param(["-bf", "2", "-g", "6", "-x264-params", "open-gop=1", "-f", "matroska"], id="open groups"),
        pytest.param(["-vf", "setpts=PTS-0.5/TB", "-f", "matroska"], id="before zero"),
        pytest.param(["-vf", "select=not(mod(n\\,3)),setpts=PTS", "-fps_mode", "vfr", "-f", "mp4"], id="variable"),
    ],
)
def test_file_that_is_only_unusual_has_no_break(tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "unusual"
    source = ["-f", "lavfi", "-i", "testsrc=s=320x240:r=10:d=3"]
    encoder = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *encoder, *arguments, str(path)], check=True)

    frames, counts = read(path)

    assert len(frames) >= 10
    assert (counts.breaks, counts.out_of_order, counts.is_truncated) == ({}, 0, False)


def test_file_goes_dark_for_a_second_without_a_cut(tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / "dark.mp4"
    light = "eq=brightness='if(between(t,1,2),-0.5,0)':eval=frame"
    clip = str(data_dir / "video" / "urfd_adl-01_rgb.mp4")
    subprocess.run(["ffmpeg", "-v", "error", "-i", clip, "-t", "3", "-vf", light, str(path)], check=True)

    _, counts = read(path)

    assert counts.breaks == {}


@pytest.mark.parametrize(
    "pair", [("urfd_adl-01_rgb", "sam2_juggle"), ("upfall_a1_t1_c1", "upfall_a1_t1_c2"), ("stgcn_ta_chi", "ways0")]
)
def test_file_cut_together_from_two_real_scenes_has_one_cut(
    tmp_path: Path, data_dir: Path, pair: tuple[str, str]
) -> None:
    path = tmp_path / "cut.mp4"
    inputs = [each for name in pair for each in ("-t", "1", "-i", str(data_dir / "video" / f"{name}.mp4"))]
    scaled = "[0:v]scale=640:480,fps=25,setsar=1[a];[1:v]scale=640:480,fps=25,setsar=1[b];[a][b]concat=n=2"
    subprocess.run(["ffmpeg", "-v", "error", *inputs, "-filter_complex", scaled, "-an", str(path)], check=True)

    frames, counts = read(path)

    assert reasons(frames) == {25: "scene_cut"}
    assert counts.breaks == {"scene_cut": 1}


@pytest.mark.parametrize(("capture_fps", "factor"), [("240", 8.0), ("30.01", None), ("nonsense", None), ("inf", None)])
def test_file_of_slow_motion_says_how_slow_it_plays(tmp_path: Path, capture_fps: str, factor: float | None) -> None:
    path = tmp_path / "slow.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=s=320x240:r=30:d=0.5"]
    tag = ["-movflags", "use_metadata_tags", "-metadata", f"com.android.capture.fps={capture_fps}"]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-pix_fmt", "yuv420p", *tag, str(path)], check=True)

    with FileSource(path) as opened:
        assert opened.info.slow_motion == factor
