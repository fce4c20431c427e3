"""Who may do what: bearer API keys with roles, kept as hashes."""

import datetime as dt
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

import sqlalchemy as sa
from fastapi import Depends
from starlette.requests import HTTPConnection

from service.database import Database, UtcTime, metadata, now
from service.errors import AdminKeyNeeded, Forbidden, NotFound, Unauthorized

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
COOKIE = "actogram_key"
PRINCIPAL = "actogram.principal"
"""Where the gate leaves who asks, in the scope of a request."""
NO_KEY = "no API key; expected the header `Authorization: Bearer ak_...`"

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("key_id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("salt", sa.LargeBinary(16), nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
)
KEY = re.compile(r"ak_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NOBODY_SALT = bytes(16)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    key_id: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it may be listed: without anything secret.

    expires_at: from when on it is refused; None for never.
    """

    key_id: str
    name: str
    role: Role
    created_at: dt.datetime
    expires_at: dt.datetime | None = None

    def is_expired(self, at: dt.datetime) -> bool:
        """Whether it is refused at a time."""
        return self.expires_at is not None and self.expires_at <= at


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is stored: whose it is, and the scrypt hash of its secret with its salt."""

    principal: Principal
    salt: bytes = field(repr=False)
    hash: bytes = field(repr=False)


ANYONE = Principal("", "anyone on this machine", "admin")
"""Who asks while no key exists; only ever from this machine, over a loopback address."""


class KeyStore:
    """The keys in the database."""

    def __init__(self, database: Database, clock: Callable[[], dt.datetime] = now) -> None:
        self._database = database
        self._clock = clock

    def create(
        self, name: str, role: Role, expires_at: dt.datetime | None = None, *, needs_admin: bool = False
    ) -> str:  # fmt: skip
        """A new key; its text is returned once and kept nowhere.

        needs_admin: raise AdminKeyNeeded where no admin's key that lasts is there, and this is none either.
        """
        key_id, secret, salt = secrets.token_hex(6), secrets.token_urlsafe(32), secrets.token_bytes(16)
        values = {
            "key_id": key_id, "name": name, "role": role, "salt": salt, "hash": _hash(secret, salt),
            "created_at": self._clock(), "expires_at": expires_at,
        }  # fmt: skip
        is_lasting_admin = role == "admin" and expires_at is None
        with self._database.write() as connection:
            if needs_admin and not is_lasting_admin and not _lasting_admins(connection):
                raise AdminKeyNeeded("the first key must have the role admin and no end: nobody could add others else")
            connection.execute(sa.insert(api_keys).values(values))
        return f"ak_{key_id}_{secret}"

    def page(self) -> Sequence[KeyRow]:
        """Every key, the oldest first."""
        names = ("key_id", "name", "role", "created_at", "expires_at")
        query = sa.select(*(api_keys.c[name] for name in names))
        with self._database.read() as connection:
            return [KeyRow(**row) for row in connection.execute(query.order_by(api_keys.c.created_at)).mappings()]

    def revoke(self, key_id: str, *, keeps_admin: bool = False) -> None:
        """Remove a key; raises NotFound.

        keeps_admin: raise AdminKeyNeeded for the last admin's key that lasts.
        """
        with self._database.write() as connection:
            if keeps_admin and _lasting_admins(connection) == [key_id]:
                raise AdminKeyNeeded(
                    f"{key_id} is the last key with the role admin and no end; create another one first, or run "
                    f"`actogram keys revoke {key_id}` on the server's own machine"
                )
            if connection.execute(sa.delete(api_keys).where(api_keys.c.key_id == key_id)).rowcount == 0:
                raise NotFound(f"no key {key_id!r}")

    def is_empty(self) -> bool:
        """Whether there is no key at all."""
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(api_keys)).scalar_one() == 0

    def get(self, key_id: str) -> "StoredKey | None":
        """A key with its hash; None also for one that has expired."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(api_keys).where(api_keys.c.key_id == key_id)).one_or_none()
        if row is None or (row.expires_at is not None and row.expires_at <= self._clock()):
            return None
        return StoredKey(Principal(row.key_id, row.name, row.role), row.salt, row.hash)

    def find(self, text: str) -> Principal | None:
        """Whose key this is; None when nobody's. An id that is not known takes as long as one that is."""
        match = KEY.fullmatch(text)
        if match is None:
            return None
        stored = self.get(match[1])
        found = _hash(match[2], _NOBODY_SALT if stored is None else stored.salt)
        if stored is None or not hmac.compare_digest(found, stored.hash):
            return None
        return stored.principal


def _lasting_admins(connection: sa.Connection) -> list[str]:
    """Ids of the admins' keys that do not expire, held until the end of the transaction."""
    lasting = sa.and_(api_keys.c.role == "admin", api_keys.c.expires_at.is_(None))
    return list(connection.execute(sa.select(api_keys.c.key_id).where(lasting).with_for_update()).scalars())


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


def principal_of(connection: HTTPConnection) -> Principal:
    """Who asks, as the gate found it (service/gate.py); raises Unauthorized where it let nobody through."""
    found = connection.scope.get(PRINCIPAL)
    if not isinstance(found, Principal):
        raise Unauthorized(NO_KEY)
    return found


def authenticate(connection: HTTPConnection) -> Principal:
    """Dependency: who asks, over HTTP or a WebSocket."""
    return principal_of(connection)


def require_rank(principal: Principal, role: Role) -> Principal:
    """Raise Forbidden when the role of whoever asks is lower."""
    if ROLES.index(principal.role) < ROLES.index(role):
        raise Forbidden(f"key {principal.key_id} has role {principal.role}; {role} is needed")
    return principal


def require_role(role: Role) -> Callable[[Principal], Principal]:
    """Dependency: who asks, if the role is high enough; raises Forbidden."""

    def check(principal: Annotated[Principal, Depends(authenticate)]) -> Principal:
        return require_rank(principal, role)

    return check


Viewer = Depends(require_role("viewer"))
Operator = Depends(require_role("operator"))
Admin = Depends(require_role("admin"))
