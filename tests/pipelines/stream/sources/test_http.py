"""Sources over HTTP: live playlists, motion JPEG, and the answers of servers that have nothing to show."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.sources import LiveOptions, LiveReader, build_reader
from pipelines.types import Frame
from tests.videos import Clip, number, picture, write_video

QUICK = LiveOptions(open_timeout_s=2.0, read_timeout_s=0.5, backoff_first_s=0.02, backoff_max_s=0.05)
POLICY = AddressPolicy(networks=frozenset({"loopback"}))


class Handler(BaseHTTPRequestHandler):
    """Files of a folder, `/status/NNN`, `/moved/NAME` and `/camera.mjpg`."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self._folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        if name.startswith("status/"):
            self.send_error(int(name.removeprefix("status/")))
        elif name.startswith("moved/"):
            self.send_response(302)
            self.send_header("Location", "/" + name.removeprefix("moved/"))
            self.end_headers()
        elif name == "camera.mjpg":
            self._send_motion_jpeg()
        elif (self._folder / name).is_file():
            self._send((self._folder / name).read_bytes())
        else:
            self.send_error(404)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the parent's signature
        pass

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_motion_jpeg(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=cut")
        self.end_headers()
        pause = threading.Event()
        for index in range(12):
            body = cv2.imencode(".jpg", picture(index))[1].tobytes()
            self.wfile.write(b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body))
            self.wfile.write(body + b"\r\n")
            pause.wait(0.1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a server that shows the test's folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, tmp_path))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def read(url: str, num_frames: int, policy: AddressPolicy = POLICY) -> list[Frame]:
    """The first frames of an address; fails where they do not come."""
    buffer = FrameBuffer(capacity=64)
    reader = build_reader(url, buffer, policy, QUICK)
    reader.start()
    frames = [buffer.get(timeout_s=8) for _ in range(num_frames)]
    stopped(reader)
    assert None not in frames, reader.status()
    return [frame for frame in frames if frame is not None]


def stopped(reader: LiveReader) -> None:
    reader.stop()
    assert reader.join(5)


def code_of(url: str) -> str:
    """The first error of an address."""
    first = threading.Event()
    codes: list[str] = []
    buffer = FrameBuffer()
    reader = build_reader(url, buffer, POLICY, QUICK)
    reader.start()
    for _ in range(400):
        error = reader.status().last_error
        if error is not None:
            codes.append(error.code)
            break
        first.wait(0.01)
    stopped(reader)
    assert codes, "no error came"
    return codes[0]


def write_playlist(folder: Path, suffix: str = "") -> None:
    """Three segments of half a second each, as a live playlist that does not end."""
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
    names = []
    for index in range(3):
        times_s = [index * 0.5 + i / 20 for i in range(10)]
        name = f"part{index}.ts{suffix}"
        write_video(
            folder / name,
            Clip(times_s=times_s, fps=20, codec_options=options, container_format="mpegts",
                 container_options={"mpegts_copyts": "1"}),
        )  # fmt: skip
        names.append(f"#EXTINF:0.5,\n{name}\n")
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
    (folder / "live.m3u8").write_text(head + "".join(names))


def test_playlist_plays_at_its_own_pace(site: str, tmp_path: Path) -> None:
    write_playlist(tmp_path)

    frames = read(f"{site}/live.m3u8", 12)

    walls_s = [frame.wall_s or 0.0 for frame in frames]
    assert [number(frame.image) for frame in frames] == [*range(10), 0, 1]
    assert [frame.time_s for frame in frames] == pytest.approx([i / 20 for i in range(12)], abs=0.03)
    assert walls_s[-1] - walls_s[0] > 0.4


def test_motion_jpeg_is_timed_by_its_arrival(site: str) -> None:
    frames = read(f"{site}/camera.mjpg", 6)

    assert [number(frame.image) for frame in frames] == list(range(6))
    # FFmpeg would say 25 per second; the camera sends 10.
    assert frames[5].time_s - frames[1].time_s > 0.25


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("status/404", "not_found"),
        ("status/401", "auth_failed"),
        ("status/403", "auth_failed"),
        ("status/500", "connection_failed"),
        ("letter.txt", "codec_unsupported"),
        ("letter.m3u8", "codec_unsupported"),
    ],
)
def test_server_that_shows_nothing_says_why(site: str, tmp_path: Path, path: str, code: str) -> None:
    for name in ("letter.txt", "letter.m3u8"):
        (tmp_path / name).write_text("Dear reader, this is not a video.\n" * 50)

    assert code_of(f"{site}/{path}") == code


def test_playlist_leads_to_no_file_of_this_machine(site: str, tmp_path: Path) -> None:
    secret = write_video(tmp_path / "secret.ts", Clip(container_format="mpegts"))
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n"
    (tmp_path / "evil.m3u8").write_text(f"{head}file://{secret}\n#EXT-X-ENDLIST\n")

    assert code_of(f"{site}/evil.m3u8") == "codec_unsupported"


def test_redirect_is_not_followed(site: str, tmp_path: Path) -> None:
    write_playlist(tmp_path)

    assert code_of(f"{site}/moved/live.m3u8") == "connection_failed"
