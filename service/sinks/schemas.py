"""What clients send and get about webhooks."""

import base64
import binascii
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from pipelines.addresses.policy import AddressPolicy
from pipelines.addresses.redact import redact
from pipelines.errors import SourceForbidden
from service.numbers import parse_integer
from service.paging import invalid_cursor
from service.sinks.delivery import DeliveryFailed, Receipt
from service.sinks.store import DeliveryRow, WebhookRow
from service.sinks.wish_schemas import WishesCreate, WishesPatch, WishesRead, shown_wishes

_WEB = AddressPolicy(frozenset({"http", "https"}))


def _web_address(url: str) -> str:
    try:
        _WEB.require(url)
    except SourceForbidden as error:
        raise ValueError(f"a webhook is an http:// or https:// address with a host: {error}") from error
    return url


def _signing_secret(secret: str) -> str:
    coded = secret.removeprefix("whsec_")
    if coded != secret:
        try:
            base64.b64decode(coded, validate=True)
        except binascii.Error as error:
            raise ValueError("behind whsec_ stands base64; a secret of another kind has no such prefix") from error
    return secret


Outcome = Literal["delivered", "retrying", "dead", "test", "quiet", "acknowledged"]
Secret = Annotated[str, Field(min_length=16, max_length=256), AfterValidator(_signing_secret)]
WebAddress = Annotated[
    str, Field(max_length=2048, pattern="^[hH][tT][tT][pP][sS]?://[^/?#]"), AfterValidator(_web_address)
]


class WebhookCreate(WishesCreate):
    """Where to post which messages."""

    url: WebAddress
    secret: Secret | None = Field(None, description="Signing secret; left out: one is made and shown once.")


class WebhookPatch(WishesPatch):
    """What may be changed; fields that are left out stay as they are."""

    url: WebAddress | None = None
    secret: Secret | None = None


class WebhookRead(WishesRead):
    """A webhook; its secret is never shown again."""

    webhook_id: str
    url: str = Field(description="Without user, password and query, which may hold credentials.")
    created_at: dt.datetime
    pending: int = Field(description="Messages in the log that it has not passed yet.")

    @classmethod
    def of(cls, row: WebhookRow, pending: int) -> "WebhookRead":
        """A row as clients see it."""
        return cls(
            webhook_id=row.webhook_id, url=redact(row.url), created_at=row.created_at, pending=pending,
            **dict(shown_wishes(row.wishes, is_enabled=row.is_enabled)),
        )  # fmt: skip


class WebhookCreated(WebhookRead):
    """A new webhook, with the secret for verifying signatures, which is shown only here."""

    secret: str

    @classmethod
    def with_secret(cls, row: WebhookRow) -> "WebhookCreated":
        """A new row, shown once, with its secret."""
        return cls(**WebhookRead.of(row, 0).model_dump(), secret=row.secret)


class WebhookList(BaseModel):
    """Every webhook, the oldest first."""

    items: list[WebhookRead]


class DeliveryRead(BaseModel):
    """One delivery attempt."""

    delivery_id: int
    seq: int
    type: str
    attempt: int
    outcome: Outcome
    status: int | None
    latency_ms: float | None
    detail: str
    time: dt.datetime

    @classmethod
    def of(cls, row: DeliveryRow) -> "DeliveryRead":
        """A row as clients see it."""
        return cls.model_validate(row, from_attributes=True)


class DeliveryPage(BaseModel):
    """Delivery attempts, the newest first."""

    items: list[DeliveryRead]
    next_cursor: str | None

    @classmethod
    def ask(
        cls, fetch: Callable[[int | None, int], Sequence[DeliveryRow]], cursor: str | None, limit: int
    ) -> "DeliveryPage":
        """A page as a client asks for it; `fetch` takes the id that it begins before, and a limit.

        Raises InvalidRequest for a cursor that no page gave.
        """
        before_id = None if cursor is None else parse_integer(cursor)
        if cursor is not None and before_id is None:
            raise invalid_cursor()
        rows = fetch(before_id, limit)
        more = str(rows[-1].delivery_id) if len(rows) == limit else None
        return cls(items=[DeliveryRead.of(row) for row in rows], next_cursor=more)


class TestResult(BaseModel):
    """The outcome of a test message."""

    delivered: bool
    status: int | None
    latency_ms: float | None
    detail: str

    @classmethod
    def of(cls, result: Receipt | DeliveryFailed) -> "TestResult":
        """What a receiver answered, or why it did not."""
        if isinstance(result, Receipt):
            return cls(delivered=True, status=result.status, latency_ms=result.latency_ms, detail="")
        return cls(delivered=False, status=result.status, latency_ms=None, detail=str(result))
