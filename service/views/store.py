"""The rows of saved views."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from service.database import UtcTime, metadata
from service.security import api_keys
from service.views.schemas import Page

saved_views = sa.Table(
    "saved_views",
    metadata,
    sa.Column("view_id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(16), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("page", sa.String(16), nullable=False),
    sa.Column("query", sa.JSON, nullable=False),
    sa.Column("is_shared", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class ViewRow:
    """A saved view as it is stored.

    owner: id of the key that saved it; empty for whoever used a server without keys.
    """

    view_id: str
    owner: str
    name: str
    page: Page
    query: Mapping[str, str]
    is_shared: bool
    created_at: dt.datetime


def seen_by(connection: sa.Connection, owners: Sequence[str]) -> list[ViewRow]:
    """What some have saved and what others share, by name."""
    is_seen = sa.or_(saved_views.c.owner.in_(owners), saved_views.c.is_shared.is_(True))
    query = sa.select(saved_views).where(is_seen).order_by(saved_views.c.name, saved_views.c.view_id)
    return [ViewRow(**row) for row in connection.execute(query).mappings()]


def get(connection: sa.Connection, view_id: str) -> ViewRow | None:
    """A view, or None."""
    row = connection.execute(sa.select(saved_views).where(saved_views.c.view_id == view_id)).mappings().one_or_none()
    return None if row is None else ViewRow(**row)


def count(connection: sa.Connection, owner: str) -> int:
    """How many views a key has saved."""
    query = sa.select(sa.func.count()).select_from(saved_views).where(saved_views.c.owner == owner)
    return int(connection.execute(query).scalar_one())


def put(connection: sa.Connection, row: ViewRow) -> None:
    """Store a view, new or changed."""
    values = {**asdict(row), "query": dict(row.query)}
    chosen = saved_views.c.view_id == row.view_id
    if connection.execute(sa.update(saved_views).where(chosen).values(values)).rowcount == 0:
        connection.execute(sa.insert(saved_views).values(values))


def delete(connection: sa.Connection, view_id: str) -> None:
    """Remove a view, if there is one."""
    connection.execute(sa.delete(saved_views).where(saved_views.c.view_id == view_id))


def forget_ownerless(connection: sa.Connection) -> int:
    """Remove what keys that are gone saved for themselves; what they shared stays. Returns how many went."""
    there = sa.select(api_keys.c.key_id)
    is_own = sa.and_(saved_views.c.is_shared.is_(False), saved_views.c.owner != "")
    return connection.execute(sa.delete(saved_views).where(is_own, saved_views.c.owner.not_in(there))).rowcount
