"""Manages destinations: people's browsers, and what Apprise reaches; each has an outbox as webhooks have."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa

from service import idempotency
from service.database import Database
from service.envelope import Envelope
from service.errors import AtCapacity, ExtraMissing, InvalidRequest, NotFound
from service.event_log import EventLog, Message
from service.idempotency import RepeatablePost
from service.sinks import destination_store as store
from service.sinks.apprise_sink import AppriseRunner, AppriseSink, require_apprise, scheme_of, shown_address
from service.sinks.delivery import DeliveryFailed, Receipt, Sink
from service.sinks.destination_schemas import DestinationCreate, DestinationPatch, PushSubscriptionCreate
from service.sinks.destination_store import DestinationRow
from service.sinks.outboxes import Outboxes
from service.sinks.store import DeliveryRow, page_deliveries, place
from service.sinks.trial import try_once
from service.sinks.web_push import PushKey, PushSink, Subscription, require_push
from service.sinks.wish_schemas import changed_wishes, wishes_of
from service.sinks.wording import TEST, Wording


@dataclass(frozen=True, slots=True)
class Senders:
    """What messages are sent with.

    client: with the address policy and the deadline of webhooks.  name_of: how people call a stream.
    page_url: where people look at the page.  contact: for push services, whom to ask about this installation.
    """

    client: httpx.Client
    apprise: AppriseRunner
    name_of: Callable[[str], str]
    page_url: str | None = None
    contact: str = "mailto:nobody@actogram.invalid"


class DestinationControl:
    """Destinations as the routes see them."""

    def __init__(
        self, database: Database, log: EventLog, outboxes: Outboxes, senders: Senders, destinations_max: int = 50
    ) -> None:
        self._database = database
        self._log = log
        self._outboxes = outboxes
        self._senders = senders
        self._destinations_max = destinations_max
        self._known: dict[str, DestinationRow] = {}
        self._is_open = False
        # Held over a change of who delivers, and over every change of a destination's outbox.
        self._changing = threading.RLock()

    def start(self) -> None:
        """Resume every destination where it stopped, if this server delivers."""
        self.follow()

    def follow(self) -> None:
        """Begin or end to deliver as it is this server's turn, and take in what was changed on another one."""
        with self._changing:
            self._is_open = self._outboxes.is_ours()
            if not self._is_open:
                # The outboxes themselves have been stopped with those of the webhooks.
                self._known.clear()
                return
            stored = {row.destination_id: row for row in self.all()}
            for destination_id in self._known.keys() | stored.keys():
                if self._known.get(destination_id) != stored.get(destination_id):
                    self._end(destination_id)
                    if destination_id in stored:
                        self._begin(stored[destination_id])

    def all(self) -> list[DestinationRow]:
        """Every destination."""
        with self._database.read() as connection:
            return store.all_destinations(connection)

    def require(self, destination_id: str) -> DestinationRow:
        """A destination; raises NotFound."""
        with self._database.read() as connection:
            row = store.get(connection, destination_id)
        if row is None:
            raise NotFound(f"no destination {destination_id}")
        return row

    def require_browser(self, destination_id: str) -> DestinationRow:
        """A browser; raises NotFound for every other destination."""
        row = self.require(destination_id)
        if row.kind != "push":
            raise NotFound(f"no subscription {destination_id}")
        return row

    def pending(self, destination_id: str) -> int:
        """Messages that it has not passed yet."""
        return self._outboxes.pending().get(destination_id, 0)

    def create(self, wanted: DestinationCreate, key: str | None = None) -> tuple[DestinationRow, bool]:
        """Add a destination of Apprise, starting with the next message; the flag says that an earlier request made it.

        Raises ExtraMissing, InvalidRequest, AtCapacity, IdempotencyConflict.
        """
        post = RepeatablePost(store.SCOPE, key, idempotency.fingerprint(wanted.model_dump_json()))
        self._check(wanted.url)
        row = DestinationRow(
            _new_id(), "apprise", wanted.name, wanted.url, shown_address(wanted.url), wishes_of(wanted), wanted.enabled
        )
        with self._log.transaction() as transaction:
            earlier = _find_made(transaction.connection, post)
            if earlier is not None:
                return earlier, True
            self._require_room(transaction.connection)
            store.put(transaction.connection, row)
            # From here on it misses nothing, also where another server delivers.
            place(transaction.connection, row.destination_id, self._log.head())
            post.remember(transaction.connection, row.destination_id)
        with self._changing:
            self._begin(row)
        return row, False

    def subscribe(self, wanted: PushSubscriptionCreate) -> DestinationRow:
        """Add a browser, or change what it wants; raises ExtraMissing, SourceForbidden, AtCapacity."""
        require_push()
        address = wanted.subscription.model_dump_json()
        with self._log.transaction() as transaction:
            known = _find_browser(transaction.connection, wanted.subscription)
            if known is None:
                self._require_room(transaction.connection)
            row = DestinationRow(
                known.destination_id if known else _new_id(), "push", wanted.name, address,
                urlsplit(wanted.subscription.endpoint).hostname or "", wishes_of(wanted), wanted.enabled,
            )  # fmt: skip
            if known is not None:
                row = replace(row, created_at=known.created_at)
            else:
                place(transaction.connection, row.destination_id, self._log.head())
            store.put(transaction.connection, row)
        self._restart(row)
        return row

    def change(self, destination_id: str, patch: DestinationPatch) -> DestinationRow:
        """Change a destination, which keeps its position in the log; raises NotFound, InvalidRequest."""
        known = self.require(destination_id)
        if patch.url is not None:
            if known.kind != "apprise":
                raise InvalidRequest("url: a browser has none; it subscribes again")
            self._check(patch.url)
        row = replace(
            known, name=patch.name or known.name, address=patch.url or known.address,
            shown=shown_address(patch.url) if patch.url else known.shown, wishes=changed_wishes(known.wishes, patch),
            is_enabled=known.is_enabled if patch.enabled is None else patch.enabled,
        )  # fmt: skip
        with self._database.write() as connection:
            store.put(connection, row)
        self._restart(row)
        return row

    def remove(self, destination_id: str) -> None:
        """Remove a destination, if it exists."""
        with self._changing:
            self._end(destination_id)
            with self._database.write() as connection:
                store.remove(connection, destination_id)

    def test(self, destination_id: str) -> Receipt | DeliveryFailed:
        """Send one test message now and return the outcome; raises NotFound, InvalidRequest, ExtraMissing."""
        row = self.require(destination_id)
        if row.is_lost:
            raise InvalidRequest(f"{destination_id}: its address was sealed with another key; give it again")
        message = Message(TEST, {"destination_id": destination_id})
        return try_once(self._sink(row), message, self._outboxes.ledger(destination_id, row.kind))

    def deliveries(
        self, destination_id: str, outcome: str | None, before_id: int | None, limit: int
    ) -> list[DeliveryRow]:
        """At most `limit` delivery attempts, the newest first; raises NotFound."""
        self.require(destination_id)
        with self._database.read() as connection:
            return page_deliveries(connection, destination_id, outcome, before_id, limit)

    def push_key(self) -> PushKey:
        """The key pair by which push services know us, made at its first use; raises ExtraMissing."""
        require_push()
        with self._database.read() as connection:
            text = store.push_key(connection)
        if text is None:
            # The log's transactions come one after the other: two first requests get one pair.
            with self._log.transaction() as transaction:
                text = store.push_key(transaction.connection) or PushKey.generate().text
                store.put_push_key(transaction.connection, text)
        return PushKey.load(text)

    def sweep(self) -> int:
        """Forget the idempotency keys that nobody will repeat any more; returns how many."""
        with self._database.write() as connection:
            return idempotency.forget(connection, store.SCOPE)

    def _check(self, url: str) -> None:
        scheme_of(url)
        require_apprise()
        self._senders.apprise.check(url)

    def _require_room(self, connection: sa.Connection) -> None:
        found = len(store.all_destinations(connection))
        if found >= self._destinations_max:
            raise AtCapacity(f"{found} destinations, at most {self._destinations_max}", 3600)

    def _sink(self, row: DestinationRow) -> Sink:
        senders = self._senders
        wording = Wording(senders.name_of, row.wishes.time_zone, senders.page_url)
        if row.kind == "apprise":
            require_apprise()
            return AppriseSink(row.address, senders.apprise, wording)
        subscription = Subscription.model_validate_json(row.address)
        return PushSink(
            subscription, self.push_key(), senders.client, wording, lambda: self._forget(row.destination_id),
            senders.contact,
        )  # fmt: skip

    def _end(self, destination_id: str) -> None:
        self._known.pop(destination_id, None)
        self._outboxes.end(destination_id)

    def _begin(self, row: DestinationRow) -> None:
        if not self._is_open:
            return
        self._known[row.destination_id] = row
        if row.is_enabled and not row.is_lost:
            self._outboxes.launch_for(row.destination_id, row.kind, LazySink(lambda: self._sink(row)), row.wishes)

    def _restart(self, row: DestinationRow) -> None:
        with self._changing:
            self._end(row.destination_id)
            self._begin(row)

    def _forget(self, destination_id: str) -> None:
        """The push service does not know a browser any more."""
        self._outboxes.forget(destination_id)
        with self._database.write() as connection:
            store.remove(connection, destination_id)


class LazySink:
    """A sink that is made with its first message: a package that was removed must not keep the server from starting."""

    def __init__(self, make: Callable[[], Sink]) -> None:
        self._make = make
        self._made: Sink | None = None

    def deliver(self, envelope: Envelope) -> Receipt:
        """Hand one message over; raises DeliveryFailed."""
        try:
            self._made = self._made or self._make()
        except ExtraMissing as error:
            raise DeliveryFailed(str(error)) from error
        return self._made.deliver(envelope)


def _new_id() -> str:
    return f"dst_{secrets.token_hex(8)}"


def _find_browser(connection: sa.Connection, subscription: Subscription) -> DestinationRow | None:
    for row in store.all_destinations(connection):
        is_browser = row.kind == "push" and not row.is_lost
        if is_browser and Subscription.model_validate_json(row.address).endpoint == subscription.endpoint:
            return row
    return None


def _find_made(connection: sa.Connection, post: RepeatablePost) -> DestinationRow | None:
    destination_id = post.find_made(connection)
    return None if destination_id is None else store.get(connection, destination_id)
