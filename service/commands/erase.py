"""`actogram erase`: erase everything about a stream, or about one person of it."""

import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from service.settings import Settings

_STEP_S = 0.2


@click.group(help="Erase everything about a stream, or about one person of it.")
def command() -> None:
    """A running server is asked to do it; without one it is done here."""


@command.command("stream")
@click.argument("stream_id")
@click.option("--patience", default=60.0, show_default=True, help="Seconds to wait until it is done.")
def stream(stream_id: str, patience: float) -> None:
    """Remove a stream, its events, clips, tracks, pictures and messages; also of one that was removed before."""
    _erase(stream_id, 0, patience, f"/v1/streams/{stream_id}?purge=true")


@command.command("track")
@click.argument("track_id")
@click.option("--patience", default=60.0, show_default=True, help="Seconds to wait until it is done.")
def track(track_id: str, patience: float) -> None:
    """Remove a person, given as STREAM:NUMBER: events, clips, skeletons, messages, and all clips that show them."""
    from service.numbers import parse_integer

    stream_id, _, text = track_id.rpartition(":")
    number = parse_integer(text)
    if not stream_id or not number:
        raise click.BadParameter(f"found {track_id!r}, expected STREAM:NUMBER", param_hint="TRACK_ID")
    _erase(stream_id, number, patience, f"/v1/tracks/{track_id}")


def _erase(stream_id: str, track_id: int, patience_s: float, resource: str) -> None:
    from pipelines.errors import ConfigInvalid
    from service.audit import NAME, AuditLog, entry_of_command
    from service.errors import ServiceError
    from service.settings import load_settings

    try:
        settings = load_settings()
        is_done = _ask(settings, stream_id, track_id, patience_s)
    except (ServiceError, ConfigInvalid) as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        sys.exit(2)
    AuditLog(settings.home / NAME, settings.audit_bytes_max).append(entry_of_command("DELETE", resource))
    click.echo("erased" if is_done else "asked for: the server goes on with it, now or after its next start")


def _ask(settings: "Settings", stream_id: str, track_id: int, patience_s: float) -> bool:
    """Whether it is done when this returns; raises ServiceError."""
    from service.app import build_parts
    from service.database import migrate
    from service.errors import HomeInUse
    from service.home_lock import HomeLock

    parts = build_parts(settings)
    eraser, lock = parts.live.eraser, HomeLock(settings)
    try:
        migrate(parts.database)
        eraser.request(stream_id, track_id)
        try:
            with lock:
                return eraser.finish(stream_id, track_id, 0)
        except HomeInUse:
            # Its server looks every few seconds.
            deadline_s = time.monotonic() + patience_s
            while eraser.is_pending(stream_id, track_id) and time.monotonic() < deadline_s:
                time.sleep(_STEP_S)
            return not eraser.is_pending(stream_id, track_id)
    finally:
        parts.database.close()
