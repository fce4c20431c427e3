"""`python -m models.bench.command`: measures networks; torch is loaded only to do it, not for the help."""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from models.errors import ModelError
from models.nets.names import NETWORK_NAMES


@click.command()
@click.option("--networks", default=",".join(NETWORK_NAMES), show_default=True, help="Comma-separated names.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 64), help="Of both engines on the CPU.")
@click.option("--seconds", default=4.0, show_default=True, help="For each pair of measurements.")
@click.option("--device", default="cpu", show_default=True, help="cpu, or cuda:N; ONNX Runtime where it has CUDA.")
@click.option("--fp16", "is_fp16", is_flag=True, help="Float16 inside the networks, checked against float32; on a GPU.")
@click.option("--continual/--no-continual", default=True, help="Also steps against windows; on the CPU.")
@click.option("--json", "as_json", is_flag=True, help="Numbers instead of tables.")
def main(
    networks: str, threads: int, seconds: float, device: str, is_fp16: bool, continual: bool, as_json: bool
) -> None:
    """Measure networks; each row goes to stderr as it is found, tables or JSON to stdout."""
    from models.bench.engines import Setting, matmul_rate, require_device
    from models.bench.measure import measure, prepare, where
    from models.bench.tables import continual_table, network_table
    from models.nets.build import require_network

    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(threads, seconds, Path(folder), "cuda:0" if device == "cuda" else device, is_fp16)
        try:
            entries = [require_network(name) for name in networks.split(",") if name]
            require_device(setting)
            prepare(setting)
            rows, steps = measure(entries, setting, continual and not setting.is_gpu)
        except ModelError as error:
            click.echo(f"actogram: {error.code}: {error}", err=True)
            sys.exit(2)
        if as_json:
            click.echo(json.dumps({"networks": [*map(asdict, rows)], "continual": [*map(asdict, steps)]}, indent=2))
            return
        click.echo(f"\n{where(setting)}, {matmul_rate(setting) / 1e9:.0f} GFLOP/s in matrix products\n")
    click.echo(network_table(rows))
    if steps:
        click.echo("\n" + continual_table(steps))


if __name__ == "__main__":
    main(prog_name="actogram bench nets")
