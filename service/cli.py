"""The one command, `actogram`: each subcommand lives in service/commands and is imported when it runs."""

import difflib
import importlib
import importlib.util

import click

# name → (module, one line of help). Each module exposes `command`, a click.Command.
_COMMANDS = {
    "serve": ("service.commands.serve", "Serve the page and the API."),
    "keys": ("service.commands.keys", "Create, list and revoke API keys."),
    "audit": ("service.commands.audit", "Show who changed what."),
    "analyze": ("service.commands.analyze", "Say who does what, when, in a video."),
    "erase": ("service.commands.erase", "Erase everything about a stream, or about one person of it."),
    "watch": ("service.commands.watch", "Show live what a camera sees, in the terminal."),
    "cameras": ("service.commands.cameras", "Find the cameras of the network, and try an address."),
    "models": ("service.commands.models", "List, download, describe and import networks."),
    "actions": ("service.commands.actions", "List the actions, their thresholds and how reliable each one is."),
    "prepare": ("service.commands.prepare", "Turn videos or skeleton files into a skeleton data set."),
    "dataset": ("service.commands.dataset", "Say what is in a skeleton data set, and what looks wrong."),
    "train": ("service.commands.train", "Train an action network."),
    "evaluate": ("service.commands.evaluate", "Measure a network on a skeleton data set."),
    "examine": ("service.commands.examine", "Make the table by which an action model is judged."),
    "export": ("service.commands.export", "Convert a trained network to ONNX and check that the two agree."),
    "fuse": ("service.commands.fuse", "Make one action model of several."),
    "compare": ("service.commands.compare", "Hold training runs against each other."),
    "visualize": ("service.commands.visualize", "Draw skeletons, heatmaps, confusion and the focus of a label."),
    "pretrain": ("service.commands.pretrain", "Learn from skeletons without labels."),
    "recipes": ("service.commands.recipes", "List what training recipes are made of."),
    "mcp": ("actogram.mcp", "Offer a server's cameras and events to an assistant, as tools."),
    "bench": ("service.commands.bench", "Compare the speed of networks on this machine."),
    "plan": ("service.commands.plan", "Say what a number of cameras needs, by what was measured."),
    "doctor": ("service.commands.doctor", "Say what is wrong with this installation, and what to do about it."),
}


class _Lazy(click.Group):
    """Imports a subcommand's module only when it is asked for, so that `actogram --help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for name, (module, _) in _COMMANDS.items() if importlib.util.find_spec(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            # click looks for what is alike among commands that are loaded already: there are none.
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=3)
            if not close or args[0].startswith("-"):
                raise
            meant = " or ".join(repr(name) for name in close)
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {meant}?", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


@click.command(cls=_Lazy, help="Point it at a camera or a video and it says who does what, when.")
@click.version_option(package_name="actogram", prog_name="actogram")
def main() -> None:
    """Run the subcommand that the user named."""
