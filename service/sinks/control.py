"""Starts and stops an outbox for every sink, and changes the webhooks."""

import json
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import httpx
import sqlalchemy as sa

from service import idempotency
from service.database import Database
from service.errors import AtCapacity, NotFound
from service.event_log import EventLog, Message
from service.idempotency import RepeatablePost
from service.secret_box import LOST
from service.sinks import store
from service.sinks.delivery import DeliveryFailed, Receipt, Sink
from service.sinks.outboxes import Outboxes
from service.sinks.schemas import WebhookCreate, WebhookPatch
from service.sinks.store import DeliveryRow, WebhookRow
from service.sinks.trial import try_once
from service.sinks.webhook import WebhookSink, make_secret
from service.sinks.wish_schemas import changed_wishes, wishes_of

_EARLIER = ("url", "secret", "messages", "streams", "actions", "only_rules", "enabled")
"""What requests of the first versions said of a webhook, in their order."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FixedSink:
    """A sink that the settings name: MQTT, a file.

    open, close: before its outbox begins, and after it has ended.
    erase: removes from what it keeps the messages for which a function says so.
    """

    name: str
    sink: Sink
    open: Callable[[], None] = lambda: None
    close: Callable[[], None] = lambda: None
    erase: Callable[[Callable[[Message], bool]], None] = lambda _: None


class SinkControl:
    """What routes and the server use to manage sinks.

    fixed: sinks from the settings; they take every stored message.
    """

    def __init__(
        self, database: Database, log: EventLog, client: httpx.Client, outboxes: Outboxes,
        fixed: tuple[FixedSink, ...] = (), webhooks_max: int = 50,
    ) -> None:  # fmt: skip
        self._database = database
        self._log = log
        self._client = client
        self._fixed = fixed
        self._webhooks_max = webhooks_max
        self._outboxes = outboxes
        self._known: dict[str, WebhookRow] = {}
        self._is_open = False
        # Held over a change of who delivers, and over every change of a webhook's outbox.
        self._changing = threading.RLock()

    def start(self) -> None:
        """Resume every sink where it stopped, if this server delivers."""
        self.follow()

    def follow(self) -> None:
        """Begin or end to deliver as it is this server's turn, and take in what was changed on another one."""
        with self._changing:
            if not self._outboxes.is_ours():
                if self._is_open:
                    logger.info("sinks: another server delivers now")
                    self.stop()
                return
            if not self._is_open:
                self._open()
            stored = {row.webhook_id: row for row in self.all()}
            for webhook_id in self._known.keys() | stored.keys():
                if self._known.get(webhook_id) != stored.get(webhook_id):
                    self._end(webhook_id)
                    if webhook_id in stored:
                        self._begin(stored[webhook_id])

    def stop(self) -> None:
        """Finish the deliveries in hand; may be called twice."""
        with self._changing:
            self._outboxes.stop()
            self._known.clear()
            was_open, self._is_open = self._is_open, False
            for one in self._fixed if was_open else ():
                one.close()

    def _open(self) -> None:
        self._is_open = True
        for one in self._fixed:
            one.open()
            self._outboxes.launch(one.name, one.name, one.sink)

    def pending(self) -> dict[str, int]:
        """Sink → number of messages that it has not processed yet."""
        return self._outboxes.pending()

    def all(self) -> list[WebhookRow]:
        """Every webhook."""
        with self._database.read() as connection:
            return store.all_webhooks(connection)

    def require(self, webhook_id: str) -> WebhookRow:
        """A webhook; raises NotFound."""
        with self._database.read() as connection:
            row = store.get_webhook(connection, webhook_id)
        if row is None:
            raise NotFound(f"no webhook {webhook_id}")
        return row

    def create(self, wanted: WebhookCreate, key: str | None = None) -> tuple[WebhookRow, bool]:
        """Add a webhook, starting with the next message; the flag says that an earlier request created it.

        Raises AtCapacity, IdempotencyConflict.
        """
        post = RepeatablePost(store.SCOPE, key, fingerprint_of(wanted))
        row = WebhookRow(
            f"wh_{secrets.token_hex(8)}", wanted.url, wanted.secret or make_secret(), wishes_of(wanted), wanted.enabled,
        )  # fmt: skip
        # The log's transactions come one after the other: of two requests with one key the second finds the first's.
        with self._log.transaction() as transaction:
            earlier = _find_made(transaction.connection, post)
            if earlier is not None:
                return earlier, True
            found = len(store.all_webhooks(transaction.connection))
            if found >= self._webhooks_max:
                raise AtCapacity(f"{found} webhooks, at most {self._webhooks_max}", 3600)
            store.put_webhook(transaction.connection, row)
            # From here on it misses nothing, also where another server delivers.
            store.place(transaction.connection, row.webhook_id, self._log.head())
            post.remember(transaction.connection, row.webhook_id)
        with self._changing:
            self._begin(row)
        return row, False

    def change(self, webhook_id: str, patch: WebhookPatch) -> WebhookRow:
        """Change a webhook, which keeps its position in the log; raises NotFound."""
        known = self.require(webhook_id)
        row = replace(
            known, url=patch.url or known.url, secret=patch.secret or known.secret,
            wishes=changed_wishes(known.wishes, patch),
            is_enabled=known.is_enabled if patch.enabled is None else patch.enabled,
        )  # fmt: skip
        with self._database.write() as connection:
            store.put_webhook(connection, row)
        with self._changing:
            self._end(webhook_id)
            self._begin(row)
        return row

    def remove(self, webhook_id: str) -> None:
        """Remove a webhook, if it exists."""
        with self._changing:
            self._end(webhook_id)
            with self._database.write() as connection:
                store.remove_webhook(connection, webhook_id)

    def sweep(self) -> int:
        """Forget the idempotency keys that nobody will repeat any more; returns how many."""
        with self._database.write() as connection:
            return idempotency.forget(connection, store.SCOPE)

    def lowest_cursor(self, connection: sa.Connection) -> int | None:
        """Up to which message every sink that is on has been told; None when there is no sink."""
        # Who is told last waits on purpose.
        rows = (row for row in store.all_webhooks(connection) if row.wishes.escalate_after_s is None)
        webhooks = [row.webhook_id for row in rows if _may_begin(row)]
        return store.lowest_cursor(connection, [*webhooks, *(one.name for one in self._fixed)])

    def erase(self, is_meant: Callable[[Message], bool]) -> None:
        """Remove messages from what sinks keep on this machine; raises OSError when that fails."""
        for one in self._fixed:
            one.erase(is_meant)

    def forget_deliveries(self, connection: sa.Connection, seqs: Sequence[int]) -> None:
        """Remove what is known of the deliveries of some messages."""
        store.forget_deliveries(connection, seqs)

    def test(self, webhook_id: str) -> Receipt | DeliveryFailed:
        """Send one test message now and return the outcome; raises NotFound."""
        row = self.require(webhook_id)
        message = Message("webhook.test", {"webhook_id": webhook_id})
        return try_once(self._sink(row), message, self._outboxes.ledger(webhook_id, "webhook"))

    def deliveries(self, webhook_id: str, outcome: str | None, before_id: int | None, limit: int) -> list[DeliveryRow]:
        """At most `limit` delivery attempts, the newest first; raises NotFound."""
        self.require(webhook_id)
        with self._database.read() as connection:
            return store.page_deliveries(connection, webhook_id, outcome, before_id, limit)

    def _sink(self, row: WebhookRow) -> WebhookSink:
        return WebhookSink(row.webhook_id, row.url, row.secret, self._client)

    def _end(self, webhook_id: str) -> None:
        self._known.pop(webhook_id, None)
        self._outboxes.end(webhook_id)

    def _begin(self, row: WebhookRow) -> None:
        if not self._is_open:
            return
        self._known[row.webhook_id] = row
        if _may_begin(row):
            self._outboxes.launch_for(row.webhook_id, "webhook", self._sink(row), row.wishes)


def _may_begin(row: WebhookRow) -> bool:
    """Whether it is on; one whose secrets were sealed with another key waits until they are entered again."""
    return row.is_enabled and LOST not in (row.url, row.secret)


def fingerprint_of(wanted: WebhookCreate) -> str:
    """What tells two requests apart. What earlier versions could not name counts only where it is used."""
    whole = wanted.model_dump(mode="json")
    body = {name: whole[name] for name in _EARLIER} | {name: value for name, value in whole.items() if value}
    return idempotency.fingerprint(json.dumps(body, separators=(",", ":"), ensure_ascii=False))


def _find_made(connection: sa.Connection, post: RepeatablePost) -> WebhookRow | None:
    webhook_id = post.find_made(connection)
    return None if webhook_id is None else store.get_webhook(connection, webhook_id)
