"""`actogram models import`: passes a published checkpoint to a process that may load torch."""

import click

from service.commands.needs_torch import run_module


@click.command(
    "import",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="Import a PYSKL or MMAction2 checkpoint.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Import a PYSKL or MMAction2 checkpoint; `--help` lists the networks and layouts."""
    run_module("models import", "models.export.import_command", arguments)
