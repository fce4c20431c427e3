"""`actogram fuse`: several action models become one folder that is served like any other."""

from pathlib import Path

import click

from service.commands.failures import reported


def _weights(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Numbers separated by commas."""
    try:
        return None if value is None else tuple(float(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of numbers such as 2,2,1") from error


@click.command("fuse", help="Make one action model of several: the weighted mean of their probabilities.")
@click.argument("models", nargs=-1, required=True)
@click.option("--weights", callback=_weights, help="How much each counts, such as 2,2,1,1 [default: all the same].")
@click.option(
    "--unknown",
    type=click.FloatRange(0, 1),
    help="Probability below which the answer is unknown; 0 is never [default: the models' common rule, else 0.3].",
)
@click.option("-o", "--out", "folder", required=True, type=click.Path(path_type=Path, file_okay=False))
def command(models: tuple[str, ...], weights: tuple[float, ...] | None, unknown: float | None, folder: Path) -> None:
    """Fuse folders, or models of your own by their names."""
    from models.runtime.contract import UnknownRule
    from models.runtime.fuse import fuse
    from service.settings import load_settings

    rule = None if unknown is None else UnknownRule(method="max_probability", threshold=unknown)
    with reported():
        settings = load_settings()
        members = [settings.model_folder(model) or Path(model) for model in models]
        fused = fuse(members, weights or (1.0,) * len(members), folder, rule)
    click.echo(f"{folder}: {len(fused.members)} models, {len(fused.labels)} labels")
