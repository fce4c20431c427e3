"""`actogram bench`: compares networks on this machine."""

import click

from service.commands.needs_torch import run_module


@click.group(help="Compare the speed of networks on this machine, each pair within one run.")
def command() -> None:
    """The group of the measurements."""


@command.command(
    "nets",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="All networks: size, torch against ONNX Runtime, empty slots, steps against windows.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def nets(arguments: tuple[str, ...]) -> None:
    """Measure all networks; `--help` lists the options."""
    run_module("models.bench.command", arguments)
