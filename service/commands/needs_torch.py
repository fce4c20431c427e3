"""Runs a module of `models` in a process of its own, which may load torch: the service itself never does."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence

import click

from service.commands.failures import reported

HOW = "in the folder of the source: pip install -c constraints.txt -e '.[train]'"
"""What works: the package is in no index."""


def require_torch(name: str, arguments: Sequence[str]) -> None:
    """End with status 1 where torch is not installed and more than the help is wanted."""
    if "--help" not in arguments and importlib.util.find_spec("torch") is None:
        click.echo(f"actogram: torch_missing: {name} needs torch; {HOW}", err=True)
        raise SystemExit(1)


def run_module(name: str, module: str, arguments: tuple[str, ...]) -> None:
    """Run `python -m module arguments` and end with its status, or say that torch is not installed.

    name: of the command, for people.
    """
    from service.settings import load_settings

    with reported():
        if "--help" not in arguments:
            load_settings()  # so that a wrong setting is refused here too
    require_torch(name, arguments)
    raise SystemExit(subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode)
