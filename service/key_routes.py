"""GET, POST and DELETE of API keys: who may ask for what, and until when."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Request, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from service.audit import RESOURCE
from service.authentication import AuthenticatorDep
from service.database import now
from service.deps import provided
from service.errors import InvalidRequest
from service.numbers import in_utc
from service.responses import problems
from service.security import Admin, KeyRow, KeyStore, Principal, Role, authenticate

router = APIRouter(prefix="/v1/keys", tags=["keys"])
_NEEDED = problems({409: "`admin_key_needed`: afterwards nobody could administer the server"})


KeyStoreDep = Annotated[KeyStore, Depends(provided(KeyStore))]
PrincipalDep = Annotated[Principal, Depends(authenticate)]


class KeyCreate(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True)] = Field(
        description="Who or what will use it."
    )
    role: Role = "viewer"
    expires_at: AwareDatetime | None = Field(None, description="From when on it is refused; null: never.")


class KeyRead(BaseModel):
    """A key, without anything secret."""

    key_id: str
    name: str
    role: Role
    created_at: dt.datetime
    expires_at: dt.datetime | None
    is_expired: bool
    is_mine: bool = Field(description="Whether it is the key that asks.")


class KeyCreated(KeyRead):
    """A new key, with its text."""

    key: str = Field(description="Shown only now; only its hash is kept.")


class KeyList(BaseModel):
    """Every key, the oldest first."""

    items: list[KeyRead]


@router.get("", dependencies=[Admin])
def list_keys(keys: KeyStoreDep, principal: PrincipalDep) -> KeyList:
    """Every key, the oldest first; what is secret of them is stored nowhere."""
    return KeyList(items=[KeyRead.model_validate(_read(row, principal)) for row in keys.page()])


@router.post("", dependencies=[Admin], status_code=status.HTTP_201_CREATED, responses=_NEEDED)
def create_key(
    wanted: KeyCreate, request: Request, keys: KeyStoreDep, authenticator: AuthenticatorDep, principal: PrincipalDep
) -> KeyCreated:  # fmt: skip
    """Make a key and show it once.

    The first key closes a server that was open until now: it must be an admin's, one that does not expire, and every
    request needs a key from then on.
    """
    expires_at = None if wanted.expires_at is None else in_utc(wanted.expires_at, "expires_at")
    if expires_at is not None and expires_at <= now():
        raise InvalidRequest(f"expires_at: found {expires_at.isoformat()}, expected a time to come")
    text = keys.create(wanted.name, wanted.role, expires_at, needs_admin=True)
    authenticator.note_key()
    key_id = text.split("_")[1]
    request.scope[RESOURCE] = f"/v1/keys/{key_id}"
    row = next(row for row in keys.page() if row.key_id == key_id)
    return KeyCreated.model_validate({**_read(row, principal), "key": text})


@router.delete("/{key_id}", dependencies=[Admin], status_code=status.HTTP_204_NO_CONTENT, responses=_NEEDED)
def revoke_key(key_id: str, keys: KeyStoreDep) -> None:
    """Refuse a key from now on; its WebSockets end within seconds, and views that it did not share go soon after.

    The last admin's key that does not expire stays: `actogram keys revoke` on the server's own machine removes it.
    """
    keys.revoke(key_id, keeps_admin=True)


def _read(row: KeyRow, who: Principal) -> dict[str, object]:
    return {
        "key_id": row.key_id, "name": row.name, "role": row.role, "created_at": row.created_at,
        "expires_at": row.expires_at, "is_expired": row.is_expired(now()), "is_mine": row.key_id == who.key_id,
    }  # fmt: skip
