"""What clients send and get about destinations."""

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, Field

from models.severity import Severity
from service.sinks.destination_store import DestinationKind, DestinationRow
from service.sinks.web_push import Subscription
from service.sinks.wish_schemas import Patterns, WishesCreate, WishesPatch, WishesRead, shown_wishes

DestinationName = Annotated[str, Field(min_length=1, max_length=64, description="How people know it.")]
AppriseAddress = Annotated[
    str,
    Field(
        min_length=4, max_length=2048,
        description="An address as Apprise has them: mailtos://user:password@example.org, tgram://token/chat, "
        "ntfys://host/topic. Never shown again.",
    ),
]  # fmt: skip


class ToldInWords(WishesCreate):
    """Which messages people get in words: nobody wants a mail of every step that somebody takes."""

    messages: Patterns = Field(default=["action.started"], description="Families (action) or types (action.started).")
    min_severity: Severity | None = Field("warning", description="How urgent an action must be; null: any.")


class DestinationCreate(ToldInWords):
    """A mailbox, a chat or another service that Apprise knows."""

    name: DestinationName
    url: AppriseAddress


class PushSubscriptionCreate(ToldInWords):
    """A browser that wants to be told; the same browser again changes what there is."""

    name: DestinationName = "Browser"
    subscription: Subscription


class DestinationPatch(WishesPatch):
    """What may be changed; fields that are left out stay as they are."""

    name: DestinationName | None = None
    url: AppriseAddress | None = Field(None, description="Of a destination of Apprise.")


class DestinationRead(WishesRead):
    """A destination; of its address nothing is shown that could be a secret."""

    destination_id: str
    kind: DestinationKind
    name: str
    shown: str = Field(description="The scheme of its address, or the host of the browser's push service.")
    is_lost: bool = Field(description="Its address was sealed with another key and must be given again.")
    created_at: dt.datetime
    pending: int = Field(description="Messages in the log that it has not passed yet.")

    @classmethod
    def of(cls, row: DestinationRow, pending: int) -> "DestinationRead":
        """A row as clients see it."""
        return cls(
            destination_id=row.destination_id, kind=row.kind, name=row.name, shown=row.shown, is_lost=row.is_lost,
            created_at=row.created_at, pending=pending, **dict(shown_wishes(row.wishes, is_enabled=row.is_enabled)),
        )  # fmt: skip


class DestinationList(BaseModel):
    """Every destination, the oldest first."""

    items: list[DestinationRead]


class PushKeyRead(BaseModel):
    """What a browser subscribes with."""

    public_key: str = Field(description="`applicationServerKey`: the point on P-256, base64url.")
