"""The network interfaces from which cameras are searched for."""

import fcntl
import ipaddress
import socket
import struct
from contextlib import suppress

from service.errors import InvalidRequest

_SIOCGIFADDR = 0x8915
_NAME_BYTES = 15


def interface_addresses() -> dict[str, str]:
    """Interface → its IPv4 address, without loopback; empty where the system does not say."""
    found: dict[str, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # it has no address, or is down
                request = struct.pack("256s", name.encode()[:_NAME_BYTES])
                answer = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)
                found[name] = socket.inet_ntoa(answer[20:24])
    return {name: address for name, address in found.items() if not ipaddress.ip_address(address).is_loopback}


def chosen_addresses(interface: str | None) -> list[str]:
    """The addresses to search from: of one interface, by its name or address, or of all.

    Raises InvalidRequest for one that this machine does not have.
    """
    known = interface_addresses()
    if interface is None:
        return list(dict.fromkeys(known.values()))
    if interface in known:
        return [known[interface]]
    if interface in known.values() or interface.startswith("127."):
        return [interface]
    shown = ", ".join(f"{name} ({address})" for name, address in known.items()) or "none"
    raise InvalidRequest(f"interface: found {interface[:64]!r}, expected one of this machine's: {shown}")
