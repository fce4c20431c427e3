"""Size and speed of every network, torch against ONNX Runtime, paired in one run.

Milliseconds on a machine that others use mean little; ratios of alternating runs mean something. So every number is
taken in turns with what it is compared to, and the median is told.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import onnxruntime
import torch
from torch import Tensor, nn

from models.bench.engines import (
    Run,
    Setting,
    alternate,
    count_macs,
    matmul_rate,
    onnx_run,
    open_session,
    torch_run,
)
from models.bench.tables import (
    ContinualRow,
    NetworkRow,
    continual_line,
    network_line,
)
from models.export.continual import ContinualNetwork, export_continual
from models.export.fp16 import FP16, export_fp16
from models.export.onnx import Exported, Port, export_onnx
from models.export.servable import Servable, wrap
from models.nets.build import NETWORKS, NetworkEntry, NetworkRequest
from models.nets.layers import GraphNetwork, PeopleNetwork
from models.skeleton.layouts import require_layout

_BATCH = 8
_CONTINUAL = ("stgcn", "stgcn++", "ctrgcn")
_CONTINUAL_WINDOW = 300


def measure_network(entry: NetworkEntry, setting: Setting) -> NetworkRow:
    """Both engines on the same random weights and inputs."""
    network = entry.build(NetworkRequest(require_layout("coco17"), 60)).eval()
    servable = wrap(entry, network)
    exported = _export(servable, entry, setting)
    session = open_session(exported.path, setting)
    sizes = {"batch": 1, "persons": 2, "frames": entry.num_frames}
    macs = count_macs(network, _inputs(servable.inputs, sizes))
    in_torch = (FP16(network) if setting.is_fp16 else network).to(setting.device)
    pairs = [_pair(in_torch, session, servable, sizes | {"batch": batch}, setting) for batch in (1, _BATCH)]
    torch_ms, onnx_ms = ([ms for ms in engine if ms is not None] for engine in zip(*pairs, strict=True))
    best_ms = onnx_ms[0] if onnx_ms else torch_ms[0]
    return NetworkRow(
        entry.name,
        sum(parameter.numel() for parameter in network.parameters()),
        macs,
        (torch_ms[0], torch_ms[1] / _BATCH),
        (onnx_ms[0], onnx_ms[1] / _BATCH) if onnx_ms else None,
        2 * macs / (best_ms / 1000) / matmul_rate(setting),
        _empty_slot(network, session, servable.inputs, sizes, setting),
        exported.max_difference / exported.scale if setting.is_fp16 else None,
    )


def measure_continual(name: str, setting: Setting) -> ContinualRow:
    """A window's answer against a step's, for one track of NTU's 25 joints, on the CPU."""
    entry = NETWORKS[name]
    network = entry.build(NetworkRequest(require_layout("nturgbd25"), 60, num_persons=1)).eval()
    assert isinstance(network, GraphNetwork)
    port = Port("keypoint", (1, 1, _CONTINUAL_WINDOW, 25, 3))
    path = setting.folder / "window.onnx"
    export_onnx(network, (port,), entry.outputs, path)
    runs = [_run(path, (port,), setting)]
    macs = [count_macs(network, _inputs((port,), {}))]
    frames = [1]
    for is_every_frame in (True, False):
        step = ContinualNetwork(network, _CONTINUAL_WINDOW, is_every_frame)
        path = setting.folder / f"{name}-{is_every_frame}.onnx"
        export_continual(step, path)
        ports = (Port("frames", (1, step.frames_per_step, 25, 3)), Port("state", (1, step.state_size)))
        runs.append(_run(path, ports, setting))
        macs.append(count_macs(step, _inputs(ports, {})) // step.frames_per_step)
        frames.append(step.frames_per_step)
    times = [ms / n for ms, n in zip(alternate(runs, setting.seconds), frames, strict=True)]
    return ContinualRow(name, (macs[0], macs[1], macs[2]), (times[0], times[1], times[2]))


def _export(servable: Servable, entry: NetworkEntry, setting: Setting) -> Exported:
    path = setting.folder / "network.onnx"
    if setting.is_fp16:
        return export_fp16(servable.module, servable.inputs, entry.outputs, path, setting.providers)
    return export_onnx(servable.module, servable.inputs, entry.outputs, path)


def _pair(
    network: nn.Module,
    session: onnxruntime.InferenceSession | None,
    servable: Servable,
    sizes: dict[str, int],
    setting: Setting,
) -> tuple[float, float | None]:
    inputs = _inputs(servable.inputs, sizes)
    runs = [torch_run(network, inputs, setting)]
    if session is None:
        return alternate(runs, setting.seconds)[0], None
    in_torch, in_onnx = alternate([*runs, onnx_run(session, servable.inputs, inputs, setting)], setting.seconds)
    return in_torch, in_onnx


def _empty_slot(
    network: nn.Module,
    session: onnxruntime.InferenceSession | None,
    ports: Sequence[Port],
    sizes: dict[str, int],
    setting: Setting,
) -> float | None:
    """The same two people in one sample's two slots, and in two samples' first slots: the empty ones should be free."""
    if session is None or not isinstance(network, PeopleNetwork):
        return None
    together = _inputs(ports, sizes)
    apart = [torch.stack([together[0][0], together[0][0].flip(0)])]
    apart[0][:, 1] = 0
    runs = [onnx_run(session, ports, inputs, setting) for inputs in (together, apart)]
    full, half_empty = alternate(runs, setting.seconds)
    return half_empty / full


def _run(path: Path, ports: Sequence[Port], setting: Setting) -> Run:
    session = open_session(path, setting)
    assert session is not None
    return onnx_run(session, ports, _inputs(ports, {}), setting)


def _inputs(ports: Sequence[Port], sizes: dict[str, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [port.sample(sizes, generator) for port in ports]


def prepare(setting: Setting) -> None:
    """Make torch as fast as it can be, and the same each time."""
    torch.set_num_threads(setting.threads)
    torch.manual_seed(0)
    # What ONNX Runtime does on a GPU by itself: TensorFloat-32 products, and the quickest of all convolutions.
    torch.backends.cuda.matmul.allow_tf32 = setting.is_gpu
    torch.backends.cudnn.benchmark = setting.is_gpu


def measure(
    entries: Sequence[NetworkEntry], setting: Setting, has_steps: bool
) -> tuple[list[NetworkRow], list[ContinualRow]]:
    """A row per network, and, where steps are wanted, one per network that knows them; each told on stderr at once."""
    rows, steps = [], []
    for entry in entries:
        rows.append(measure_network(entry, setting))
        click.echo(network_line(rows[-1]), err=True)
    for entry in entries if has_steps else ():
        if entry.name in _CONTINUAL:
            steps.append(measure_continual(entry.name, setting))
            click.echo(continual_line(steps[-1]), err=True)
    return rows, steps


def where(setting: Setting) -> str:
    """What it was measured on."""
    if not setting.is_gpu:
        return f"{setting.threads} threads"
    name = torch.cuda.get_device_name(setting.device)
    without = "" if len(setting.providers) > 1 else ", ONNX Runtime without CUDA"
    return f"{name}, {'float16' if setting.is_fp16 else 'float32 (TensorFloat-32 allowed)'}{without}"
