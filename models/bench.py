"""`python -m models.bench`: size and speed of every network, torch against ONNX Runtime, paired in one run.

Milliseconds on a machine that others use mean little; ratios of alternating runs mean something. So every number is
taken in turns with what it is compared to, and the median is told.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import onnxruntime
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.continual import ContinualNetwork, export_continual
from models.export import Port, export_onnx
from models.nets.build import NETWORKS, NetworkRequest
from models.nets.layers import GraphNetwork, PeopleNetwork
from models.servable import Servable, wrap
from models.skeleton import require_layout

_BATCH = 8
_MATMUL_SIDE = 1536
_CONTINUAL = ("stgcn", "stgcn++", "ctrgcn")
_CONTINUAL_WINDOW = 300
Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Setting:
    """How to measure: threads for both engines, and seconds per pair of a measurement."""

    threads: int
    seconds: float
    folder: Path


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One network; milliseconds per sample, at batch 1 and 8.

    macs:         multiply-adds of one sample, two persons.
    matmul_share: of the machine's matrix-multiply rate, measured beside it, that ONNX Runtime reaches at batch 1.
    empty_slot:   time of two samples with one person and an empty slot each, over the time of one sample with the same
                  two people; None where there are no slots.
    """

    network: str
    parameters: int
    macs: int
    torch_ms: tuple[float, float]
    onnx_ms: tuple[float, float]
    matmul_share: float
    empty_slot: float | None

    @property
    def gain(self) -> tuple[float, float]:
        """How many times faster ONNX Runtime is."""
        return self.torch_ms[0] / self.onnx_ms[0], self.torch_ms[1] / self.onnx_ms[1]


@dataclass(frozen=True, slots=True)
class ContinualRow:
    """A window of 300 frames of one person (25 joints) against one more frame; both in ONNX Runtime, one track.

    macs, ms: of the whole window; of a step that answers after every frame; of a frame where answers come at the
              strides' pace.
    """

    network: str
    macs: tuple[int, int, int]
    ms: tuple[float, float, float]


def measure_network(name: str, setting: Setting) -> NetworkRow:
    """Both engines on the same random weights and inputs."""
    entry = NETWORKS[name]
    network = entry.build(NetworkRequest(require_layout("coco17"), 60)).eval()
    servable = wrap(entry, network)
    session = _session(servable, entry.outputs, setting)
    sizes = {"batch": 1, "persons": 2, "frames": entry.num_frames}
    pairs = [_pair(network, session, servable.inputs, sizes | {"batch": batch}, setting) for batch in (1, _BATCH)]
    macs = count_macs(network, _inputs(servable.inputs, sizes))
    rate = matmul_rate()
    return NetworkRow(
        name,
        sum(parameter.numel() for parameter in network.parameters()),
        macs,
        (pairs[0][0], pairs[1][0] / _BATCH),
        (pairs[0][1], pairs[1][1] / _BATCH),
        2 * macs / (pairs[0][1] / 1000) / rate,
        _empty_slot(network, session, servable.inputs, sizes, setting),
    )


def measure_continual(name: str, setting: Setting) -> ContinualRow:
    """A window's answer against a step's, for one track of NTU's 25 joints."""
    entry = NETWORKS[name]
    network = entry.build(NetworkRequest(require_layout("nturgbd25"), 60, num_persons=1)).eval()
    assert isinstance(network, GraphNetwork)
    port = Port("keypoint", (1, 1, _CONTINUAL_WINDOW, 25, 3))
    window = _session(Servable(network, (port,)), entry.outputs, setting)
    runs: list[Run] = [_onnx_run(window, (port,), _inputs((port,), {}))]
    macs = [count_macs(network, _inputs((port,), {}))]
    frames = [1]
    for is_every_frame in (True, False):
        step = ContinualNetwork(network, _CONTINUAL_WINDOW, is_every_frame)
        path = setting.folder / f"{name}-{is_every_frame}.onnx"
        export_continual(step, path)
        ports = (Port("frames", (1, step.frames_per_step, 25, 3)), Port("state", (1, step.state_size)))
        inputs = _inputs(ports, {})
        runs.append(_onnx_run(_open(path, setting.threads), ports, inputs))
        macs.append(count_macs(step, inputs) // step.frames_per_step)
        frames.append(step.frames_per_step)
    times = [ms / n for ms, n in zip(alternate(runs, setting.seconds), frames, strict=True)]
    return ContinualRow(name, (macs[0], macs[1], macs[2]), (times[0], times[1], times[2]))


def count_macs(network: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Multiply-adds of one forward: convolutions and matrix products."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return int(counter.get_total_flops()) // 2


def matmul_rate() -> float:
    """Floating-point operations per second of a square float32 product with torch's threads: the best of several."""
    a = torch.randn(_MATMUL_SIDE, _MATMUL_SIDE)
    return 2 * _MATMUL_SIDE**3 / min(_timed(lambda: a @ a) for _ in range(7))


def alternate(runs: Sequence[Run], seconds: float) -> list[float]:
    """Median milliseconds of each run, taken in turns for about `seconds`, after one turn to warm up."""
    for run in runs:
        run()
    times: list[list[float]] = [[] for _ in runs]
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times[0]) < 3:
        for run, taken in zip(runs, times, strict=True):
            taken.append(_timed(run) * 1000)
    return [statistics.median(taken) for taken in times]


def _pair(
    network: nn.Module,
    session: onnxruntime.InferenceSession,
    ports: Sequence[Port],
    sizes: dict[str, int],
    setting: Setting,
) -> tuple[float, float]:
    inputs = _inputs(ports, sizes)
    in_torch, in_onnx = alternate([_torch_run(network, inputs), _onnx_run(session, ports, inputs)], setting.seconds)
    return in_torch, in_onnx


def _empty_slot(
    network: nn.Module,
    session: onnxruntime.InferenceSession,
    ports: Sequence[Port],
    sizes: dict[str, int],
    setting: Setting,
) -> float | None:
    """The same two people in one sample's two slots, and in two samples' first slots: the empty ones should be free."""
    if not isinstance(network, PeopleNetwork):
        return None
    together = _inputs(ports, sizes)
    apart = [torch.stack([together[0][0], together[0][0].flip(0)])]
    apart[0][:, 1] = 0
    full, half_empty = alternate(
        [_onnx_run(session, ports, together), _onnx_run(session, ports, apart)], setting.seconds
    )
    return half_empty / full


def _inputs(ports: Sequence[Port], sizes: dict[str, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [port.sample(sizes, generator) for port in ports]


def _torch_run(network: nn.Module, inputs: Sequence[Tensor]) -> Run:
    def run() -> object:
        with torch.inference_mode():
            return network(*inputs)

    return run


def _onnx_run(session: onnxruntime.InferenceSession, ports: Sequence[Port], inputs: Sequence[Tensor]) -> Run:
    feeds = {port.name: tensor.numpy() for port, tensor in zip(ports, inputs, strict=True)}
    return lambda: session.run(None, feeds)


def _session(servable: Servable, outputs: Sequence[str], setting: Setting) -> onnxruntime.InferenceSession:
    path = setting.folder / "network.onnx"
    export_onnx(servable.module, servable.inputs, outputs, path)
    return _open(path, setting.threads)


def _open(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Idle threads that spin go on into torch's turn and take a core from it: torch then looks 1.8 times slower.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _timed(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def network_table(rows: Sequence[NetworkRow]) -> str:
    """Markdown, one network per row."""
    head = (
        "| network | parameters | multiply-adds | torch ms, batch 1 / 8 | ONNX Runtime ms | faster "
        "| of matmul rate | empty slot |\n|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *map(_network_line, rows)])


def continual_table(rows: Sequence[ContinualRow]) -> str:
    """Markdown, one network per row."""
    head = (
        "| network | window, multiply-adds | every frame | fewer | at the strides' pace | fewer "
        "| window ms | every frame ms | faster | at the strides' pace ms | faster |\n" + "|---" * 11 + "|"
    )
    return "\n".join([head, *map(_continual_line, rows)])


def _network_line(row: NetworkRow) -> str:
    empty = "-" if row.empty_slot is None else f"{row.empty_slot:.2f}"
    return (
        f"| {row.network} | {row.parameters / 1e6:.2f} M | {row.macs / 1e9:.2f} G "
        f"| {row.torch_ms[0]:.0f} / {row.torch_ms[1]:.0f} | {row.onnx_ms[0]:.0f} / {row.onnx_ms[1]:.0f} "
        f"| {row.gain[0]:.2f} / {row.gain[1]:.2f} | {row.matmul_share:.0%} | {empty} |"
    )


def _continual_line(row: ContinualRow) -> str:
    window, every, paced = row.macs
    window_ms, every_ms, paced_ms = row.ms
    return (
        f"| {row.network} | {window / 1e9:.2f} G | {every / 1e6:.1f} M | {window / every:.0f} "
        f"| {paced / 1e6:.1f} M | {window / paced:.0f} | {window_ms:.0f} | {every_ms:.2f} | {window_ms / every_ms:.1f} "
        f"| {paced_ms:.2f} | {window_ms / paced_ms:.1f} |"
    )


@click.command()
@click.option("--networks", default=",".join(NETWORKS), show_default=True, help="Names, separated by commas.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--seconds", default=4.0, show_default=True, help="For each pair of measurements.")
@click.option("--continual/--no-continual", default=True, help="Also steps against windows.")
@click.option("--json", "as_json", is_flag=True, help="Numbers instead of tables.")
def main(networks: str, threads: int, seconds: float, continual: bool, as_json: bool) -> None:
    """Measure networks; each row goes to stderr as it is found, tables or JSON to stdout."""
    names = [name for name in networks.split(",") if name]
    unknown = [name for name in names if name not in NETWORKS]
    if unknown:
        click.echo(f"actogram: model_unknown: {unknown[0]!r} is not one of {', '.join(NETWORKS)}", err=True)
        sys.exit(2)
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(threads, seconds, Path(folder))
        rows, steps = [], []
        for name in names:
            rows.append(measure_network(name, setting))
            click.echo(_network_line(rows[-1]), err=True)
        for name in names if continual else ():
            if name in _CONTINUAL:
                steps.append(measure_continual(name, setting))
                click.echo(_continual_line(steps[-1]), err=True)
    if as_json:
        click.echo(json.dumps({"networks": [*map(asdict, rows)], "continual": [*map(asdict, steps)]}, indent=2))
        return
    click.echo(f"\n{threads} threads, {matmul_rate() / 1e9:.0f} GFLOP/s in matrix products\n")
    click.echo(network_table(rows))
    if steps:
        click.echo("\n" + continual_table(steps))


if __name__ == "__main__":
    main()
