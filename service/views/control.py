"""What users do with saved views: list them, save, share, rename and delete them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.database import Database, now
from service.errors import Forbidden, NotFound, TooManyViews
from service.security import Principal
from service.views import store
from service.views.schemas import ViewCreate, ViewPatch
from service.views.store import ViewRow

VIEWS_MAX = 100
"""Per key."""


@dataclass(frozen=True, slots=True)
class ViewControl:
    """Saved views, each of the key that saved it: others see what is shared, and only an admin may change it."""

    database: Database

    def list(self, who: Principal) -> Sequence[ViewRow]:
        """What a key has saved and what others share, by name."""
        with self.database.read() as connection:
            return store.seen_by(connection, _owners(who))

    def create(self, who: Principal, wanted: ViewCreate) -> ViewRow:
        """Save a view; raises TooManyViews."""
        row = ViewRow(
            f"view_{secrets.token_hex(6)}", who.key_id, wanted.name, wanted.page, wanted.query, wanted.shared, now()
        )
        with self.database.write() as connection:
            if store.count(connection, who.key_id) >= VIEWS_MAX:
                raise TooManyViews(f"{VIEWS_MAX} views are saved already; delete one first")
            store.put(connection, row)
        return row

    def update(self, who: Principal, view_id: str, patch: ViewPatch) -> ViewRow:
        """Rename, share or save anew; raises NotFound, Forbidden."""
        with self.database.write() as connection:
            row = _changeable(store.get(connection, view_id), who, view_id)
            row = replace(
                row, name=patch.name or row.name, query=row.query if patch.query is None else patch.query,
                is_shared=row.is_shared if patch.shared is None else patch.shared,
            )  # fmt: skip
            store.put(connection, row)
        return row

    def delete(self, who: Principal, view_id: str) -> None:
        """Remove a view; raises NotFound, Forbidden."""
        with self.database.write() as connection:
            _changeable(store.get(connection, view_id), who, view_id)
            store.delete(connection, view_id)

    def sweep(self) -> int:
        """Remove what keys that are gone saved for themselves; returns how many went."""
        with self.database.write() as connection:
            return store.forget_ownerless(connection)


def _owners(who: Principal) -> tuple[str, ...]:
    # What was saved before there was any key is an admin's from then on.
    return (who.key_id, "") if who.role == "admin" else (who.key_id,)


def _changeable(row: ViewRow | None, who: Principal, view_id: str) -> ViewRow:
    # Somebody else's own view is not there for others, not even for an admin: a name may tell something.
    if row is None or (row.owner not in _owners(who) and not row.is_shared):
        raise NotFound(f"no view {view_id[:64]!r}")
    if row.owner not in _owners(who) and who.role != "admin":
        raise Forbidden(f"view {row.view_id} was saved with another key; that one or an admin may change it")
    return row
