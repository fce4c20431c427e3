"""An ONVIF camera in this process: real XML over UDP and HTTP, a clock of its own, and every way to be wrong.

WS-Discovery is of April 2005; the services are ONVIF's device, media, media2; the login is WS-UsernameToken's digest.
"""

import base64
import datetime as dt
import hashlib
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, Self

Fault = Literal["", "nonsense", "huge", "slow", "doctype", "no_soap", "not_found", "trickle"]
SOAP = "http://www.w3.org/2003/05/soap-envelope"
LEEWAY_S = 5.0
BILLION = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    f'<s:Envelope xmlns:s="{SOAP}"><s:Body>&b;</s:Body></s:Envelope>'
)


@dataclass
class Camera:
    """What the camera is like; tests change it.

    clock_offset_s: how far its clock is ahead. is_old: knows neither GetServices nor media2.
    wants_http_digest: instead of the token. stream_host: the host that it puts into its streams' addresses.
    """

    user: str = "admin"
    password: str = "geheim & <sicher>"
    clock_offset_s: float = 0.0
    is_old: bool = False
    wants_http_digest: bool = False
    fault: Fault = ""
    stream_host: str = "127.0.0.1"
    media_host: str = "127.0.0.1"
    xaddrs: str = ""
    answers: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)


class OnvifDevice:
    """Serves one camera on loopback; `address` is its device service, `group` where it hears who looks for cameras."""

    def __init__(self, camera: Camera | None = None, multicast: str | None = None) -> None:
        self.camera = camera or Camera()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self.camera))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.settimeout(0.1)
        self._udp.bind(("" if multicast else "127.0.0.1", 0))
        if multicast:
            membership = socket.inet_aton(multicast) + socket.inet_aton("127.0.0.1")
            self._udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        self.group = (multicast or "127.0.0.1", self._udp.getsockname()[1])
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self._hear, daemon=True),
        ]

    @property
    def address(self) -> str:
        """Of the device service."""
        return f"http://127.0.0.1:{self._server.server_port}/onvif/device_service"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(5)
        self._udp.close()

    def _hear(self) -> None:
        while not self._is_over.is_set():
            try:
                question, sender = self._udp.recvfrom(65_535)
            except TimeoutError:
                continue
            message = re.search(rb"MessageID>([^<]+)<", question)
            assert message is not None
            assert b"NetworkVideoTransmitter" in question
            for answer in self.camera.answers or [self._match(message[1].decode())]:
                self._udp.sendto(answer.replace(b"MESSAGE", message[1]), sender)

    def _match(self, message_id: str) -> bytes:
        return match_message(message_id, self.camera.xaddrs or self.address)


def match_message(relates_to: str, xaddrs: str, identity: str = "urn:uuid:0001") -> bytes:
    """A camera's answer to the question for cameras."""
    scopes = "onvif://www.onvif.org/name/Hall%20camera onvif://www.onvif.org/hardware/X-1 onvif://www.onvif.org/location/hall"
    return (
        f'<?xml version="1.0"?><s:Envelope xmlns:s="{SOAP}" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>'
        f"<a:RelatesTo>{relates_to}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>"
        f"<a:EndpointReference><a:Address>{identity}</a:Address></a:EndpointReference>"
        f"<d:Scopes>{scopes}</d:Scopes><d:XAddrs>{xaddrs}</d:XAddrs>"
        "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
    ).encode()


def _handler_of(camera: Camera) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            request = re.search(r"<s:Body><(\w+)", body)
            assert request is not None
            camera.asked.append(request[1])
            camera.received.append(body + str(self.headers))
            if request[1] != "GetSystemDateAndTime" and camera.wants_http_digest and not _is_digest(self, camera):
                self._say(401, b"", {"WWW-Authenticate": 'Digest realm="cam", nonce="0a1b", qop="auth"'})
                return
            if camera.fault and request[1] != "GetSystemDateAndTime":
                self._fail()
                return
            self._say(*_answer(camera, request[1], body, int(self.connection.getsockname()[1])))

        def _fail(self) -> None:
            match camera.fault:
                case "huge":
                    self._say(200, b"<a>" + b"x" * (3 << 20))
                case "slow":
                    time.sleep(6)
                case "doctype":
                    self._say(200, BILLION.encode())
                case "no_soap":
                    self._say(200, b"<html><body>login</body></html>")
                case "not_found":
                    self._say(404, b"")
                case "trickle":
                    self.send_response(200)
                    self.end_headers()
                    for _ in range(400):
                        self.wfile.write(b" ")
                        self.wfile.flush()
                        time.sleep(0.1)
                case _:
                    self._say(200, b"\x00\xff not xml <<<")

        def _say(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # whoever asked has had enough
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
            """Say nothing."""

    return Handler


def _is_digest(handler: BaseHTTPRequestHandler, camera: Camera) -> bool:
    said = dict(re.findall(r'(\w+)="?([^",]+)"?', handler.headers.get("Authorization", "")))
    if not said:
        return False

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    first, second = md5(f"{camera.user}:cam:{camera.password}"), md5(f"POST:{handler.path}")
    return said.get("response") == md5(f"{first}:0a1b:{said['nc']}:{said['cnonce']}:auth:{second}")


def _is_known(camera: Camera, body: str) -> bool:
    """Whether a token is right by this camera's own clock."""
    if camera.wants_http_digest:
        return True
    found = re.search(
        r"Username>([^<]*)<.*?Password Type=\"[^\"]*#PasswordDigest\">([^<]*)<"
        r".*?<w:Nonce[^>]*>([^<]*)<.*?Created[^>]*>([^<]*)<",
        body,
    )
    if found is None:
        return False
    user, digest, nonce, created = found.groups()
    right = hashlib.sha1(base64.b64decode(nonce) + created.encode() + camera.password.encode()).digest()
    age = _now(camera) - dt.datetime.fromisoformat(created)
    return (user, digest) == (camera.user, base64.b64encode(right).decode()) and abs(age.total_seconds()) < LEEWAY_S


def _now(camera: Camera) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=camera.clock_offset_s)


def _answer(camera: Camera, request: str, body: str, port: int) -> tuple[int, bytes]:
    if request == "GetSystemDateAndTime":
        return 200, _soap(_time(_now(camera)))
    if not _is_known(camera, body):
        return 400, _soap(_refusal("ter:NotAuthorized", "Sender not Authorized"))
    media = f"http://{camera.media_host}:{port}/onvif/media"
    if camera.is_old and (request == "GetServices" or "ver20/media" in body):
        return 500, _soap(_refusal("ter:ActionNotSupported", "Optional Action Not Implemented"))
    version = "ver20" if "ver20/media" in body else "ver10"
    answers = {
        "GetDeviceInformation": "<Manufacturer>Acme</Manufacturer><Model>X-1</Model>"
        "<FirmwareVersion>1.2</FirmwareVersion>"
        "<SerialNumber>42</SerialNumber>",
        "GetServices": "".join(
            f"<Service><Namespace>http://www.onvif.org/{one}/media/wsdl</Namespace><XAddr>{media}</XAddr></Service>"
            for one in ("ver10", "ver20")
        ),
        "GetCapabilities": f"<Capabilities><Media xmlns='http://www.onvif.org/ver10/schema'><XAddr>{media}</XAddr></Media></Capabilities>",
        "GetProfiles": _profiles(version),
        "GetStreamUri": _uri(camera, version, body),
    }
    return 200, _soap(
        f'<{request}Response xmlns="http://www.onvif.org/ver10/device/wsdl">{answers[request]}</{request}Response>'
    )


def _profiles(version: str) -> str:
    tag = "VideoEncoder" if version == "ver20" else "VideoEncoderConfiguration"
    sizes = {"main": (1920, 1080, "H265" if version == "ver20" else "H264", 25), "sub": (640, 360, "H264", 10)}
    return "".join(
        f'<Profiles token="{name}"><Name>{name}</Name><t:{tag} xmlns:t="http://www.onvif.org/ver10/schema">'
        f"<t:Encoding>{codec}</t:Encoding><t:Resolution><t:Width>{width}</t:Width><t:Height>{height}</t:Height></t:Resolution>"
        f"<t:RateControl><t:FrameRateLimit>{rate}</t:FrameRateLimit></t:RateControl></t:{tag}></Profiles>"
        for name, (width, height, codec, rate) in sizes.items()
    )


def _uri(camera: Camera, version: str, body: str) -> str:
    token = re.search(r"ProfileToken>([^<]*)<", body)
    uri = f"rtsp://owner:secret@{camera.stream_host}:8554/{token[1] if token else ''}?a=1&amp;b=2"
    return f"<Uri>{uri}</Uri>" if version == "ver20" else f"<MediaUri><Uri>{uri}</Uri></MediaUri>"


def _time(now: dt.datetime) -> str:
    date = f"<Date><Year>{now.year}</Year><Month>{now.month}</Month><Day>{now.day}</Day></Date>"
    clock = f"<Time><Hour>{now.hour}</Hour><Minute>{now.minute}</Minute><Second>{now.second}</Second></Time>"
    return f"<R><SystemDateAndTime><UTCDateTime>{clock}{date}</UTCDateTime></SystemDateAndTime></R>"


def _refusal(code: str, reason: str) -> str:
    codes = f"<s:Value>s:Sender</s:Value><s:Subcode><s:Value>{code}</s:Value></s:Subcode>"
    return f"<s:Fault><s:Code>{codes}</s:Code><s:Reason><s:Text>{reason}</s:Text></s:Reason></s:Fault>"


def _soap(body: str) -> bytes:
    head = f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}">'
    return f"{head}<s:Body>{body}</s:Body></s:Envelope>".encode()
