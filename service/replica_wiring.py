"""Joins a server with others on the same PostgreSQL database; on SQLite a server is alone."""

import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pydantic import JsonValue

from service.database import Database
from service.event_log import EventLog, Gate, Message
from service.jobs.dispatch import JobDispatcher
from service.live.hub import Hub
from service.periodic import Periodic
from service.replicas.leases import Leases
from service.replicas.membership import Alone, Member, Membership, Site
from service.settings import Settings
from service.supervision.supervisor import Supervisor
from service.supervision.types import JOBS_WORKER
from service.wiring import LiveServices, worker_capacity

if TYPE_CHECKING:
    from service.replicas.log_gate import LogFollower


class Replicas:
    """What makes a server one of several; for one that is alone every method does nothing."""

    def __init__(self, settings: Settings, database: Database, member: Member | None, gate: Gate | None) -> None:
        self.membership: Membership = member or Alone()
        self.gate = gate
        self._settings = settings
        self._database = database
        self._member = member
        self._follower: LogFollower | None = None
        self._sink_rounds: Periodic | None = None

    def connect(self, log: EventLog, hub: Hub, supervisor: Supervisor, live: LiveServices, jobs: JobDispatcher) -> None:
        """Name the parts that other servers have something to tell; before `join`."""
        if self._member is None:
            return
        from service.replicas.log_gate import LogFollower

        self._member.tell_with(partial(_facts, self._settings, supervisor))
        self._follower = LogFollower(self._database, log, hub.publish)
        self._sink_rounds = Periodic("sinks", partial(_follow_sinks, live))
        hub.add_listener(_waker("stream.", live.dispatcher.wake))
        hub.add_listener(_waker("job.", jobs.wake))

    def url_of_stream(self, stream_id: str) -> str | None:
        """Where the server is that has a stream; None for this one, and where nobody has it or nobody said where."""
        with self._database.read() as connection:
            holder = Leases("stream", self.membership).holder(connection, stream_id)
        return self._urls().get(holder or "")

    def peer_urls(self) -> list[str]:
        """Where the other servers are, as far as they said."""
        return list(self._urls().values())

    def _urls(self) -> dict[str, str]:
        rows = self.membership.members()
        return {row.replica_id: row.url for row in rows if row.url and row.replica_id != self.membership.replica_id}

    def join(self) -> None:
        """Become one of the replicas; raises ReplicaMismatch."""
        if self._member is not None:
            self._member.join()

    def follow(self) -> None:
        """Begin to tell here what is stored anywhere."""
        if self._follower is not None and self._sink_rounds is not None:
            self._follower.start()
            self._sink_rounds.start()

    def leave(self) -> None:
        """Others may take everything now; may be called twice."""
        for one in (self._sink_rounds, self._follower):
            if one is not None:
                one.stop()
        if self._member is not None:
            self._member.leave()


def build_replicas(settings: Settings, database: Database, key_check: str) -> Replicas:
    """Create everything, start nothing.  key_check: of the key that seals secrets."""
    if not database.is_shared:
        return Replicas(settings, database, None, None)
    from service.replicas.log_gate import LogGate

    member = Member(database, site_of(settings, key_check))
    return Replicas(settings, database, member, LogGate(member))


def site_of(settings: Settings, key_check: str) -> Site:
    """What this server says of itself to others."""
    site = f"{socket.gethostname()}:{settings.home.resolve()}"
    return Site(site, settings.replica_url or "", key_check, settings.blobs_url or f"the home {site}")


def _follow_sinks(live: LiveServices) -> None:
    live.sinks.follow()
    live.destinations.follow()


def _waker(family: str, wake: Callable[[], None]) -> Callable[[Message], None]:
    def listen(message: Message) -> None:
        if message.seq > 0 and message.type.startswith(family):
            wake()

    return listen


def _facts(settings: Settings, supervisor: Supervisor) -> dict[str, JsonValue]:
    ready = [one for one in supervisor.health() if one.state == "ready"]
    return {
        "stream_workers": sum(one.name != JOBS_WORKER for one in ready),
        "free_stream_slots": supervisor.free_slots("stream"),
        **worker_capacity(settings, supervisor).facts(),
    }
