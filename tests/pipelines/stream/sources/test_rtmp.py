"""RTMP from a real server: FFmpeg's own command, which lets one viewer in."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.sources import LiveOptions, build_reader
from tests.videos import Clip, number, write_video

POLICY = AddressPolicy(schemes=frozenset({"rtmp"}), networks=frozenset({"loopback"}))
OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _sending(path: Path) -> Iterator[str]:
    """The address of a server that sends a film at its own pace to the first who comes."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("no RTMP server: the ffmpeg command is not installed")
    protocols = subprocess.run([program, "-protocols"], capture_output=True, text=True, timeout=30, check=False).stdout
    if "rtmp" not in protocols:
        pytest.skip("no RTMP server: this ffmpeg was built without it")
    address = f"rtmp://127.0.0.1:{_free_port()}/live/yard"
    command = [
        program, "-loglevel", "error", "-re", "-i", str(path), "-c", "copy", "-f", "flv", "-listen", "1", address
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        yield address
        process.kill()


def test_reader_waits_for_an_rtmp_server_and_hands_its_pictures_over(tmp_path: Path) -> None:
    clip = Clip(size_wh=(160, 120), num_frames=60, fps=20, codec_options=OPTIONS)
    film = write_video(tmp_path / "film.mp4", clip)
    buffer = FrameBuffer(capacity=64)

    with _sending(film) as address:
        reader = build_reader(address, buffer, POLICY, LiveOptions(backoff_first_s=0.05, backoff_max_s=0.1))
        reader.start()
        frames = [frame for _ in range(10) if (frame := buffer.get(timeout_s=15)) is not None]
        reader.stop()
        assert reader.join(10)

    assert [number(frame.image) for frame in frames] == list(range(10)), reader.status()
    times_s = [frame.time_s for frame in frames]
    assert times_s == pytest.approx([times_s[0] + i / 20 for i in range(10)], abs=0.06)
    assert reader.status().state == "running"
