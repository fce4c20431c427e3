"""`actogram audit`: who did what, from the file that the server keeps in its home."""

import json
import sys
from dataclasses import asdict

import click


@click.command(help=__doc__)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000), help="Newest entries.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(limit: int, as_json: bool) -> None:
    """Time, key, role, address, method, resource and status of every change, the oldest first."""
    from pipelines.errors import ConfigInvalid
    from service.audit import NAME, AuditLog
    from service.settings import load_settings

    try:
        settings = load_settings()
    except ConfigInvalid as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        sys.exit(2)
    for entry in AuditLog(settings.home / NAME, settings.audit_bytes_max).read(limit):
        if as_json:
            click.echo(json.dumps(asdict(entry)))
            continue
        who = f"{entry.key_id or 'no key'} ({entry.name}, {entry.role})"
        where = f" from {entry.address}" if entry.address else ""
        click.echo(f"{entry.time}  {who}{where}  {entry.method} {entry.resource}  {entry.status or ''}".rstrip())
