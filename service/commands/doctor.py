"""`actogram doctor`: what is wrong with this installation, and what to do about each thing."""

import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from service.doctor.findings import Check, Finding
    from service.settings import Settings

_LIMIT_S = 10.0


@click.command(
    help="Say what is wrong with this installation and what to do about it. Changes nothing, fetches nothing, and ends "
    "within seconds; status 1 where something keeps Actogram from working."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the server listens on.")
@click.option(
    "--port", type=click.IntRange(1, 65535), envvar="ACTOGRAM_LISTEN_PORT", default=8000, show_default=True,
    help="Port that the server listens on.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def command(host: str, port: int, as_json: bool) -> None:
    """Every check, side by side."""
    from service.doctor.findings import run_checks
    from service.doctor.secrets import known_secrets, without_secrets
    from service.doctor.usable_settings import usable_settings

    settings, first = usable_settings(os.environ)
    found = [first, *run_checks(all_checks(settings, os.environ, host, port), _LIMIT_S)]
    findings = without_secrets(found, known_secrets(settings, os.environ))
    is_bad = any(one.state == "bad" for one in findings)
    if as_json:
        state = "bad" if is_bad else "warn" if any(one.state == "warn" for one in findings) else "ok"
        click.echo(json.dumps({"state": state, "checks": [one.to_object() for one in findings]}, indent=1))
    else:
        click.echo(lines(findings))
    raise SystemExit(int(is_bad))


def all_checks(settings: "Settings", environment: Mapping[str, str], host: str, port: int) -> "dict[str, Check]":
    """The checks by name, in the order in which they are told."""
    from service.doctor import blobs, home, installation, machine, reach

    return {
        "version": installation.check_version,
        "home": partial(home.check_home, settings),
        "disk": partial(home.check_disk, settings),
        "database": partial(reach.check_database, settings),
        "blobs": partial(blobs.check_blobs, settings),
        "broker": partial(reach.check_broker, settings),
        "weights": partial(installation.check_weights, settings),
        "own models": partial(installation.check_models, settings),
        "onnxruntime": partial(installation.check_providers, settings),
        "processor": partial(installation.check_processor, settings),
        "codecs": installation.check_codecs,
        "port": partial(machine.check_port, host, port),
        "clock": partial(machine.check_clock, settings, environment),
        "proxy": partial(machine.check_proxy, environment, is_offline=settings.offline),
    }


def lines(findings: "Sequence[Finding]") -> str:
    """A line per check, what to do below it, and a last line that counts."""
    width = max(len(one.name) for one in findings)
    text = []
    for one in findings:
        text.append(f"{one.state:<4}  {one.name:<{width}}  {one.found}")
        if one.advice:
            text.append(f"{'':<6}{'':<{width}}  -> {one.advice}")
    bad, warn = (sum(one.state == state for one in findings) for state in ("bad", "warn"))
    text.append("")
    text.append(f"{bad} bad, {warn} to look at, {len(findings) - bad - warn} ok")
    return "\n".join(text)
