"""`actogram plan`: what a number of cameras needs, by what was measured on a machine like those that are meant."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.commands.failures import reported

if TYPE_CHECKING:
    from pipelines.planning.capacity import Figure, Wish

_MEASURED = click.Path(path_type=Path, dir_okay=False)


@click.command(help="Say how many GPUs, cores, memory, network and storage a number of cameras needs.")
@click.option("--cameras", type=int, required=True, help="How many cameras.")
@click.option("--fps", type=float, default=15.0, show_default=True, help="Pictures analysed a second of each.")
@click.option("--people", type=float, required=True, help="People in a picture, on average.")
@click.option("--gpu", type=_MEASURED, help="Report of `actogram bench gpu --json FILE` on the GPU in question.")
@click.option("--cpu", type=_MEASURED, help="Report of `actogram bench gpu --device cpu --json FILE`: no GPUs.")
@click.option("--camera-mbit", type=float, help="Bit rate of one camera, Mbit/s.")
@click.option("--events-per-hour", type=float, help="Events of one camera in an hour.")
@click.option("--clip-mib", type=float, help="Size of the clip that is kept of an event, MiB.")
@click.option("--store-per-second", type=float, help="Event messages that your database stores in a second, measured.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object instead of a table.")
def command(
    cameras: int, fps: float, people: float, gpu: Path | None, cpu: Path | None, camera_mbit: float | None,
    events_per_hour: float | None, clip_mib: float | None, store_per_second: float | None, is_json: bool,
) -> None:  # fmt: skip
    """Each figure names the measured cost that it comes from; an unknown one says what to measure or to say."""
    from pipelines.planning.capacity import Wish, plan
    from pipelines.planning.costs import load_costs

    with reported():
        wish = Wish(cameras, fps, people, camera_mbit, events_per_hour, clip_mib, store_per_second)
        path = gpu or cpu
        if path is None or (gpu and cpu):
            raise click.UsageError(
                "nothing is guessed: name what was measured with either --gpu FILE or --cpu FILE, written by "
                "`actogram bench gpu --json FILE` on a machine like those that you mean"
            )
        costs = load_costs(path)
        if gpu is not None and not costs.is_gpu:
            raise click.UsageError(f"--gpu: {path.name} was measured on {costs.device}, not on a GPU")
        figures = plan(wish, costs)
    click.echo(json.dumps(_object(wish, costs.name, figures), indent=1) if is_json else _table(wish, figures))


def _object(wish: "Wish", measured: str, figures: "tuple[Figure, ...]") -> dict[str, object]:
    return {
        "cameras": wish.cameras, "fps": wish.fps, "people": wish.people, "measured": measured,
        "needs": [{"name": one.name, "value": one.value, "unit": one.unit, "from": one.source} for one in figures],
    }  # fmt: skip


def _table(wish: "Wish", figures: "tuple[Figure, ...]") -> str:
    shown = [(one.name, _shown(one), one.source) for one in figures]
    width, amount = (max(len(row[column]) for row in shown) for column in (0, 1))
    lines = [f"{name:<{width}}  {value:>{amount}}  {source}" for name, value, source in shown]
    return "\n".join(
        [f"{wish.cameras} cameras, {wish.fps:g} pictures a second, {wish.people:g} people in each:", *lines]
    )


def _shown(figure: "Figure") -> str:
    return "unknown" if figure.value is None else f"{figure.value:,.10g} {figure.unit}".strip()
