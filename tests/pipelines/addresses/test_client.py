"""An HTTP client of ours reaches whom the policy lets it, and nobody else."""

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from pipelines.addresses.client import Deadline, build_client, fault_of
from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import HostUnknown, SourceForbidden

WEB = frozenset({"http", "https"})


class _Handler(BaseHTTPRequestHandler):
    """Says by which name it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.headers["host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the parent's signature
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def client_to(*addresses: str) -> httpx.Client:
    """A client for which every host lies at these addresses."""
    policy = AddressPolicy(WEB, frozenset({"loopback"}), resolve=lambda host, port: addresses)
    return build_client(policy, httpx.Timeout(2), lambda: Deadline(5))


def test_client_dials_the_checked_address_and_asks_for_the_name(port: int) -> None:
    with client_to("127.0.0.1") as client:
        assert client.get(f"http://cam.example:{port}/").text == f"cam.example:{port}"


def test_client_tries_the_next_address_where_one_does_not_answer(port: int) -> None:
    with client_to("127.0.0.2", "127.0.0.1") as client:
        assert client.get(f"http://cam.example:{port}/").status_code == 200


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"])
def test_client_refuses_what_the_policy_refuses(address: str) -> None:
    with client_to("127.0.0.1", address) as client, pytest.raises(SourceForbidden):
        client.get("http://cam.example/")


def test_client_says_when_a_host_has_no_address() -> None:
    with client_to() as client, pytest.raises(HostUnknown):
        client.get("http://cam.example/")


def test_client_names_a_refused_connection_without_its_address() -> None:
    with client_to("127.0.0.1") as client, pytest.raises(httpx.ConnectError) as caught:
        client.get("http://cam.example:9/")

    assert fault_of(caught.value) == ("connection_failed", "the connection failed")


def test_client_takes_no_proxy_of_the_environment(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    with client_to("127.0.0.1") as client:
        assert client.get(f"http://cam.example:{port}/").status_code == 200


def test_client_logs_no_address(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with client_to("127.0.0.1") as client:
        client.get(f"http://viewer:hunter2@cam.example:{port}/?token=hunter2")

    assert "hunter2" not in caplog.text
