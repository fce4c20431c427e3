"""A real RTSP server in this process: H.264 from a file over RTP, and every way in which a camera goes wrong.

RTSP is RFC 2326, H.264 over RTP is RFC 6184 (single units and FU-A), Digest authentication is RFC 2617.
"""

import base64
import contextlib
import hashlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av

_RTP_BYTES = 1200  # payload of one RTP packet
_RTP_HZ = 90_000
_RTP_START = 0xFFFF_0000  # cameras start anywhere; this one wraps around within a second


@dataclass(frozen=True)
class Unit:
    """One picture as its NAL units, with its time in the clip."""

    time_s: float
    nals: tuple[bytes, ...]


@dataclass(frozen=True)
class Footage:
    """An H.264 file ready to be sent."""

    parameter_sets: tuple[bytes, ...]
    units: tuple[Unit, ...]
    duration_s: float

    @staticmethod
    def load(path: Path) -> "Footage":
        """Read the first video stream of an mp4 file without decoding it."""
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            base = float(stream.time_base or 0)
            packets = [packet for packet in container.demux(stream) if packet.size and packet.pts is not None]
            units = tuple(Unit(float(packet.pts or 0) * base, tuple(_split(bytes(packet)))) for packet in packets)
            sets = tuple(_parameter_sets(stream.codec_context.extradata or b""))
            last = packets[-1]
            return Footage(sets, units, (float(last.pts or 0) + float(last.duration or 0)) * base)

    def iter_live(self, loops: bool) -> Iterator[Unit]:
        """The pictures, again and again, times growing."""
        for turn in count():
            for unit in self.units:
                yield Unit(unit.time_s + turn * self.duration_s, unit.nals)
            if not loops:
                return


class RtspServer:
    """Serves one file as a camera at rtsp://127.0.0.1:port/live; keeps its port when it goes away and comes back.

    speed: how much faster than its timestamps the clip is sent.
    host, port: where it listens; port 0 takes a free one.
    """

    def __init__(
        self,
        footage: Footage,
        auth: Literal["basic", "digest"] | None = None,
        speed: float = 1.0,
        loops: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.footage = footage
        self.auth = auth
        self.speed = speed
        self.loops = loops
        self.user, self.password = "viewer", "s3cret/p@ss"
        self.status: int | None = None  # answer DESCRIBE with this status instead of 200
        self.corrupt_every = 0  # damage each n-th RTP packet; 0 for none
        self.is_mute = False  # accept connections and answer nothing
        self.location: str | None = None  # answer DESCRIBE by leading there
        self.transport: str | None = None  # what SETUP is answered with over UDP; `{ports}` are the client's
        self.requests: list[str] = []
        self.num_plays = 0
        self._flowing = threading.Event()
        self._flowing.set()
        self._sessions: list[_Session] = []
        self._listener: socket.socket | None = None
        self._host = host
        self._port = port

    def __enter__(self) -> Self:
        self.come_back()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_away()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._port}/live"

    @property
    def url_with_login(self) -> str:
        password = self.password.replace("/", "%2F").replace("@", "%40")
        return self.url.replace("//", f"//{self.user}:{password}@")

    def stall(self) -> None:
        """Send nothing more, and keep every connection open."""
        self._flowing.clear()

    def flow(self) -> None:
        """Send again."""
        self._flowing.set()

    def wait_flowing(self) -> None:
        while not self._flowing.wait(0.05) and self._listener is not None:
            pass

    def drop(self) -> None:
        """Close every connection, and accept new ones."""
        for session in self._sessions:
            session.close()
        self._sessions.clear()

    def go_away(self) -> None:
        """Close every connection and the port."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop()

    def come_back(self) -> None:
        """Listen, on the same port as before."""
        listener = socket.create_server((self._host, self._port))
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            session = _Session(self, connection)
            self._sessions.append(session)
            threading.Thread(target=session.run, daemon=True).start()


class _Session:
    """One client's connection."""

    def __init__(self, server: RtspServer, connection: socket.socket) -> None:
        self._server = server
        self._socket = connection
        self._input = connection.makefile("rb")
        self._udp: socket.socket | None = None
        self._lock = threading.Lock()
        self._is_open = True
        self._sequence = count()
        self._nonce = hashlib.md5(str(id(self)).encode(), usedforsecurity=False).hexdigest()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while self._is_open:
                request = self._read_request()
                if request is None:
                    break
                if not self._server.is_mute:
                    self._answer(*request)
        self.close()
        # The socket stays open for as long as its reader does; by this thread, which alone reads.
        with contextlib.suppress(OSError):
            self._input.close()

    def close(self) -> None:
        self._is_open = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._udp is not None:
            self._udp.close()

    def _read_request(self) -> tuple[str, str, dict[str, str]] | None:
        first = self._input.read(1)
        while first == b"$":  # the client's receiver reports
            _, length = struct.unpack(">BH", self._input.read(3))
            self._input.read(length)
            first = self._input.read(1)
        line = (first + self._input.readline()).decode().strip()
        if not line:
            return None
        method, url, _ = line.split(" ", 2)
        self._server.requests.append(line)
        headers = {}
        while header := self._input.readline().decode().strip():
            name, value = header.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        return method, url, headers

    def _answer(self, method: str, url: str, headers: dict[str, str]) -> None:
        sequence = headers.get("cseq", "0")
        if method == "OPTIONS":
            self._reply(sequence, 200, {"Public": "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"})
        elif not self._may_enter(method, headers.get("authorization", "")):
            self._reply(sequence, 401, {"WWW-Authenticate": self._challenge()})
        elif method == "DESCRIBE" and self._server.location is not None:
            self._reply(sequence, 302, {"Location": self._server.location})
        elif method == "DESCRIBE":
            status = self._server.status or 200
            body = self._describe() if status == 200 else ""
            self._reply(sequence, status, {"Content-Type": "application/sdp", "Content-Base": url + "/"}, body)
        elif method == "SETUP":
            self._reply(sequence, 200, {"Transport": self._set_up(headers["transport"]), "Session": "7"})
        elif method == "PLAY":
            self._reply(sequence, 200, {"Session": "7", "Range": "npt=now-"})
            self._server.num_plays += 1
            threading.Thread(target=self._play, daemon=True).start()
        elif method in ("TEARDOWN", "GET_PARAMETER"):
            self._reply(sequence, 200, {"Session": "7"})
        else:
            self._reply(sequence, 501, {})

    def _reply(self, sequence: str, status: int, headers: dict[str, str], body: str = "") -> None:
        lines = [f"RTSP/1.0 {status} Because", f"CSeq: {sequence}", *(f"{key}: {headers[key]}" for key in headers)]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with self._lock:
            self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _challenge(self) -> str:
        if self._server.auth == "basic":
            return 'Basic realm="camera"'
        return f'Digest realm="camera", nonce="{self._nonce}"'

    def _may_enter(self, method: str, given: str) -> bool:
        user, password = self._server.user, self._server.password
        if self._server.auth is None:
            return True
        if self._server.auth == "basic":
            return given == "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        fields = dict(re.findall(r'(\w+)="([^"]*)"', given))
        secret = _md5(f"{user}:camera:{password}")
        proof = _md5(f"{secret}:{self._nonce}:{_md5(method + ':' + fields.get('uri', ''))}")
        return fields.get("response") == proof

    def _describe(self) -> str:
        sets = ",".join(base64.b64encode(each).decode() for each in self._server.footage.parameter_sets)
        return "\r\n".join([
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0", "a=range:npt=now-",
            "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000",
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}", "a=control:track0", "",
        ])  # fmt: skip

    def _set_up(self, wanted: str) -> str:
        ports = re.search(r"client_port=(\d+)-(\d+)", wanted)
        if ports is None:
            return "RTP/AVP/TCP;unicast;interleaved=0-1"
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.connect((self._socket.getpeername()[0], int(ports[1])))
        if self._server.transport is not None:
            return self._server.transport.format(ports=f"{ports[1]}-{ports[2]}")
        port = self._udp.getsockname()[1]
        return f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port={port}-{port + 1}"

    def _play(self) -> None:
        pause = threading.Event()
        last_s = self._server.footage.units[0].time_s
        with contextlib.suppress(OSError):
            for unit in self._server.footage.iter_live(self._server.loops):
                pause.wait(max(0.0, unit.time_s - last_s) / self._server.speed)
                last_s = max(last_s, unit.time_s)
                self._server.wait_flowing()
                if not self._is_open:
                    return
                for payload, is_last in _payloads(unit.nals):
                    self._send(payload, is_last, unit.time_s)
        self.close()

    def _send(self, payload: bytes, is_last: bool, time_s: float) -> None:
        sequence = next(self._sequence)
        every = self._server.corrupt_every
        if every and sequence % every == every - 1:
            payload = payload[:2] + bytes(byte ^ 0xA5 for byte in payload[2:])
        header = struct.pack(
            ">BBHII",
            0x80,
            96 | (0x80 if is_last else 0),
            sequence & 0xFFFF,
            (_RTP_START + round(time_s * _RTP_HZ)) & 0xFFFFFFFF,
            7,
        )
        if self._udp is not None:
            with contextlib.suppress(ConnectionRefusedError):
                self._udp.send(header + payload)
            return
        with self._lock:
            self._socket.sendall(struct.pack(">cBH", b"$", 0, len(header) + len(payload)) + header + payload)


def _payloads(nals: tuple[bytes, ...]) -> Iterator[tuple[bytes, bool]]:
    """RTP payloads of one picture, and whether each is its last: small units whole, large ones in FU-A pieces."""
    for index, nal in enumerate(nals):
        ends_picture = index == len(nals) - 1
        if len(nal) <= _RTP_BYTES:
            yield nal, ends_picture
            continue
        indicator, kind = (nal[0] & 0xE0) | 28, nal[0] & 0x1F
        pieces = [nal[at : at + _RTP_BYTES] for at in range(1, len(nal), _RTP_BYTES)]
        for number, piece in enumerate(pieces):
            is_first, is_last = number == 0, number == len(pieces) - 1
            yield bytes([indicator, (is_first << 7) | (is_last << 6) | kind]) + piece, ends_picture and is_last


def _split(sample: bytes) -> Iterator[bytes]:
    """NAL units of one mp4 sample, each behind four bytes of length."""
    at = 0
    while at + 4 <= len(sample):
        length = int.from_bytes(sample[at : at + 4], "big")
        yield sample[at + 4 : at + 4 + length]
        at += 4 + length


def _parameter_sets(avcc: bytes) -> Iterator[bytes]:
    """SPS and PPS of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15)."""
    at = 6
    for num_sets in (avcc[5] & 0x1F, None):
        if num_sets is None:
            num_sets, at = avcc[at], at + 1
        for _ in range(num_sets):
            length = int.from_bytes(avcc[at : at + 2], "big")
            yield avcc[at + 2 : at + 2 + length]
            at += 2 + length


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
