"""Who may do what: bearer API keys with roles, kept as hashes."""

import datetime as dt
import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import sqlalchemy as sa
from fastapi import Depends
from starlette.requests import HTTPConnection

from service.database import Database, UtcTime, metadata, now
from service.deps import provided
from service.errors import Forbidden, NotFound, Unauthorized

logger = logging.getLogger(__name__)

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
COOKIE = "actogram_key"

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("key_id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("salt", sa.LargeBinary(16), nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)
_KEY = re.compile(r"ak_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_REMEMBER_S = 60.0
_REMEMBER_MAX = 1000
_LOOK_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    key_id: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it may be listed: without anything secret."""

    key_id: str
    name: str
    role: Role
    created_at: dt.datetime


ANYONE = Principal("", "anyone on this machine", "admin")
"""Who asks while no key exists; only ever on a loopback address."""


class KeyStore:
    """The keys in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, role: Role) -> str:
        """A new key; its text is returned once and kept nowhere."""
        key_id, secret, salt = secrets.token_hex(6), secrets.token_urlsafe(32), secrets.token_bytes(16)
        with self._database.write() as connection:
            connection.execute(
                sa.insert(api_keys).values(
                    key_id=key_id, name=name, role=role, salt=salt, hash=_hash(secret, salt), created_at=now()
                )
            )
        return f"ak_{key_id}_{secret}"

    def page(self) -> Sequence[KeyRow]:
        """Every key, the oldest first."""
        query = sa.select(api_keys.c.key_id, api_keys.c.name, api_keys.c.role, api_keys.c.created_at)
        with self._database.read() as connection:
            return [KeyRow(**row) for row in connection.execute(query.order_by(api_keys.c.created_at)).mappings()]

    def revoke(self, key_id: str) -> None:
        """Remove a key; raises NotFound."""
        with self._database.write() as connection:
            if connection.execute(sa.delete(api_keys).where(api_keys.c.key_id == key_id)).rowcount == 0:
                raise NotFound(f"no key {key_id!r}")

    def is_empty(self) -> bool:
        """Whether there is no key at all."""
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(api_keys)).scalar_one() == 0

    def find(self, text: str) -> Principal | None:
        """Whose key this is; None when nobody's."""
        match = _KEY.fullmatch(text)
        if match is None:
            return None
        with self._database.read() as connection:
            row = connection.execute(sa.select(api_keys).where(api_keys.c.key_id == match[1])).one_or_none()
        if row is None or not hmac.compare_digest(_hash(match[2], row.salt), row.hash):
            return None
        return Principal(row.key_id, row.name, row.role)


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


class Authenticator:
    """Answers who asks; remembers an answer for a minute, because hashing is slow on purpose."""

    def __init__(self, keys: KeyStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self._open: tuple[bool, float] | None = None

    def is_open(self) -> bool:
        """Whether no key exists, so that everyone on this machine may do everything."""
        with self._lock:
            if self._open is None or self._clock() - self._open[1] > _LOOK_AGAIN_S:
                self._open = (self._keys.is_empty(), self._clock())
            return self._open[0]

    def require(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Principal:
        """Who asks; raises Unauthorized."""
        if self.is_open():
            return ANYONE
        scheme, _, text = headers.get("authorization", "").partition(" ")
        text = text.strip() if scheme.lower() == "bearer" else cookies.get(COOKIE, "")
        if not text:
            raise Unauthorized("no API key; expected the header `Authorization: Bearer ak_...`")
        principal = self._recall(text)
        if principal is None:
            raise Unauthorized("the API key is not known")
        return principal

    def _recall(self, text: str) -> Principal | None:
        digest = hashlib.sha256(text.encode()).digest()
        with self._lock:
            found = self._known.get(digest)
        if found is not None and self._clock() - found[1] < _REMEMBER_S:
            return found[0]
        principal = self._keys.find(text)
        with self._lock:
            self._known.pop(digest, None)
            if len(self._known) >= _REMEMBER_MAX:
                self._known.clear()
            if principal is not None:
                self._known[digest] = (principal, self._clock())
        return principal


AuthenticatorDep = Annotated[Authenticator, Depends(provided(Authenticator))]


def authenticate(connection: HTTPConnection, authenticator: AuthenticatorDep) -> Principal:
    """Dependency: who asks, over HTTP or a WebSocket."""
    return authenticator.require(connection.headers, connection.cookies)


def admit(connection: HTTPConnection, authenticator: Authenticator, role: Role) -> Principal:
    """Who asks, if the role is high enough; raises Unauthorized, Forbidden."""
    return _with_role(authenticate(connection, authenticator), role)


def _with_role(principal: Principal, role: Role) -> Principal:
    if ROLES.index(principal.role) < ROLES.index(role):
        raise Forbidden(f"key {principal.key_id} has role {principal.role}; {role} is needed")
    return principal


def require_role(role: Role) -> Callable[[Principal], Principal]:
    """Dependency: who asks, if the role is high enough; raises Forbidden."""

    def check(principal: Annotated[Principal, Depends(authenticate)]) -> Principal:
        return _with_role(principal, role)

    return check


Viewer = Depends(require_role("viewer"))
Operator = Depends(require_role("operator"))
Admin = Depends(require_role("admin"))
