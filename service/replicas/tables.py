"""The rows of replicas and of what each has."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from pydantic import JsonValue

from service.database import UtcTime, metadata

replicas = sa.Table(
    "replicas",
    metadata,
    sa.Column("replica_id", sa.String(64), primary_key=True),
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("key_check", sa.String(64), nullable=False),
    sa.Column("blobs", sa.Text, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
)
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(96), primary_key=True),
    sa.Column("replica_id", sa.String(64), nullable=False),
)


@dataclass(frozen=True, slots=True)
class ReplicaRow:
    """One server.

    site: its machine and home: a later server of the same site is its successor.
    url: where other replicas reach it; empty where nobody said.
    key_check: tells whether two replicas seal secrets with the same key, and nothing of the key.
    blobs: where its blobs lie.  facts: what it can do.  expires_at: by the database's clock.
    """

    replica_id: str
    site: str
    url: str
    key_check: str
    blobs: str
    started_at: dt.datetime
    expires_at: dt.datetime
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
