"""`actogram keys`: create, list and revoke API keys."""

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from service.security import KeyStore


@click.group(help="Create, list and revoke API keys.")
def command() -> None:
    """Keys are in the database in ACTOGRAM_HOME; only their hashes are stored."""


@command.command("create")
@click.option("--name", default="key", show_default=True, help="Who or what will use the key.")
@click.option("--role", default="operator", show_default=True, type=click.Choice(["viewer", "operator", "admin"]))
@click.option("--expires-days", type=click.IntRange(1, 3650), help="Refuse it after so many days; left out: never.")
def create(name: str, role: str, expires_days: int | None) -> None:
    """Create a key and print it; it is shown only once."""
    from service.database import now
    from service.security import ROLES

    expires_at = None if expires_days is None else now() + dt.timedelta(days=expires_days)
    with _keys() as keys:
        text = keys.create(name[:128], ROLES[ROLES.index(role)], expires_at)
        _note("POST", text)
    click.echo(text)
    click.echo(f"Shown once; only its hash is stored. Use it as `Authorization: Bearer {text[:15]}...`", err=True)


@command.command("ensure")
@click.option("--name", default="first", show_default=True, help="Who or what will use the key.")
@click.option("--role", default="admin", show_default=True, type=click.Choice(["viewer", "operator", "admin"]))
def ensure(name: str, role: str) -> None:
    """Create a key and print it, but only if there is none yet; for a first start."""
    from service.security import ROLES

    with _keys() as keys:
        if keys.is_empty():
            text = keys.create(name[:128], ROLES[ROLES.index(role)])
            _note("POST", text)
            click.echo(f"API key ({role}), shown once; only its hash is stored: {text}")


@command.command("list")
def list_keys() -> None:
    """List the id, role, creation time and name of every key."""
    with _keys() as keys:
        for row in keys.page():
            end = "" if row.expires_at is None else f"  (until {row.expires_at:%Y-%m-%d %H:%M}Z)"
            click.echo(f"{row.key_id}  {row.role:<8}  {row.created_at:%Y-%m-%d %H:%M}Z  {row.name}{end}")


@command.command("revoke")
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Remove a key; a running server refuses it at once and ends its WebSockets within seconds."""
    with _keys() as keys:
        keys.revoke(key_id)
        _note("DELETE", f"ak_{key_id}_")
        if not any(row.role == "admin" for row in keys.page()):
            click.echo("No admin's key is left: `actogram keys create --role admin` makes one.", err=True)


def _note(method: str, key: str) -> None:
    """Put it into the log of who changed what, without the secret."""
    from service.audit import NAME, AuditLog, entry_of_command
    from service.settings import load_settings

    settings = load_settings()
    entry = entry_of_command(method, f"/v1/keys/{key.split('_')[1]}")
    AuditLog(settings.home / NAME, settings.audit_bytes_max).append(entry)


@contextmanager
def _keys() -> Iterator["KeyStore"]:
    from pipelines.errors import ConfigInvalid
    from service.database import Database, migrate
    from service.errors import ServiceError
    from service.security import KeyStore
    from service.settings import load_settings

    try:
        database = Database(load_settings().database)
        try:
            migrate(database)
            yield KeyStore(database)
        finally:
            database.close()
    except (ServiceError, ConfigInvalid) as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        sys.exit(2)
