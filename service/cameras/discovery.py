"""WS-Discovery: asks the local network which cameras are there, and reads what answers in a bounded time."""

import ipaddress
import selectors
import socket
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pipelines.addresses.policy import AddressPolicy
from service.cameras.soap import ADDRESSING, DISCOVERY, NETWORK, SOAP, clean, every, parse, text_at
from service.errors import NotOnvif

GROUP = ("239.255.255.250", 3702)
_DATAGRAM_BYTES_MAX = 65_535
_DATAGRAMS_MAX = 1000
_CAMERAS_MAX = 200
_ADDRESSES_MAX = 8
_PROBES = 2  # a datagram may be lost
_ONVIF_SCOPE = "onvif://www.onvif.org/"


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera that answered.

    address: of its device service. host: where the answer came from. name, hardware, location: as it says, or empty.
    """

    address: str
    host: str
    name: str = ""
    hardware: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brought. num_refused: cameras whose addresses the policy does not allow."""

    cameras: tuple[FoundCamera, ...] = ()
    num_refused: int = 0


def search(
    policy: AddressPolicy, interfaces: Sequence[str], wait_s: float, group: tuple[str, int] = GROUP,
    clock: Callable[[], float] = time.monotonic,
) -> Found:  # fmt: skip
    """Ask from each interface and listen for so many seconds; what makes no sense is left out."""
    message_id = f"uuid:{uuid.uuid4()}"
    cameras: dict[str, FoundCamera] = {}
    refused: set[str] = set()
    with ExitStack() as stack:
        sockets = [one for address in interfaces if (one := _ask(stack, address, message_id, group)) is not None]
        for answer, sender in _answers(sockets, clock() + wait_s, clock):
            for identity, match in _matches(answer, message_id):
                camera = _camera(match, sender, policy)
                if camera is None:
                    refused.add(identity)
                elif len(cameras) < _CAMERAS_MAX:
                    cameras.setdefault(identity, camera)
    ordered = sorted(cameras.values(), key=lambda camera: (camera.host, camera.address))
    return Found(tuple(ordered), len(refused - set(cameras)))


def probe_message(message_id: str) -> bytes:
    """The question for cameras."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" '
        f'xmlns:d="{DISCOVERY}"><s:Header><a:MessageID>{message_id}</a:MessageID>'
        '<a:To s:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>'
        f'<a:Action s:mustUnderstand="true">{DISCOVERY}/Probe</a:Action></s:Header>'
        f'<s:Body><d:Probe><d:Types xmlns:n="{NETWORK}">n:NetworkVideoTransmitter</d:Types></d:Probe></s:Body>'
        "</s:Envelope>"
    ).encode()


def _ask(stack: ExitStack, interface: str, message_id: str, group: tuple[str, int]) -> socket.socket | None:
    """A socket that has asked from one interface; None where that is not possible, as on one without a network."""
    asking = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    asking.setblocking(False)
    try:
        asking.bind((interface, 0))
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        for _ in range(_PROBES):
            asking.sendto(probe_message(message_id), group)
    except OSError:
        return None
    return asking


def _answers(
    sockets: Sequence[socket.socket], until_s: float, clock: Callable[[], float]
) -> Iterator[tuple[bytes, str]]:
    """Datagrams and their senders, until the time is over or too many came."""
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ, one)
        for _ in range(_DATAGRAMS_MAX):
            left_s = until_s - clock()
            ready = selector.select(left_s) if sockets and left_s > 0 else []
            if not ready:
                return
            asking: socket.socket = ready[0][0].data
            try:
                answer, sender = asking.recvfrom(_DATAGRAM_BYTES_MAX)
            except OSError:  # a port that answered "unreachable"
                continue
            yield answer, str(sender[0])


def _matches(answer: bytes, message_id: str) -> Iterator[tuple[str, ET.Element]]:
    """The cameras in one answer to our question, by their identity."""
    try:
        root = parse(answer)
    except NotOnvif:
        return
    relates = next((clean(one.text or "") for one in every(root, "RelatesTo")), "")
    if relates.removeprefix("urn:") != message_id:
        return
    for match in every(root, "ProbeMatch"):
        identity = text_at(match, "EndpointReference", "Address") or text_at(match, "XAddrs")
        if identity:
            yield identity, match


def _camera(match: ET.Element, sender: str, policy: AddressPolicy) -> FoundCamera | None:
    """A camera as it describes itself; None where none of its addresses may be opened."""
    offered = [one for one in text_at(match, "XAddrs").split()[:_ADDRESSES_MAX] if _is_allowed(one, policy)]
    if not offered:
        return None
    # A camera with several networks names all of its addresses: the one that answered is the one that can be reached.
    address = next((one for one in offered if urlsplit(one).hostname == sender), offered[0])
    scopes = [
        one.removeprefix(_ONVIF_SCOPE) for one in text_at(match, "Scopes").split() if one.startswith(_ONVIF_SCOPE)
    ]

    def said(kind: str) -> str:
        words = (unquote(one.partition("/")[2]) for one in scopes if one.partition("/")[0] == kind)
        return clean(" ".join(words))[:128]

    return FoundCamera(address, sender, said("name"), said("hardware"), said("location"))


def _is_allowed(address: str, policy: AddressPolicy) -> bool:
    """Whether an address may be opened. Names are not resolved: strangers would decide how long that takes."""
    try:
        parts = urlsplit(address)
        ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.username is None and policy.allows(address)
