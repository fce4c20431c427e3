"""What clients send and get about webhooks."""

import base64
import binascii
import datetime as dt
from typing import Annotated, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.sinks.store import DeliveryRow, WebhookRow


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("a webhook is an http:// or https:// address with a host")
    return url


def _signing_secret(secret: str) -> str:
    coded = secret.removeprefix("whsec_")
    if coded != secret:
        try:
            base64.b64decode(coded, validate=True)
        except binascii.Error as error:
            raise ValueError("behind whsec_ stands base64; a secret of another kind has no such prefix") from error
    return secret


Secret = Annotated[str, Field(min_length=16, max_length=256), AfterValidator(_signing_secret)]
WebAddress = Annotated[str, Field(max_length=2048), AfterValidator(_web_address)]
Patterns = Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=50)]


class WebhookCreate(BaseModel):
    """Where to post which messages."""

    model_config = ConfigDict(extra="forbid")

    url: WebAddress
    secret: Secret | None = Field(None, description="Signing secret; left out: one is made and shown once.")
    messages: Patterns = Field(
        default=["action.started", "action.ended"], description="Families (action) or types (action.started)."
    )
    streams: Patterns | None = Field(None, description="Patterns of stream ids; null: all.")
    actions: Patterns | None = Field(None, description="Actions to tell of; null: all.")
    only_rules: bool = Field(False, description="Tell actions only when they met a rule of their stream.")
    enabled: bool = True


class WebhookPatch(BaseModel):
    """What may change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: WebAddress | None = None
    secret: Secret | None = None
    messages: Patterns | None = None
    streams: Patterns | None = None
    actions: Patterns | None = None
    only_rules: bool | None = None
    enabled: bool | None = None


class WebhookRead(BaseModel):
    """A webhook; its secret is never shown again."""

    webhook_id: str
    url: str = Field(description="Without user, password and query, which may hold credentials.")
    messages: list[str]
    streams: list[str] | None
    actions: list[str] | None
    only_rules: bool
    enabled: bool
    created_at: dt.datetime
    pending: int = Field(description="Messages in the log that it has not passed yet.")

    @classmethod
    def of(cls, row: WebhookRow, pending: int) -> "WebhookRead":
        """A row as clients see it."""
        return cls(
            webhook_id=row.webhook_id, url=shown_url(row.url), messages=list(row.messages),
            streams=None if row.streams is None else list(row.streams),
            actions=None if row.actions is None else list(row.actions), only_rules=row.only_rules,
            enabled=row.is_enabled, created_at=row.created_at, pending=pending,
        )  # fmt: skip


class WebhookCreated(WebhookRead):
    """A new webhook, with the secret that receivers verify signatures with: shown only here."""

    secret: str

    @classmethod
    def with_secret(cls, row: WebhookRow) -> "WebhookCreated":
        """A new row, shown once with its secret."""
        return cls(**WebhookRead.of(row, 0).model_dump(), secret=row.secret)


class WebhookList(BaseModel):
    """Every webhook, the oldest first."""

    items: list[WebhookRead]


class DeliveryRead(BaseModel):
    """One try of one delivery."""

    delivery_id: int
    seq: int
    type: str
    attempt: int
    outcome: Literal["delivered", "retrying", "dead", "test"]
    status: int | None
    latency_ms: float | None
    detail: str
    time: dt.datetime

    @classmethod
    def of(cls, row: DeliveryRow) -> "DeliveryRead":
        """A row as clients see it."""
        return cls.model_validate(row, from_attributes=True)


class DeliveryPage(BaseModel):
    """Tries, the newest first."""

    items: list[DeliveryRead]
    next_cursor: str | None


class TestResult(BaseModel):
    """What became of a test message."""

    delivered: bool
    status: int | None
    latency_ms: float | None
    detail: str


def shown_url(url: str) -> str:
    """A URL without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        # Stored by a version that looked less closely; it must not take the whole list with it.
        return "unreadable URL"
    return urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))
