"""What can be done with cameras that are no streams yet: each in a bounded time, and a bounded number at once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx

from pipelines.addresses.client import Deadline, build_client
from pipelines.addresses.policy import AddressPolicy
from pipelines.stream.sources.probe import Probed, ProbeOrder, probe
from service.cameras.device import OnvifCamera
from service.cameras.discovery import GROUP, Found, search
from service.cameras.interfaces import chosen_addresses
from service.cameras.offered import Described
from service.cameras.soap import Login
from service.errors import AtCapacity, Forbidden, InvalidRequest

_HIDDEN = "***"
_ANSWER_S = 4.0
_INQUIRY_S = 15.0
_TESTS_MAX = 2
_INQUIRIES_MAX = 4
_SEARCHES_MAX = 1

Probe = Callable[[ProbeOrder, AddressPolicy], Probed]


@dataclass(frozen=True, slots=True)
class CameraRules:
    """What the settings say.

    may_search: whether the network may be searched and cameras asked for their streams. blurs: no face may be shown.
    group: where the question for cameras goes.
    """

    may_search: bool = True
    blurs: bool = False
    group: tuple[str, int] = GROUP


class CameraControl:
    """Tries, searches and asks. policy: asked before each connection. open_address: looks at one address."""

    def __init__(self, policy: AddressPolicy, rules: CameraRules, open_address: Probe = probe) -> None:
        self._policy = policy
        # Cameras are asked over HTTP, whatever their pictures come by.
        self._device_policy = replace(policy, schemes=frozenset({"http", "https"}))
        self._rules = rules
        self._open_address = open_address
        self._tests = _Seats("addresses are being tested", _TESTS_MAX)
        self._searches = _Seats("search is going on", _SEARCHES_MAX)
        self._inquiries = _Seats("cameras are being asked", _INQUIRIES_MAX)

    @property
    def blurs(self) -> bool:
        """Whether no face may be shown."""
        return self._rules.blurs

    def test(self, order: ProbeOrder) -> Probed:
        """What comes from an address. Raises SourceForbidden, SourceUnavailable, InvalidRequest, AtCapacity."""
        if _HIDDEN in order.uri:
            raise InvalidRequest(f"source.uri: {_HIDDEN} stands where credentials were hidden; give the whole address")
        with self._tests.taken():
            return self._open_address(order, self._policy)

    def search(self, interface: str | None, wait_s: float) -> Found:
        """The cameras that answer. Raises Forbidden, InvalidRequest, AtCapacity."""
        self._require_search()
        addresses: Sequence[str] = chosen_addresses(interface)
        with self._searches.taken():
            return search(self._device_policy, addresses, wait_s, self._rules.group)

    def describe(self, address: str, login: Login | None) -> Described:
        """What one camera is and offers. Raises Forbidden, SourceForbidden, SourceUnavailable, NotOnvif, AtCapacity."""
        self._require_search()
        deadline = Deadline(_INQUIRY_S)
        with self._inquiries.taken():
            client = build_client(self._device_policy, httpx.Timeout(_ANSWER_S), lambda: deadline, keeps_alive=False)
            with client:
                return OnvifCamera(self._device_policy.require(address), login, client, self._policy).describe()

    def _require_search(self) -> None:
        if not self._rules.may_search:
            raise Forbidden("cameras are not searched for on this server: ACTOGRAM_CAMERA_SEARCH is false")


class _Seats:
    """A number of places; whoever finds none is told to ask again."""

    def __init__(self, what: str, count: int) -> None:
        self._what = what
        self._count = count
        self._free = threading.BoundedSemaphore(count)

    @contextmanager
    def taken(self) -> Iterator[None]:
        if not self._free.acquire(blocking=False):
            raise AtCapacity(f"{self._count} {self._what}, no more at once", 5)
        try:
            yield
        finally:
            self._free.release()
