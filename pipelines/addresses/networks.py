"""What kind of network an IP address belongs to, whatever clothes it wears."""

import ipaddress
from typing import Literal

Network = Literal["public", "private", "loopback"]
_V4 = ipaddress.IPv4Address
_V6 = ipaddress.IPv6Address


def _nets(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


_PRIVATE = _nets("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
# Never a camera, a video or a receiver. Link-local addresses and a few others are where clouds keep their secrets.
_NEVER = _nets(
    "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "64:ff9b:1::/48", "100::/64", "2001:2::/48", "2001:10::/28", "2001:db8::/32", "3fff::/20", "5f00::/16",
    "fe80::/10", "fec0::/10", "ff00::/8",
    # Metadata services that lie elsewhere: Alibaba, Azure, Amazon, Google.
    "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::/32", "fd20:ce::/32",
)  # fmt: skip
_EMBEDDING = _nets("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96")
_SIX_TO_FOUR, _TEREDO = _nets("2002::/16", "2001::/32")
_ISATAP = (0x00005EFE, 0x02005EFE)
_OPENNESS: tuple[Network | None, ...] = (None, "loopback", "private", "public")


def network_of(address: str) -> Network | None:
    """The network of an address in text form; None for those that nobody may name.

    An IPv6 address that carries IPv4 addresses is as closed as the most closed of them. Raises ValueError for what is
    no address.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, _V4):
        return _plain(found)
    carried = _carried(found)
    if not carried:
        return _plain(found)
    networks = [_plain(each) for each in carried]
    return min(networks, key=_OPENNESS.index)


def _carried(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    """IPv4 addresses inside an IPv6 address: mapped, compatible, translated, 6to4, Teredo, ISATAP."""
    bits = int(address)
    if bits <= 1:
        return ()
    if any(address in net for net in _EMBEDDING):
        return (_V4(bits & 0xFFFFFFFF),)
    if address in _SIX_TO_FOUR:
        return (_V4(bits >> 80 & 0xFFFFFFFF),)
    if address in _TEREDO:
        return _V4(bits >> 64 & 0xFFFFFFFF), _V4(~bits & 0xFFFFFFFF)
    if bits >> 32 & 0xFFFFFFFF in _ISATAP and not any(_is_in(address, net) for net in _NEVER):
        return (_V4(bits & 0xFFFFFFFF),)
    return ()


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Network | None:
    if any(_is_in(address, net) for net in _NEVER):
        return None
    if address.is_loopback:
        return "loopback"
    if any(_is_in(address, net) for net in _PRIVATE):
        return "private"
    return "public" if address.is_global else None


def _is_in(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, net: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    return address.version == net.version and address in net
