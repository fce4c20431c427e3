"""Which replica has which stream or job: a row per task, changed in the log's transactions alone, one at a time."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

import sqlalchemy as sa

from service.replicas.membership import Alone, Membership
from service.replicas.tables import leases

Kind = Literal["stream", "job"]


class Leases:
    """What this replica and the others have of one kind of task.

    Who has a task runs it, or is about to; it keeps it over crashes of workers, until it is gone itself.
    """

    def __init__(self, kind: Kind, membership: Membership | None = None) -> None:
        self._kind = kind
        self._membership = membership or Alone()

    @property
    def replica_id(self) -> str:
        """Under which name this server claims."""
        return self._membership.replica_id

    @property
    def is_shared(self) -> bool:
        """Whether other servers may claim too."""
        return not self._membership.is_alone

    def claim(self, connection: sa.Connection, task_id: str) -> bool:
        """Take a task, or keep it; False when another replica has it."""
        holder = self.holder(connection, task_id)
        if holder is None:
            connection.execute(sa.insert(leases).values(name=self._name(task_id), replica_id=self.replica_id))
        return holder in (None, self.replica_id)

    def release(self, connection: sa.Connection, task_id: str) -> None:
        """Give a task up, if this replica has it."""
        chosen = sa.and_(leases.c.name == self._name(task_id), leases.c.replica_id == self.replica_id)
        connection.execute(sa.delete(leases).where(chosen))

    def holder(self, connection: sa.Connection, task_id: str) -> str | None:
        """The replica that has a task; None when none has."""
        query = sa.select(leases.c.replica_id).where(leases.c.name == self._name(task_id))
        return connection.execute(query).scalar_one_or_none()

    def is_elsewhere(self, connection: sa.Connection, task_id: str) -> bool:
        """Whether another replica has a task."""
        return self.is_shared and self.holder(connection, task_id) not in (None, self.replica_id)

    def all(self, connection: sa.Connection) -> dict[str, str]:
        """Task → the replica that has it."""
        query = sa.select(leases).where(leases.c.name.startswith(f"{self._kind}:", autoescape=True))
        rows = connection.execute(query).all()
        return {row.name.partition(":")[2]: row.replica_id for row in rows}

    def take_over(self, connection: sa.Connection, *, is_start: bool = False) -> list[str]:
        """Free what replicas had that are gone, and at the start what an earlier run of this one had; returns which."""
        held = self.all(connection)
        alive = self._membership.alive(connection) - ({self.replica_id} if is_start else set())
        freed = sorted(task_id for task_id, replica_id in held.items() if replica_id not in alive)
        for task_id in freed:
            connection.execute(sa.delete(leases).where(leases.c.name == self._name(task_id)))
        return freed

    def share(self, num_tasks: int, replica_id: str | None = None) -> int:
        """How many of so many tasks a replica should have, by the workers that are ready; None: this one."""
        rows = self._membership.members()
        weights = {row.replica_id: _number(row.facts, f"{self._kind}_workers") for row in rows}
        total = sum(weights.values())
        if not rows or not total:
            return num_tasks
        return -(-num_tasks * weights.get(replica_id or self.replica_id, 0) // total)

    def has_room_elsewhere(self, num_tasks: int, held: Mapping[str, str]) -> bool:
        """Whether another replica has fewer tasks than its share, and a slot for one more."""
        counts = Counter(held.values())
        return any(
            counts[row.replica_id] < self.share(num_tasks, row.replica_id)
            and _number(row.facts, f"free_{self._kind}_slots") > 0
            for row in self._membership.members()
            if row.replica_id != self.replica_id
        )

    def _name(self, task_id: str) -> str:
        return f"{self._kind}:{task_id}"


def _number(facts: Mapping[str, object], name: str) -> int:
    found = facts.get(name)
    return found if isinstance(found, int) else 0
