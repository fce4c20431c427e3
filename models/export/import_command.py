"""`python -m models.export.import_command`: imports a checkpoint; torch is loaded only to do it, not for the help."""

import sys
from pathlib import Path

import click

from models.errors import CheckpointMismatch, FolderUnwritable, ModelError
from models.export.choices import INPUTS, STREAMS, THEIR_LAYOUTS
from models.nets.names import NETWORK_NAMES
from models.skeleton.layouts import LAYOUTS


class _UnknownRule(click.ParamType[object]):
    """`off`, a probability, or `energy:X`."""

    name = "rule"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        """The method and its threshold."""
        text = str(value)
        try:
            if text == "off":
                return "off", 0.0
            if text.startswith("energy:"):
                return "energy", float(text.removeprefix("energy:"))
            share = float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is neither off, a probability 0..1, nor energy:NUMBER", param, ctx)
        return "max_probability", share


_SHARE = click.FloatRange(0, 1)
_SECONDS = click.FloatRange(0, 60)


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--arch", "network", required=True, type=click.Choice(NETWORK_NAMES))
@click.option("--layout", required=True, type=click.Choice([*LAYOUTS, *THEIR_LAYOUTS]))
@click.option("--num-classes", required=True, type=click.IntRange(1))
@click.option(
    "--labels", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A text file, one name per line."
)
@click.option("--persons", "num_persons", type=click.IntRange(1, 16), help="People per window [default: 2].")
@click.option(
    "--frames",
    "num_frames",
    default=0,
    type=click.IntRange(0, 1800),
    help="That the network gets [default: the paper's].",
)
@click.option(
    "--window", "window_s", type=click.FloatRange(0, 30, min_open=True), help="Seconds [default: 3; hands: 1]."
)
@click.option(
    "--rate",
    "rate_hz",
    type=click.FloatRange(0, 60, min_open=True),
    help="Samples per second [default: 30; hands: 10].",
)
@click.option("--stream", type=click.Choice(STREAMS), help="What it was trained on [default: joint].")
@click.option(
    "--normalise", type=click.Choice(["fixed", "auto"]), help="PreNormalize2D's mode [default: fixed; hands: auto]."
)
@click.option("--threshold", type=_SHARE, help="Probability from which a label counts [default: 0.5].")
@click.option("--min-duration", "min_duration_s", type=_SECONDS, help="Seconds until it is sure [default: 0.4].")
@click.option("--merge-gap", "merge_gap_s", type=_SECONDS, help="Longest pause inside one event [default: 0.6].")
@click.option("--unknown", type=_UnknownRule(), help="off, the least probability, or energy:X [default: 0.3].")
@click.option("--temperature", type=click.FloatRange(0, min_open=True), help="Divides the logits [default: 1].")
@click.option("--input", "input_kind", type=click.Choice(["keypoint", "heatmap"]), help="Of networks over heatmaps.")
@click.option("--size", "side_px", default=0, type=click.IntRange(0, 1024), help="Side of its pictures or heatmaps.")
@click.option("--continual", "is_continual", is_flag=True, help="A step per frame instead of a window.")
@click.option("-o", "--out", "folder", required=True, type=click.Path(path_type=Path, file_okay=False))
def main(input_kind: str | None, **options: object) -> None:
    """Import a checkpoint; on failure one `actogram: code: text` on stderr and status 2."""
    from models.export.importer import ImportRequest, import_checkpoint
    from models.export.settings import Settings
    from models.nets.build import require_network

    chosen = {name: options.pop(name) for name in Settings.__dataclass_fields__}
    try:
        taken = INPUTS[require_network(str(options["network"])).input]
        if input_kind not in {None, *taken}:
            raise CheckpointMismatch(f"network {options['network']} takes {' or '.join(taken)}, not {input_kind}")
        settings = Settings(**chosen)  # type: ignore[arg-type]
        request = ImportRequest(**options, has_keypoints=input_kind != "heatmap", settings=settings)  # type: ignore[arg-type]
        folder = import_checkpoint(request)
    except ModelError as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"actogram: {FolderUnwritable.code}: {options['folder']}: {error.strerror or error}", err=True)
        sys.exit(2)
    click.echo(f"{folder}: model.onnx, model.json, model.pth")


if __name__ == "__main__":
    main(prog_name="actogram models import")
