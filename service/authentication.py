"""Answers who asks: fast for a key that was seen before, slow on purpose and throttled for one that was not."""

import hashlib
import hmac
import ipaddress
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends

from service.deps import provided
from service.errors import TooManyAttempts, Unauthorized
from service.security import ANYONE, COOKIE, KEY, NO_KEY, KeyStore, Principal
from service.throttle import FailureThrottle

T = TypeVar("T")
_KNOWN_MAX = 1000
_WRONG_MAX = 4096
_LOOK_AGAIN_S = 2.0
_HASHING_MAX = 2
"""Secrets hashed at once: each takes 16 MiB and a processor for a twentieth of a second."""
_HASH_WAIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from.

    text: the key it shows, empty for none.  address: of the peer, empty where there is none (a Unix socket).
    is_local: whether both ends of the connection lie on this machine's loopback.
    """

    text: str
    address: str
    is_local: bool

    @classmethod
    def of(
        cls, headers: Mapping[str, str], cookies: Mapping[str, str], client: tuple[str, int] | None = None,
        server: tuple[str, int | None] | None = None,
    ) -> "Caller":  # fmt: skip
        """Read the headers and the two ends of the connection."""
        scheme, _, text = headers.get("authorization", "").partition(" ")
        shown = text.strip() if scheme.lower() == "bearer" else cookies.get(COOKIE, "")
        address = client[0] if client else ""
        is_local = is_loopback(address) and server is not None and is_loopback(server[0])
        return cls(shown, address, is_local)


class Authenticator:
    """Knows who asks.

    is_public: whether the server listens beyond loopback; then nothing is ever open. None: judged by each connection.
    """

    def __init__(
        self, keys: KeyStore, clock: Callable[[], float] = time.monotonic, throttle: FailureThrottle | None = None,
        is_public: bool | None = None,
    ) -> None:  # fmt: skip
        self._keys = keys
        self._clock = clock
        self._throttle = throttle or FailureThrottle(clock=clock)
        self._is_public = bool(is_public)
        # Keyed, so that what lies in memory is no plain hash of a secret.
        self._pepper = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[str, bytes]] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._hashing = threading.BoundedSemaphore(_HASHING_MAX)
        self._looked_s: float | None = None
        self._has_seen_key = False

    def is_open_to(self, caller: Caller) -> bool:
        """Whether this caller needs no key: none exists, and both ends are on this machine.

        Once this server has seen a key it stays closed, also when the last one is revoked.
        """
        return caller.is_local and not self._is_public and self._is_keyless()

    def note_key(self) -> None:
        """A key was made just now: nothing is open from here on."""
        self._has_seen_key = True

    def recall(self, caller: Caller) -> Principal | None:
        """Who asks, when that takes no hashing: an open server, or a key that was right before and still exists.

        Raises Unauthorized without a key.
        """
        if self.is_open_to(caller):
            return ANYONE
        if not caller.text:
            raise Unauthorized(NO_KEY)
        digest = self._digest(caller.text)
        with self._lock:
            found = self._known.get(digest)
        if found is None:
            return None
        stored = self._keys.get(found[0])
        if stored is not None and hmac.compare_digest(stored.hash, found[1]):
            return stored.principal
        with self._lock:
            self._known.pop(digest, None)
        return None

    def verify(self, caller: Caller) -> Principal:
        """Who asks, by hashing; raises Unauthorized, TooManyAttempts."""
        match = KEY.fullmatch(caller.text)
        key_id = match[1] if match else ""
        wait_s = self._throttle.wait_s(caller.address, key_id)
        if wait_s > 0:
            raise TooManyAttempts(math.ceil(wait_s))
        digest = self._digest(caller.text)
        with self._lock:
            is_repeated = digest in self._wrong
        principal = None if is_repeated or match is None else self._hash(caller.text)
        if principal is None:
            self._throttle.count(caller.address, key_id, is_repeated)
            self._remember(self._wrong, digest, None, _WRONG_MAX)
            raise Unauthorized("the API key is not known")
        stored = self._keys.get(principal.key_id)
        if stored is not None:
            self._remember(self._known, digest, (principal.key_id, stored.hash), _KNOWN_MAX)
        return principal

    def is_still(self, principal: Principal, caller: Caller) -> bool:
        """Whether who was let in before still may ask."""
        if principal is ANYONE:
            return self.is_open_to(caller)
        return self._keys.get(principal.key_id) is not None

    def require(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Principal:
        """Who asks, from nowhere in particular; raises Unauthorized, TooManyAttempts."""
        caller = Caller.of(headers, cookies)
        return self.recall(caller) or self.verify(caller)

    def _hash(self, text: str) -> Principal | None:
        if not self._hashing.acquire(timeout=_HASH_WAIT_S):
            raise TooManyAttempts(1)
        try:
            return self._keys.find(text)
        finally:
            self._hashing.release()

    def _is_keyless(self) -> bool:
        if self._has_seen_key:
            return False
        if self._looked_s is None or self._clock() - self._looked_s > _LOOK_AGAIN_S:
            self._has_seen_key = not self._keys.is_empty()
            self._looked_s = self._clock()
        return not self._has_seen_key

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._pepper, digest_size=32).digest()

    def _remember(self, kept: OrderedDict[bytes, T], digest: bytes, value: T, limit: int) -> None:
        with self._lock:
            kept[digest] = value
            while len(kept) > limit:
                kept.popitem(last=False)


AuthenticatorDep = Annotated[Authenticator, Depends(provided(Authenticator))]


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
