"""A named video is fetched from where the policy looked, hop by hop, and never half."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.addresses.networks import Network
from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import PipelineError, SourceForbidden, SourceTooLarge, SourceTruncated, SourceUnavailable
from service.worker.fetch import Fetch, fetch
from tests.fakes import SilentChannel

BODY = b"script frames 3" * 1000
BOMB = gzip.compress(gzip.compress(bytes(50 * 2**20)))
"""A few hundred bytes that stand for fifty million."""


class _Files(BaseHTTPRequestHandler):
    """Serves a scripted video, a redirect to it, and one that leads where it must not."""

    def do_GET(self) -> None:
        moved = {
            "/moved.mp4": "/clip.mp4", "/inside.mp4": "http://169.254.169.254/secret", "/loop.mp4": "/loop.mp4",
            "/file.mp4": "file:///etc/passwd",
        }  # fmt: skip
        bodies = {
            "/clip.mp4": BODY,
            "/half.mp4": BODY[:100],
            "/empty.mp4": b"",
            "/chunked.mp4": BODY,
            "/bomb.mp4": BOMB,
        }
        self.send_response(302 if self.path in moved else 200 if self.path in bodies else 404)
        if self.path in moved:
            self.send_header("Location", moved[self.path])
        if self.path == "/folded.mp4":
            self.send_header("Content-Encoding", "gzip")
        body = bodies.get(self.path, b"")
        if self.path != "/chunked.mp4":
            self.send_header("Content-Length", str(len(BODY) if self.path == "/half.mp4" else len(body)))
        if self.path == "/bomb.mp4":
            self.send_header("Content-Encoding", "gzip, gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def _fetch(
    port: int, path: str, folder: Path, bytes_max: int = 2**20, networks: frozenset[Network] | None = None
) -> Path:
    # The name leads to this machine only for the policy: nothing else resolves it.
    policy = AddressPolicy(
        frozenset({"http"}), networks or frozenset({"loopback"}),
        resolve=lambda host, _: ["169.254.169.254" if host == "169.254.169.254" else "127.0.0.1"],
    )  # fmt: skip
    uri = f"http://user:pw@videos.example:{port}{path}"
    return fetch(uri, folder, policy, Fetch(bytes_max, 5.0, lambda _: None), SilentChannel())


@pytest.mark.parametrize("path", ["/clip.mp4", "/moved.mp4"])
def test_fetch_gives_the_whole_video(port: int, path: str, tmp_path: Path) -> None:
    found = _fetch(port, path, tmp_path)

    assert found.read_bytes() == BODY
    assert [entry.name for entry in tmp_path.iterdir()] == ["source.mp4"]


@pytest.mark.parametrize(
    ("path", "error", "code"),
    [
        ("/none.mp4", SourceUnavailable, "not_found"),
        ("/inside.mp4", SourceForbidden, "source_forbidden"),
        ("/file.mp4", SourceForbidden, "source_forbidden"),
        ("/loop.mp4", SourceUnavailable, "connection_failed"),
        ("/half.mp4", SourceUnavailable, "connection_failed"),
        ("/bomb.mp4", SourceUnavailable, "codec_unsupported"),
        ("/empty.mp4", SourceTruncated, "source_truncated"),
    ],
)
def test_fetch_says_why_there_is_no_video(
    port: int, path: str, error: type[PipelineError], code: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        _fetch(port, path, tmp_path)

    assert caught.value.code == code
    assert "pw" not in str(caught.value)
    assert not list(tmp_path.glob("source.*"))


@pytest.mark.parametrize("path", ["/clip.mp4", "/chunked.mp4"])
def test_fetch_stops_at_the_limit(port: int, path: str, tmp_path: Path) -> None:
    with pytest.raises(SourceTooLarge):
        _fetch(port, path, tmp_path, bytes_max=1000)

    assert not list(tmp_path.glob("source.*"))


def test_fetch_of_a_loopback_address_needs_leave(port: int, tmp_path: Path) -> None:
    with pytest.raises(SourceForbidden, match="loopback"):
        _fetch(port, "/clip.mp4", tmp_path, networks=frozenset({"public", "private"}))


def test_fetch_says_when_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"videos\.example") as caught:
        _fetch(1, "/clip.mp4", tmp_path)

    assert caught.value.code == "connection_failed"


def test_fetch_says_when_a_host_has_no_address(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="no address") as caught:
        fetch(
            "http://user:pw@videos.invalid/a.mp4", tmp_path, AddressPolicy(frozenset({"http"})),
            Fetch(100, 5.0, lambda _: None), SilentChannel(),
        )  # fmt: skip

    assert caught.value.code == "not_found"


def test_fetch_asks_the_policy_again_at_every_hop(port: int, tmp_path: Path) -> None:
    answers = iter(["127.0.0.1"])
    policy = AddressPolicy(
        frozenset({"http"}), frozenset({"loopback"}), resolve=lambda host, _: [next(answers, "10.0.0.1")]
    )

    with pytest.raises(SourceForbidden, match="private"):
        fetch(
            f"http://videos.example:{port}/moved.mp4", tmp_path, policy, Fetch(2**20, 5.0, lambda _: None),
            SilentChannel(),
        )  # fmt: skip
