"""What may pass between FFmpeg and an RTSP server: nothing that leads FFmpeg to another host.

RTSP is RFC 2326; Digest authentication is RFC 2617. Every message is taken apart and written anew, so that FFmpeg never
reads one differently than it was read here.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urljoin

from pipelines.addresses.policy import Address
from pipelines.errors import SourceForbidden, SourceUnavailable
from pipelines.stream.sources.relay import Redirected

_HEAD_BYTES_MAX = 64 * 1024
_BODY_BYTES_MAX = 1024 * 1024
_STATUS = re.compile(r"RTSP/\d\.\d (\d{3})(?: .*)?")
_REQUEST = re.compile(r"[A-Z_]+ \S+ RTSP/\d\.\d")
_REDIRECTS = range(300, 400)
# Of a server's answer to SETUP. What else it may name, `source` and `destination`, are hosts to send packets to.
_TRANSPORT = re.compile(r"unicast|interleaved=[\d-]+|(client_port|server_port)=[\d-]+|ssrc=\w+|mode=\"?\w+\"?", re.I)
_BEGINNING = re.compile(rb"[A-Z_]+(?:[ /]|$)")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s,"]+)')


@dataclass(frozen=True, slots=True)
class Message:
    """One request or answer; `start` is its first line."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def encode(self) -> bytes:
        """The message on the wire."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self.body

    def get(self, name: str) -> str | None:
        """The first header of a name, in any case; None where there is none."""
        return next((value for each, value in self.headers if each.lower() == name), None)


class Splitter:
    """Takes a byte stream apart into messages and interleaved packets, however it was cut."""

    def __init__(self, on_message: Callable[[Message], bytes]) -> None:
        self._on_message = on_message
        self._held = bytearray()
        self._has_message = False

    def feed(self, data: bytes) -> bytes:
        """What becomes of everything that is complete now; raises SourceUnavailable for what is not RTSP."""
        self._held += data
        out = bytearray()
        while (piece := self._next()) is not None:
            out += piece
        return bytes(out)

    def _next(self) -> bytes | None:
        held = self._held
        del held[: len(held) - len(held.lstrip(b"\r\n"))]
        if held[:1] == b"$":
            length = 4 + int.from_bytes(held[2:4], "big")
            return self._take(length) if len(held) >= max(4, length) else None
        if held and self._has_message and not _BEGINNING.match(held[:32]):
            return self._skip()
        end = re.search(rb"\r?\n\r?\n", held)
        if end is not None:
            return self._take_message(end.end())
        if len(held) > _HEAD_BYTES_MAX:
            raise SourceUnavailable("a header without an end", code="codec_unsupported")
        return None

    def _take_message(self, head_bytes: int) -> bytes | None:
        message = _read(bytes(self._held[:head_bytes]))
        length = _body_bytes(message)
        if len(self._held) < head_bytes + length:
            return None
        self._take(head_bytes)
        self._has_message = True
        # A length that is said twice, or in a way that FFmpeg reads differently, would let a body pass for a message.
        headers = tuple(each for each in message.headers if each[0].lower() != "content-length")
        return self._on_message(Message(message.start, headers, self._take(length)))

    def _take(self, num_bytes: int) -> bytes:
        taken = bytes(self._held[:num_bytes])
        del self._held[:num_bytes]
        return taken

    def _skip(self) -> bytes:
        """Pass over what some cameras send between packets, up to what could be the next packet or message."""
        found = re.search(rb"\$|RTSP/", self._held[1:])
        self._take(1 + found.start() if found else len(self._held))
        return b""


class RtspFilter:
    """Passes RTSP on as if FFmpeg spoke to the camera itself, and follows no redirect.

    netloc: host and port of the relay, which FFmpeg puts into its requests.
    peer: the camera's address, checked; packets over UDP go there and nowhere else.
    """

    def __init__(self, address: Address, netloc: str, peer: str) -> None:
        self._address = address
        self._peer = peer
        host, port = address.where
        self._named = f"rtsp://{netloc}"
        self._real = (
            f"{address.scheme.name}://[{host}]:{port}" if ":" in host else f"{address.scheme.name}://{host}:{port}"
        )
        self._requests = Splitter(self._rewrite_request)
        self._answers = Splitter(self._rewrite_answer)

    def to_camera(self, data: bytes) -> bytes:
        """FFmpeg's requests, with the camera's name instead of the relay's."""
        return self._requests.feed(data)

    def to_reader(self, data: bytes) -> bytes:
        """The camera's answers without the hosts in them; raises Redirected, SourceForbidden, SourceUnavailable."""
        try:
            return self._answers.feed(data)
        except SourceUnavailable as error:
            raise SourceUnavailable(f"{self._address.shown}: does not speak RTSP: {error}", error.code) from error

    def _rewrite_request(self, message: Message) -> bytes:
        method, uri, version = message.start.split(" ", 2)
        headers = tuple(
            (name, self._sign(method, value) if name.lower() == "authorization" else value)
            for name, value in message.headers
        )
        return Message(f"{method} {self._rename(uri)} {version}", headers, message.body).encode()

    def _rename(self, uri: str) -> str:
        return self._real + uri.removeprefix(self._named) if uri.startswith(self._named) else uri

    def _sign(self, method: str, value: str) -> str:
        """A Digest login made anew for the camera's own name."""
        if not value.startswith("Digest "):
            return value
        fields = {name: found.strip('"') for name, found in _FIELD.findall(value)}
        fields["uri"] = self._rename(fields.get("uri", ""))
        login = unquote(self._address.user or ""), unquote(self._address.password or "")
        fields["response"] = digest(fields, method, login)
        bare = ("nc", "qop", "algorithm")
        return "Digest " + ", ".join(f"{k}={v}" if k in bare else f'{k}="{v}"' for k, v in fields.items())

    def _rewrite_answer(self, message: Message) -> bytes:
        status = _STATUS.fullmatch(message.start)
        location = message.get("location")
        if status is not None and int(status[1]) in _REDIRECTS:
            if not location:
                raise SourceUnavailable("a redirect to nowhere")
            raise Redirected(urljoin(self._real, location))
        headers = tuple(
            (name, self._transport(value) if name.lower() == "transport" else value)
            for name, value in message.headers
            if name.lower() != "location"
        )
        return Message(message.start, headers, message.body).encode()

    def _transport(self, value: str) -> str:
        protocol, *fields = [field.strip() for field in value.split(",")[0].split(";")]
        if any(field.lower() == "multicast" for field in fields):
            raise SourceForbidden(f"{self._address.shown}: sends to a multicast group, which is never allowed")
        kept = [field for field in fields if _TRANSPORT.fullmatch(field)]
        is_interleaved = any(field.lower().startswith("interleaved") for field in kept)
        return ";".join([protocol, *kept, *([] if is_interleaved else [f"source={self._peer}"])])


def digest(fields: dict[str, str], method: str, login: tuple[str, str]) -> str:
    """The `response` of a Digest login; MD5 is what the cameras speak."""
    secret = _md5(f"{login[0]}:{fields.get('realm', '')}:{login[1]}")
    if fields.get("algorithm", "").lower() == "md5-sess":
        secret = _md5(f"{secret}:{fields.get('nonce', '')}:{fields.get('cnonce', '')}")
    what = _md5(f"{method}:{fields['uri']}")
    if "qop" not in fields:
        return _md5(f"{secret}:{fields.get('nonce', '')}:{what}")
    once = ":".join(fields.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
    return _md5(f"{secret}:{once}:{what}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _read(head: bytes) -> Message:
    """A message without its body; raises SourceUnavailable for what is none."""
    start, *lines = head.decode("latin-1").replace("\r", "").strip("\n").split("\n")
    if not _STATUS.fullmatch(start) and not _REQUEST.fullmatch(start):
        raise SourceUnavailable("not an RTSP message", code="codec_unsupported")
    headers = []
    for line in lines:
        name, mark, value = line.partition(":")
        if mark and _NAME.fullmatch(name.strip()):  # FFmpeg takes a line that begins with "$" for a packet
            headers.append((name.strip(), value.strip()))
    return Message(start, tuple(headers))


def _body_bytes(message: Message) -> int:
    text = message.get("content-length") or "0"
    if not text.isascii() or not text.isdecimal() or int(text) > _BODY_BYTES_MAX:
        raise SourceUnavailable(f"a body of more than {_BODY_BYTES_MAX} bytes", code="codec_unsupported")
    return int(text)
