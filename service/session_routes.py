"""Lets the page keep a key in a cookie: a player and a WebSocket cannot send an Authorization header."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from service.security import ANYONE, COOKIE, Principal, Role, Viewer, authenticate

router = APIRouter(prefix="/v1/session", tags=["session"])
PrincipalDep = Annotated[Principal, Depends(authenticate)]


class SessionRead(BaseModel):
    """Who the service takes the caller for."""

    name: str
    role: Role
    access: Literal["open", "key"] = Field(description="`open` while no key exists.")


@router.get("", dependencies=[Viewer], summary="Who am I")
def get_session(principal: PrincipalDep) -> SessionRead:
    """Name and role of the key in use; 401 when one is needed."""
    access: Literal["open", "key"] = "open" if principal is ANYONE else "key"
    return SessionRead(name=principal.name, role=principal.role, access=access)


@router.post("", summary="Keep the key in a cookie")
def create_session(request: Request, response: Response, principal: PrincipalDep) -> SessionRead:
    """Send the key once as `Authorization: Bearer`; from then on the browser's cookie carries it."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if principal is not ANYONE and scheme.lower() == "bearer":
        response.set_cookie(
            COOKIE, key.strip(), max_age=30 * 24 * 3600, path="/", httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
    return get_session(principal)


@router.delete("", status_code=204, summary="Forget the cookie")
def delete_session(response: Response) -> None:
    """Harmless when there is none."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
