"""Asks a running server what a user would: upload a clip, wait for its timeline, read live labels; no packages."""

import argparse
import base64
import json
import os
import secrets
import socket
import ssl
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Read = Callable[[int], bytes]
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Failed(Exception):
    """What was asked for did not come."""


class Server:
    """One server and the key for it."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self.key = key

    def ask(self, path: str, body: bytes | None = None, content_type: str = "application/json") -> dict[str, object]:
        """The JSON of an answer; raises Failed with the server's own words."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content_type}
        request = urllib.request.Request(self.url + path, body, headers)  # noqa: S310 - the user's own server
        try:
            with _OPENER.open(request, timeout=60) as answer:
                found: dict[str, object] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            raise Failed(f"{path}: {error.code} {error.read().decode(errors='replace')[:300]}") from error
        except OSError as error:
            raise Failed(f"{path}: {error}") from error

    def messages(self, subscription: dict[str, object], timeout_s: float) -> Iterator[dict[str, object]]:
        """What the WebSocket says until the time is over."""
        deadline = time.monotonic() + timeout_s
        with self._connect() as channel:
            _send(channel, _TEXT, json.dumps({"type": "subscribe", **subscription}).encode())
            stream = channel.makefile("rb")
            while time.monotonic() < deadline:
                kind, payload = _receive(stream.read)
                if kind == _PING:
                    _send(channel, _PONG, payload)
                elif kind == _CLOSE:
                    raise Failed(f"the server closed the WebSocket: {payload[2:].decode(errors='replace')}")
                elif kind == _TEXT:
                    yield json.loads(payload)

    def _connect(self) -> socket.socket:
        """The upgrade of RFC 6455, over TLS where the address says https."""
        where = urllib.parse.urlsplit(self.url)
        host = where.hostname or "localhost"
        try:
            channel = socket.create_connection((host, where.port or {"https": 443}.get(where.scheme, 80)), 20)
            if where.scheme == "https":
                channel = ssl.create_default_context().wrap_socket(channel, server_hostname=host)
        except OSError as error:
            raise Failed(f"{self.url}: {error}") from error
        nonce = base64.b64encode(secrets.token_bytes(16)).decode()
        channel.sendall(
            f"GET /v1/ws HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\n"
            f"Authorization: Bearer {self.key}\r\n\r\n".encode()
        )
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):  # byte by byte: what follows belongs to the first message
            byte = channel.recv(1)
            if not byte:
                break
            answer += byte
        if b" 101 " not in answer.split(b"\r\n", 1)[0]:
            raise Failed(f"no WebSocket: {answer[:200].decode(errors='replace')}")
        return channel


def _send(channel: socket.socket, kind: int, payload: bytes) -> None:
    """One masked message of a client."""
    mask = secrets.token_bytes(4)
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    channel.sendall(bytes([0x80 | kind]) + length + mask + masked)


def _receive(read: Read) -> tuple[int, bytes]:
    """One message of the server: its kind and its bytes."""
    first, length = _exactly(read, 2)
    if length == 126:
        (length,) = struct.unpack(">H", _exactly(read, 2))
    elif length == 127:
        (length,) = struct.unpack(">Q", _exactly(read, 8))
    return first & 0x0F, _exactly(read, length)


def _exactly(read: Read, size: int) -> bytes:
    data = read(size)
    if len(data) != size:
        raise Failed("the server ended the WebSocket")
    return data


def upload(server: Server, clip: Path, timeout_s: float) -> str:
    """Upload a clip, wait for its result; returns the job's id."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{clip.name}"\r\n'
        "Content-Type: video/mp4\r\n\r\n"
    )
    body = head.encode() + clip.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    job_id = str(server.ask("/v1/jobs", body, f"multipart/form-data; boundary={boundary}")["job_id"])
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if server.ask(f"/v1/jobs/{job_id}")["state"] not in ("queued", "running"):
            return show_job(server, job_id)
        time.sleep(0.5)
    raise Failed(f"{job_id}: no result after {timeout_s:.0f} s")


def show_job(server: Server, job_id: str) -> str:
    """Say what a finished job found; raises Failed when it found nobody doing anything."""
    job = server.ask(f"/v1/jobs/{job_id}")
    if job["state"] != "succeeded":
        raise Failed(f"{job_id}: {job['state']} {job.get('error')}")
    timeline = server.ask(f"/v1/jobs/{job_id}/timeline")
    tracks: list[dict[str, list[dict[str, object]]]] = timeline["tracks"]  # type: ignore[assignment]
    actions = [action for track in tracks for action in track["actions"]]
    if not actions:
        raise Failed(f"{job_id}: no action in {len(tracks)} tracks")
    _say(f"{job_id}: {len(tracks)} people, " + ", ".join(sorted({str(one["action"]) for one in actions})))
    return job_id


def watch(server: Server, num_labels: int, timeout_s: float) -> None:
    """Read live frames until so many people with a label were seen; raises Failed when they do not come."""
    seen: dict[str, int] = {}
    for message in server.messages({"messages": ["frame"]}, timeout_s):
        if message["type"] != "frame":
            continue
        persons: list[dict[str, object]] = message["data"]["persons"]  # type: ignore[index]
        for person in persons:
            if person.get("action"):
                seen[str(person["action"])] = seen.get(str(person["action"]), 0) + 1
        if sum(seen.values()) >= num_labels:
            _say("live labels: " + ", ".join(f"{name} {count}" for name, count in sorted(seen.items())))
            return
    raise Failed(f"{sum(seen.values())} live labels in {timeout_s:.0f} s, expected {num_labels}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what this script is for


def main() -> int:
    """0 when everything came; else 1 and one line of why."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", help="http://host:port or https://host; SSL_CERT_FILE names a CA of one's own")
    parser.add_argument("--upload", type=Path, metavar="CLIP", help="upload it and wait for its timeline")
    parser.add_argument("--job", help="a finished job that must still be there")
    parser.add_argument("--labels", type=int, default=0, help="how many live labels to read over the WebSocket")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for each of them")
    wanted = parser.parse_args()
    server = Server(wanted.server, os.environ.get("SMOKE_KEY", ""))
    try:
        if wanted.upload:
            upload(server, wanted.upload, wanted.timeout)
        if wanted.job:
            show_job(server, wanted.job)
        if wanted.labels:
            watch(server, wanted.labels, wanted.timeout)
    except Failed as error:
        print(f"smoke: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
