"""`actogram bench`: measures networks on this machine, in pairs."""

import click

from service.commands.needs_torch import run_module


@click.group(help="Measure on this machine, in pairs that share a run.")
def command() -> None:
    """Group of the measurements."""


@command.command(
    "nets",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="Every network: size, torch against ONNX Runtime, empty slots, steps against windows.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def nets(arguments: tuple[str, ...]) -> None:
    """Measure the networks; `--help` lists the options."""
    run_module("models.bench.command", arguments)
