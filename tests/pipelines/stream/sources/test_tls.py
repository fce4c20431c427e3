"""Encrypted sources: a certificate that nobody vouches for is named, one that somebody does is taken."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceUnavailable
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.sources import LiveOptions, build_reader
from pipelines.stream.sources.relay import Upstream
from tests.rtsp_server import Footage, RtspServer
from tests.videos import Clip, number, write_video

POLICY = AddressPolicy(schemes=frozenset({"rtsps", "https"}), networks=frozenset({"loopback"}))
OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}


class TlsFront:
    """Takes TLS connections and passes their bytes to a plain server; `breaks` hangs up in the handshake."""

    def __init__(self, certificate: Path, target_port: int = 0, breaks: bool = False) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._target_port = target_port
        self._breaks = breaks
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, suppress(OSError):
            if self._breaks:
                plain.recv(16)
                return
            with (
                self._context.wrap_socket(plain, server_side=True) as client,
                socket.create_connection(("127.0.0.1", self._target_port)) as target,
            ):
                answers = threading.Thread(target=_pass_on, args=(target, client), daemon=True)
                answers.start()
                _pass_on(client, target)
                target.shutdown(socket.SHUT_RDWR)
                answers.join(5)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate that it signed itself, for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    path = tmp_path_factory.mktemp("tls") / "camera.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=camera", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", path, "-out", path.with_suffix(".crt"),
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def camera(certificate: Path, tmp_path: Path) -> Iterator[str]:
    """A camera that speaks RTSP inside TLS; its address."""
    clip = Clip(size_wh=(160, 120), num_frames=20, fps=20, codec_options=OPTIONS)
    footage = Footage.load(write_video(tmp_path / "camera.mp4", clip))
    with RtspServer(footage) as server, closing(TlsFront(certificate, server.port)) as front:
        yield server.url.replace("rtsp://", "rtsps://").replace(f":{server.port}", f":{front.port}")


def _first_fault(uri: str) -> SourceUnavailable:
    with pytest.raises(SourceUnavailable) as caught:
        Upstream(POLICY.require(uri), POLICY, (2.0, 2.0), verify_tls=True).connect()
    return caught.value


def test_certificate_that_nobody_vouches_for_is_named(camera: str) -> None:
    reader = build_reader(camera, FrameBuffer(), POLICY, LiveOptions(open_timeout_s=2.0, backoff_first_s=0.02))
    pause = threading.Event()

    reader.start()
    for _ in range(500):
        if reader.status().last_error is not None:
            break
        pause.wait(0.01)
    reader.stop()
    assert reader.join(10)

    fault = reader.status().last_error
    assert fault is not None
    assert fault.code == "tls_failed"
    assert "its certificate is not trusted: self-signed certificate" in fault.message


def test_camera_with_its_own_certificate_is_watched_where_none_is_asked_for(camera: str) -> None:
    buffer = FrameBuffer(capacity=64)
    reader = build_reader(camera, buffer, POLICY, LiveOptions(verify_tls=False))

    reader.start()
    frames = [buffer.get(timeout_s=10) for _ in range(5)]
    reader.stop()

    assert reader.join(10)
    assert [number(frame.image) for frame in frames if frame is not None] == list(range(5)), reader.status()


def test_certificate_of_an_authority_that_this_machine_trusts_is_taken(
    camera: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))

    with Upstream(POLICY.require(camera), POLICY, (5.0, 5.0), verify_tls=True).connect() as connection:
        assert connection.fileno() >= 0


def test_certificate_for_another_name_is_not_taken(
    camera: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))

    fault = _first_fault(camera.replace("127.0.0.1", "localhost"))

    assert fault.code == "tls_failed"
    assert "localhost" in str(fault)


def test_server_that_hangs_up_in_the_handshake_has_a_code(certificate: Path) -> None:
    with closing(TlsFront(certificate, breaks=True)) as front:
        fault = _first_fault(f"rtsps://127.0.0.1:{front.port}/live")

    assert fault.code in ("tls_failed", "connection_failed")
