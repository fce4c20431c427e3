"""Runs a module of `models` in a process of its own, which may load torch: the service itself never does."""

import importlib.util
import subprocess
import sys

import click

from service.commands.failures import reported


def run_module(module: str, arguments: tuple[str, ...]) -> None:
    """Run `python -m module arguments` and end with its status, or say that torch is not installed."""
    from service.settings import load_settings

    with reported():
        if "--help" not in arguments:
            load_settings()  # so that a wrong setting is refused here too
    if importlib.util.find_spec("torch") is None:
        click.echo(f"actogram: torch_missing: {module} needs torch: pip install 'actogram[train]'", err=True)
        raise SystemExit(1)
    raise SystemExit(subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode)
