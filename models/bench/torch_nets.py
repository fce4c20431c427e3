"""`python -m models.bench.torch_nets`: torch networks on one device, a line of JSON for each thing that is measured.

A process of its own: the service never loads torch, and whoever reads the lines loses nothing when it has to end.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import click
import torch
from torch import Tensor, nn

from models.bench.budget import Budget
from models.bench.ceilings import Ceilings, measure_ceilings
from models.bench.engines import count_macs
from models.bench.precision import PRECISIONS, dtype_of
from models.bench.traffic import count_bytes
from models.bench.variants import Speed, Variant, measure_variant
from models.errors import DeviceUnavailable, ModelError
from models.export.servable import wrap
from models.nets.build import NETWORKS, NetworkRequest, require_network
from models.nets.channels_last import has_volumes
from models.skeleton.layouts import require_layout

_FIRST = ("stgcn++", "posec3d-slowonly", "posec3d-x3d", "ctrgcn", "stgcn", "msg3d", "rgbpose")
_COMPILE_SHARE = 0.4
_SMALL: Mapping[str, Mapping[str, object]] = {
    "stgcn++": {"base_channels": 12, "num_stages": 2, "inflate_stages": [2], "down_stages": [2]},
    "posec3d-x3d": {"base_channels": 8, "stage_blocks": [1, 1, 1]},
    "tcn": {"base_channels": 8},
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure of each network.

    batches: of eager runs, the most telling first; graph_batches, compile_batches: of the other ways.
    seconds: of timing each variant. backend: of torch.compile. is_small: little networks and short inputs, for a CPU.
    """

    batches: tuple[int, ...] = (128, 1, 16)
    graph_batches: tuple[int, ...] = (1, 16)
    compile_batches: tuple[int, ...] = (128,)
    seconds: float = 0.1
    backend: str = "inductor"
    is_small: bool = False


SMALL_PLAN = Plan((2, 1), (1,), (2,), 0.02, "eager", is_small=True)


@dataclass(frozen=True, slots=True)
class Subject:
    """One network with its inputs for any batch size, and the cost of one sample.

    macs: multiply-adds. fixed_bytes, sample_bytes: moved by every call and by each sample of it, in float32.
    """

    name: str
    network: nn.Module
    ports: tuple[tuple[int, ...], ...]
    macs: int
    fixed_bytes: int
    sample_bytes: int

    def inputs(self, batch: int, device: torch.device) -> list[Tensor]:
        """Random inputs of that batch size."""
        generator = torch.Generator(device).manual_seed(0)
        return [torch.randn([batch, *shape], generator=generator, device=device) for shape in self.ports]


def build_subject(name: str, device: torch.device, *, is_small: bool) -> Subject:
    """The network of that name on the device, of the paper's size or a small one; raises ModelError."""
    entry = require_network(name)
    options = _SMALL.get(name, {}) if is_small else {}
    network = entry.build(NetworkRequest(require_layout("coco17"), 60, options=options)).eval().to(device)
    served = wrap(entry, network, 16 if is_small else 0, 32 if is_small and entry.input != "keypoint" else 0)
    sizes = {"batch": 1, "persons": 2, "frames": 16 if is_small else entry.num_frames}
    ports = tuple(tuple(port.sizes(sizes)[1:]) for port in served.inputs)
    one, two = ([torch.zeros([batch, *shape], device=device) for shape in ports] for batch in (1, 2))
    single, double = count_bytes(network, one), count_bytes(network, two)
    return Subject(name, network, ports, count_macs(network, one), 2 * single - double, double - single)


def iter_variants(plan: Plan, *, is_gpu: bool, has_volumes: bool) -> Iterator[Variant]:
    """Eager and captured variants of one network; a GPU alone takes graphs and float16."""
    precisions = PRECISIONS if is_gpu else PRECISIONS[:2]
    for batch in plan.batches:
        for precision in precisions:
            yield Variant("eager", precision, batch)
            if has_volumes and precision != "fp32":
                yield Variant("eager", precision, batch, is_channels_last=True)
    for batch in plan.graph_batches if is_gpu else ():
        for precision in precisions:
            yield Variant("graph", precision, batch, is_channels_last=has_volumes and precision != "fp32")


def iter_compiled(plan: Plan, *, is_gpu: bool) -> Iterator[Variant]:
    """Compiled variants of one network, which take the longest to prepare."""
    for batch in plan.compile_batches:
        yield Variant("compiled", "bf16", batch)
    for batch in plan.graph_batches[:1] if is_gpu else ():
        yield Variant("compiled graph", "bf16", batch)


def measure_networks(
    names: Sequence[str], device: torch.device, plan: Plan, budget: Budget
) -> Iterator[dict[str, object]]:
    """A row per network and variant, as each is measured: eager and captured first, then compiled."""
    ceilings = measure_ceilings(device)
    yield {"kind": "ceilings", **asdict(ceilings)}
    first = Budget(budget.left_s * (1 - _COMPILE_SHARE))
    compiled = list(iter_compiled(plan, is_gpu=device.type == "cuda"))
    subjects: list[Subject] = []
    for name in names:
        if first.allows(name):
            subjects.append(build_subject(name, device, is_small=plan.is_small))
            volumes = has_volumes(subjects[-1].network)
            variants = iter_variants(plan, is_gpu=device.type == "cuda", has_volumes=volumes)
            yield from measure_subject(subjects[-1], variants, device, (plan, ceilings, first))
    needs_s = 0.0
    for subject in subjects:
        for row in measure_subject(subject, compiled, device, (plan, ceilings, budget), needs_s):
            needs_s = max(needs_s, float(str(row["prepare_s"] or 0)))
            yield row
    if device.type != "cuda":
        budget.leave_out("CUDA graphs, float16", "need a GPU")
    yield {"kind": "left_out", "items": [*first.left_out, *budget.left_out]}


def measure_subject(
    subject: Subject,
    variants: Iterator[Variant] | Sequence[Variant],
    device: torch.device,
    how: tuple[Plan, Ceilings, Budget],
    needs_s: float = 0.0,
) -> Iterator[dict[str, object]]:
    """A row per variant of one network; one that cannot be run says why, and the next one goes on."""
    plan, ceilings, budget = how
    for variant in variants:
        if not budget.allows(f"{subject.name} {variant}", needs_s):
            continue
        try:
            inputs = subject.inputs(variant.batch, device)
            speed = measure_variant(subject.network, inputs, variant, plan.seconds, plan.backend)
        except RuntimeError as error:
            # Out of memory, an operator without half precision, a compiler that is not installed: the rest goes on.
            reason = str(error).strip().splitlines()[:1]
            torch.cuda.empty_cache()  # nothing where there is no GPU
            yield row_of(subject, variant, None, ceilings) | {"why": f"{type(error).__name__}: {''.join(reason)[:200]}"}
            continue
        yield row_of(subject, variant, speed, ceilings)


def row_of(subject: Subject, variant: Variant, speed: Speed | None, ceilings: Ceilings) -> dict[str, object]:
    """One line of the result.

    compute_share: of the products' rate in the same precision. bandwidth_share: of a copy's rate, by the bytes that
    the operators would move one by one; a compiled network moves fewer, and may seem to exceed the copy.
    """
    row: dict[str, object] = {"kind": "network", "network": subject.name, **asdict(variant)}
    if speed is None:
        none = dict.fromkeys(("samples_per_s", "prepare_s", "memory_bytes", "compute_share", "bandwidth_share"))
        return row | none
    rate = speed.samples_per_s
    ceiling = ceilings.flop_per_s.get(variant.precision)
    width = dtype_of(variant.precision).itemsize / 4
    moved = width * (subject.sample_bytes + subject.fixed_bytes / variant.batch)
    return row | {
        **asdict(speed),
        "compute_share": 2 * subject.macs * rate / ceiling if ceiling else None,
        "bandwidth_share": moved * rate / ceilings.bytes_per_s,
    }


def open_device(name: str) -> torch.device:
    """The device of that name, set up as it is measured; raises DeviceUnavailable."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise DeviceUnavailable(f"device {name!r} is not cpu or cuda:N")
    device = torch.device("cuda:0" if name == "cuda" else name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceUnavailable(f"{name}: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices")
    is_gpu = device.type == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = is_gpu
    torch.backends.cudnn.benchmark = is_gpu
    torch.manual_seed(0)
    return device


@click.command()
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda:N.")
@click.option("--seconds", default=170.0, show_default=True, type=click.FloatRange(0), help="For all of them.")
@click.option("--networks", default="", help="Comma-separated names; else all, or the small ones.")
@click.option("--small", "is_small", is_flag=True, help="A few little networks, for a CPU.")
def main(device: str, seconds: float, networks: str, is_small: bool) -> None:
    """Measure; lines of JSON on stdout."""
    budget = Budget(seconds)
    plan = SMALL_PLAN if is_small else Plan()
    ordered = tuple(_SMALL) if is_small else tuple(dict.fromkeys((*_FIRST, *NETWORKS)))
    names = tuple(name for name in networks.split(",") if name) or ordered
    try:
        place = open_device(device)
        _tell({"kind": "device", "torch": torch.__version__, "device": str(place), "name": _name(place)})
        for row in measure_networks(names, place, plan, budget):
            _tell(row)
    except ModelError as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        sys.exit(2)


def _tell(row: Mapping[str, object]) -> None:
    click.echo(json.dumps(row))
    sys.stdout.flush()


def _name(device: torch.device) -> str | None:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


if __name__ == "__main__":
    main()
