"""Hands a command over to the training package, in a process of its own: the service never reaches torch."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import click

from service.commands.failures import reported
from service.commands.needs_torch import require_torch
from service.settings import Settings, load_settings

Extend = Callable[[Settings, Sequence[str]], list[str]]


def handed_over(name: str, summary: str, extend: Extend, needs_torch: bool = True) -> click.Command:
    """A command whose arguments, `--help` among them, are parsed by `python -m pipelines.training <name>`."""

    @click.command(
        name, help=summary, add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )  # fmt: skip
    @click.argument("args", nargs=-1, type=click.UNPROCESSED)
    def command(args: tuple[str, ...]) -> None:
        with reported():
            more = [] if "--help" in args else extend(load_settings(), args)
        if needs_torch:
            require_torch(name, args)
        call = [sys.executable, "-m", "pipelines.training", name, *args, *more]
        # So that it ends with this process, even where this one is killed.
        environment = os.environ | {"HANDED_OVER_BY": str(os.getpid())}
        raise SystemExit(subprocess.run(call, check=False, env=environment).returncode)

    return command


def with_data(settings: Settings, args: Sequence[str]) -> list[str]:
    """`--data` from ACTOGRAM_DATA, unless the user gave it."""
    if settings.data is None or any(arg.split("=")[0] == "--data" for arg in args):
        return []
    return ["--data", str(settings.data / "skeleton")]


def with_weights(settings: Settings, args: Sequence[str]) -> list[str]:  # noqa: ARG001 - the same shape as with_data
    """Where weights are cached and found."""
    found = ["--cache", str(settings.cache)]
    found += ["--weights", str(settings.weights)] if settings.weights else []
    return found + (["--offline"] if settings.offline else [])
