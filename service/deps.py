"""How routes get what app.py built: by its class."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from fastapi import FastAPI
from starlette.requests import HTTPConnection

T = TypeVar("T")


def provide(app: FastAPI, parts: Iterable[object]) -> None:
    """Make parts available to the routes."""
    app.state.parts = {type(part): part for part in parts}


def provided(kind: type[T]) -> Callable[[HTTPConnection], T]:
    """A dependency that answers the part of this class."""

    def get(connection: HTTPConnection) -> T:
        part = connection.app.state.parts[kind]
        assert isinstance(part, kind)
        return part

    return get
