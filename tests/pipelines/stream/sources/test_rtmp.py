"""RTMP from a real server: FFmpeg's own command, which lets one viewer in."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.sources import LiveOptions, build_reader
from pipelines.stream.sources.ffmpeg import rtmp_app
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


@contextmanager
def _recording(target_port: int) -> Iterator[tuple[int, bytearray]]:
    """A port that passes everything on to another one, and what its visitors said."""
    listener, said = socket.create_server(("127.0.0.1", 0)), bytearray()

    def pass_on(source: socket.socket, target: socket.socket, kept: bytearray | None) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
                if kept is not None:
                    kept += data
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                visitor, _ = listener.accept()
                try:
                    target = socket.create_connection(("127.0.0.1", target_port))
                except OSError:  # the server is not there yet
                    visitor.close()
                    continue
                back = threading.Thread(target=pass_on, args=(target, visitor, None))
                back.start()
                pass_on(visitor, target, said)
                back.join()
                visitor.close()
                target.close()

    thread = threading.Thread(target=accept)
    thread.start()
    yield listener.getsockname()[1], said
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


@pytest.mark.parametrize(
    ("path", "app"),
    [
        ("/live/yard", "live"), ("/live/yard?token=a/b:c", "live/yard?token=a"),
        ("/live", "live"), ("/live?a=1", "live?a=1"),
        ("/live/_definst_/yard", "live/_definst_"), ("/vod/mp4:folder/film.mp4", "vod"), ("/ondemand/a/b", "ondemand"),
        ("", ""),
    ],
)  # fmt: skip
def test_application_is_found_as_ffmpeg_finds_it(path: str, app: str) -> None:
    assert rtmp_app(path) == app


def test_server_is_dialled_by_a_name_that_only_the_policy_resolves_and_told_that_name(tmp_path: Path) -> None:
    clip = Clip(size_wh=(160, 120), num_frames=60, fps=20, codec_options=OPTIONS)
    film = write_video(tmp_path / "film.mp4", clip)
    policy = AddressPolicy(frozenset({"rtmp"}), frozenset({"loopback"}), resolve=lambda host, port: ["127.0.0.1"])
    buffer = FrameBuffer(capacity=64)

    with _sending(film) as address, _recording(int(address.split(":")[2].split("/")[0])) as (port, said):
        uri = f"rtmp://cam.example:{port}/live/yard"
        reader = build_reader(uri, buffer, policy, LiveOptions(backoff_first_s=0.05, backoff_max_s=0.1))
        reader.start()
        frame = buffer.get(timeout_s=15)
        reader.stop()
        assert reader.join(10)

    assert frame is not None, reader.status()
    assert f"rtmp://cam.example:{port}/live".encode() in bytes(said)


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
