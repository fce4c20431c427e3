"""A real nginx on loopback, with a configuration of docker/nginx or one of a test's own."""

import datetime as dt
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CONFIGS = Path(__file__).resolve().parents[1] / "docker" / "nginx"
_WAIT_S = 10.0
_MAIN = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    types {{ text/html html; }}
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {site}
}}
"""


@dataclass(frozen=True)
class Place:
    """What of a documented configuration is another on this machine.

    port: that nginx listens on. upstream: host and port of the server.
    """

    port: int
    upstream: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def documented(name: str, place: Place, folder: Path) -> str:
    """A configuration as the page has it, but for names, port and certificate."""
    _make_certificate(folder)
    text = (CONFIGS / name).read_text()
    for found, replaced in (
        (r"listen 443 ssl;", f"listen 127.0.0.1:{place.port} ssl;"),
        (r"server_name [\w.]+;", "server_name localhost;"),
        (r"/etc/nginx/tls/", f"{folder}/"),
        (r"http://127\.0\.0\.1:8000", f"http://{place.upstream}"),
    ):
        text, number = re.subn(found, replaced, text)
        assert number > 0, f"{name}: {found}"
    return text


@contextmanager
def serving(site: str, port: int, folder: Path) -> Iterator[None]:
    """Run nginx with a part of its `http` section; skips where it is not installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    config = folder / "nginx.conf"
    config.write_text(_MAIN.format(folder=folder, site=site))
    process = subprocess.Popen(
        [program, "-c", str(config), "-e", str(folder / "error.log")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _wait(process, port)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=_WAIT_S)


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1].decode())
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("nginx did not listen in time")


def _make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=2)).add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
