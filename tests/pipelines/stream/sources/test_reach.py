"""A camera that lies leads nowhere: FFmpeg resolves no name, and nobody is reached whom the policy refuses."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import HostUnknown
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.sources import LiveOptions, LiveReader, build_reader
from pipelines.types import Frame
from tests.pipelines.stream.sources.test_http import Site, site, write_playlist
from tests.rtsp_server import Footage, RtspServer
from tests.videos import Clip, number, write_video

__all__ = ["site"]

QUICK = LiveOptions(open_timeout_s=3.0, read_timeout_s=1.0, backoff_first_s=0.02, backoff_max_s=0.05)
NAMES = {"cam.example": "127.0.0.1", "other.example": "127.0.0.1", "inside.example": "10.9.9.9"}


def resolve(host: str, port: int) -> Sequence[str]:
    """Names that no other resolver knows: what is reached by them was reached by the policy."""
    if host not in NAMES and not host[0].isdigit():
        raise HostUnknown(f"{host} has no address")
    return [NAMES.get(host, host)]


POLICY = AddressPolicy(networks=frozenset({"loopback"}), hosts=("*.example",), resolve=resolve)


class Trap:
    """A port that nobody may reach."""

    def __init__(self, kind: socket.SocketKind = socket.SOCK_STREAM, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            self._socket.listen()
        self._socket.setblocking(False)
        self._is_stream = kind == socket.SOCK_STREAM
        self.port = int(self._socket.getsockname()[1])

    def was_reached(self) -> bool:
        try:
            if self._is_stream:
                self._socket.accept()[0].close()
            else:
                self._socket.recv(2048)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
    clip = Clip(size_wh=(160, 120), num_frames=20, fps=20, codec_options=options)
    return Footage.load(write_video(tmp_path_factory.mktemp("reach") / "camera.mp4", clip))


@pytest.fixture
def camera(footage: Footage) -> Iterator[RtspServer]:
    with RtspServer(footage) as server:
        yield server


@pytest.fixture
def trap() -> Iterator[Trap]:
    with closing(Trap()) as opened:
        yield opened


def frames_of(uri: str, policy: AddressPolicy = POLICY, options: LiveOptions = QUICK) -> list[int]:
    """The numbers of the first five pictures."""
    buffer = FrameBuffer(capacity=64)
    reader = build_reader(uri, buffer, policy, options)
    reader.start()
    frames: list[Frame | None] = [buffer.get(timeout_s=8) for _ in range(5)]
    reader.stop()
    assert reader.join(10)
    assert None not in frames, reader.status()
    return [number(frame.image) for frame in frames if frame is not None]


def fault_of(uri: str, policy: AddressPolicy = POLICY, options: LiveOptions = QUICK) -> str:
    """The code of an address that fails for good."""
    reader = build_reader(uri, FrameBuffer(), policy, options)
    reader.start()
    wait(lambda: reader.status().last_error is not None, reader)
    reader.stop()
    assert reader.join(10)
    fault = reader.status().last_error
    assert fault is not None
    return fault.code


def wait(is_met: Callable[[], bool], reader: LiveReader) -> None:
    until_s, pause = time.monotonic() + 10, threading.Event()
    while not is_met():
        assert time.monotonic() < until_s, reader.status()
        pause.wait(0.01)


@pytest.mark.parametrize("auth", [None, "basic", "digest"])
def test_camera_is_asked_by_the_name_that_it_was_given_by(camera: RtspServer, auth: str | None) -> None:
    camera.auth = auth  # type: ignore[assignment]
    uri = camera.url_with_login.replace("127.0.0.1", "cam.example")

    assert frames_of(uri) == list(range(5))

    assert camera.requests
    assert all(f" rtsp://cam.example:{camera.port}/live" in request for request in camera.requests)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_camera_is_dialled_at_the_address_that_was_checked(camera: RtspServer, transport: str) -> None:
    options = replace(QUICK, transport="tcp" if transport == "tcp" else "udp")

    assert frames_of(f"rtsp://cam.example:{camera.port}/live", options=options) == list(range(5))


def test_name_that_leads_elsewhere_at_the_next_connection_is_refused(camera: RtspServer) -> None:
    answers = iter(["127.0.0.1", "127.0.0.1"])
    policy = replace(POLICY, resolve=lambda host, port: [next(answers, "169.254.169.254")])
    buffer = FrameBuffer(capacity=64)
    reader = build_reader(f"rtsp://cam.example:{camera.port}/live", buffer, policy, QUICK)

    reader.start()
    assert buffer.get(timeout_s=8) is not None
    camera.drop()
    wait(lambda: reader.status().state == "failed", reader)
    reader.stop()
    assert reader.join(10)

    fault = reader.status().last_error
    assert fault is not None
    assert fault.code == "source_forbidden"


@pytest.mark.parametrize(
    "location",
    [
        "rtsp://127.0.0.1:{port}/live", "rtsp://localhost:{port}/live", "rtsp://2130706433:{port}/live",
        "rtsp://inside.example/live", "rtsp://[::1]:{port}/live", "http://cam.example:{port}/live", "file:///etc/passwd",
        "tcp://127.0.0.1:{port}",
    ],
)  # fmt: skip
def test_redirect_of_a_camera_reaches_nobody_else(camera: RtspServer, trap: Trap, location: str) -> None:
    camera.location = location.format(port=trap.port)

    assert fault_of(f"rtsp://cam.example:{camera.port}/live") == "source_forbidden"
    assert not trap.was_reached()


def test_redirect_of_a_camera_is_followed_where_the_policy_lets_it(camera: RtspServer, footage: Footage) -> None:
    with RtspServer(footage) as other:
        camera.location = f"rtsp://other.example:{other.port}/live"

        assert frames_of(f"rtsp://cam.example:{camera.port}/live") == list(range(5))


def test_redirect_in_a_circle_ends(camera: RtspServer) -> None:
    camera.location = f"rtsp://cam.example:{camera.port}/live"

    assert fault_of(f"rtsp://cam.example:{camera.port}/live") == "connection_failed"


def test_login_goes_to_no_other_host(camera: RtspServer, footage: Footage) -> None:
    with RtspServer(footage, auth="basic") as other:
        camera.location = f"rtsp://other.example:{other.port}/live"
        uri = camera.url_with_login.replace("127.0.0.1", "cam.example")

        assert fault_of(uri) == "auth_failed"


@pytest.mark.parametrize("field", ["source", "destination"])
def test_packets_over_udp_go_to_the_camera_only(camera: RtspServer, field: str) -> None:
    with closing(Trap(socket.SOCK_DGRAM, "127.0.0.2")) as trap:
        ports = f"{trap.port}-{trap.port + 1}"
        camera.transport = f"RTP/AVP;unicast;client_port={{ports}};server_port={ports};{field}=127.0.0.2"

        assert frames_of(f"rtsp://cam.example:{camera.port}/live", options=replace(QUICK, transport="udp"))

        assert not trap.was_reached()


EVIL = "http://127.0.0.1:{port}/x"
HEAD = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
PLAYLISTS = {
    "segment": f"{HEAD}#EXTINF:1,\n{EVIL}.ts\n",
    "key": f'{HEAD}#EXT-X-KEY:METHOD=AES-128,URI="{EVIL}.key"\n#EXTINF:1,\npart0.ts\n',
    "encrypted segment": f'{HEAD}#EXT-X-KEY:METHOD=AES-128,URI="part0.ts"\n#EXTINF:1,\n{EVIL}.ts\n',
    "init section": f'{HEAD}#EXT-X-MAP:URI="{EVIL}.mp4"\n#EXTINF:1,\npart0.ts\n',
    "variant": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{EVIL}.m3u8\n",
    "rendition": f'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{EVIL}.m3u8"\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nlive.m3u8\n',
    "redirected segment": f"{HEAD}#EXTINF:1,\n/to/{EVIL}.ts\n",
    "name of an inner host": f"{HEAD}#EXTINF:1,\nhttp://inside.example/x.ts\n",
    "metadata": f"{HEAD}#EXTINF:1,\nhttp://169.254.169.254/x.ts\n",
    "other protocol": f"{HEAD}#EXTINF:1,\ntcp://127.0.0.1:{{port}}\n",
    "data": f"{HEAD}#EXTINF:1,\ndata:video/mp2t;base64,AAAA\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlist_reaches_nobody_else(site: Site, trap: Trap, tmp_path: Path, kind: str) -> None:
    write_playlist(tmp_path)
    (tmp_path / "evil.m3u8").write_text(PLAYLISTS[kind].format(port=trap.port))

    code = fault_of(site.replace("127.0.0.1", "cam.example") + "/evil.m3u8")

    assert code in ("source_forbidden", "codec_unsupported"), "the latter where FFmpeg itself refuses the protocol"
    assert not trap.was_reached()


@pytest.mark.parametrize(
    "kind", ["segment", "key", "encrypted segment", "init section", "variant", "rendition", "redirected segment"]
)
def test_playlist_reaches_whom_the_policy_lets_it(site: Site, trap: Trap, tmp_path: Path, kind: str) -> None:
    """The same playlists: what keeps them in is the policy."""
    write_playlist(tmp_path)
    (tmp_path / "evil.m3u8").write_text(PLAYLISTS[kind].format(port=trap.port))
    open_hosts = replace(POLICY, hosts=())
    reader = build_reader(f"{site}/evil.m3u8", FrameBuffer(capacity=64), open_hosts, QUICK)

    reader.start()
    wait(trap.was_reached, reader)
    reader.stop()

    assert reader.join(10)


@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/x", "http://inside.example/x", "file:///etc/passwd"])
def test_redirect_of_a_web_server_reaches_nobody_else(site: Site, trap: Trap, location: str) -> None:
    path = "/to/" + location.format(port=trap.port)

    assert fault_of(site.replace("127.0.0.1", "cam.example") + path) == "source_forbidden"
    assert not trap.was_reached()


def test_playlist_is_fetched_by_a_name_that_only_the_policy_resolves(site: Site, tmp_path: Path) -> None:
    write_playlist(tmp_path)

    assert frames_of(site.replace("127.0.0.1", "cam.example") + "/live.m3u8") == list(range(5))
