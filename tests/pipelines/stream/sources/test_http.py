"""Sources over HTTP: live playlists, motion JPEG, and the answers of servers that have nothing to show."""

import base64
import contextlib
import re
import shutil
import subprocess
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
from pipelines.stream.sources.rtsp import digest
from pipelines.types import Frame
from tests.videos import Clip, number, picture, write_video

QUICK = LiveOptions(open_timeout_s=2.0, read_timeout_s=0.5, backoff_first_s=0.02, backoff_max_s=0.05)
Site = str
POLICY = AddressPolicy(networks=frozenset({"loopback"}))


class Handler(BaseHTTPRequestHandler):
    """Files of a folder, whole or in parts, `/status/NNN`, `/moved/NAME`, `/to/URL`, `/locked/SCHEME/NAME`,
    `/trickle` and `/camera.mjpg`."""

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
        elif name.startswith("to/"):
            self.send_response(302)
            self.send_header("Location", name.removeprefix("to/"))
            self.end_headers()
        elif name == "trickle":
            self._trickle()
        elif name.startswith("locked/") and not self._may_enter(name.split("/")[1]):
            self.send_response(401)
            self.send_header("WWW-Authenticate", f'{name.split("/")[1]} realm="cam", nonce="17", qop="auth"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif name.endswith("camera.mjpg"):
            self._send_motion_jpeg()
        elif (self._folder / name).is_file():
            self._send((self._folder / name).read_bytes())
        else:
            self.send_error(404)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the parent's signature
        pass

    def _may_enter(self, kind: str) -> bool:
        given = self.headers.get("authorization", "")
        if kind == "Basic":
            return given == "Basic " + base64.b64encode(b"view@er:s3cret/").decode()
        fields = dict(re.findall(r'(\w+)="?([^",]*)', given))
        fields["uri"] = self.path
        return fields.get("response") == digest(fields, "GET", ("view@er", "s3cret/"))

    def _trickle(self) -> None:
        pause = threading.Event()
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX"[:1])
                pause.wait(0.1)

    def _send(self, body: bytes) -> None:
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if part:
            last = int(part[2] or len(body) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {part[1]}-{last}/{len(body)}")
            body = body[int(part[1]) : last + 1]
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
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
def site(tmp_path: Path) -> Iterator[Site]:
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
        ("trickle", "timeout"),
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

    assert code_of(f"{site}/evil.m3u8") == "source_forbidden"


def test_redirect_is_followed(site: str, tmp_path: Path) -> None:
    write_playlist(tmp_path)

    assert len(read(f"{site}/moved/live.m3u8", 2)) == 2


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_login_answers_the_challenge_of_the_camera(site: str, scheme: str) -> None:
    url = f"{site}/locked/{scheme}/camera.mjpg"

    assert code_of(url) == "auth_failed"
    assert len(read(url.replace("//", "//view%40er:s3cret%2F@"), 3)) == 3


def test_video_whose_index_comes_last_is_read_in_parts(site: str, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", Clip(size_wh=(640, 480), num_frames=40, fps=20))
    assert film.read_bytes().index(b"moov") > film.read_bytes().index(b"mdat")

    frames = read(f"{site}/film.mp4", 5)

    assert [number(frame.image) for frame in frames] == list(range(5))


def test_encrypted_playlist_plays(site: str, tmp_path: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed: nothing can be encrypted")
    write_playlist(tmp_path)
    (tmp_path / "live.key").write_bytes(bytes(range(16)))
    for index in range(3):
        path = tmp_path / f"part{index}.ts"
        vector = f"{index:032x}"
        command = [program, "enc", "-aes-128-cbc", "-K", bytes(range(16)).hex(), "-iv", vector]
        path.write_bytes(
            subprocess.run(command, input=path.read_bytes(), capture_output=True, check=True, timeout=30).stdout
        )
    playlist = (tmp_path / "live.m3u8").read_text()
    key = '#EXT-X-KEY:METHOD=AES-128,URI="live.key"\n'
    (tmp_path / "live.m3u8").write_text(playlist.replace("#EXTINF", key + "#EXTINF", 1))

    frames = read(f"{site}/live.m3u8", 12)

    assert [number(frame.image) for frame in frames] == [*range(10), 0, 1]


def test_playlist_goes_on_behind_a_segment_that_is_missing(site: str, tmp_path: Path) -> None:
    write_playlist(tmp_path)
    (tmp_path / "part1.ts").unlink()

    frames = read(f"{site}/live.m3u8", 12)

    assert [number(frame.image) for frame in frames] == [*range(10), 0, 1]
