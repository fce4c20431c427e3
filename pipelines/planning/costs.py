"""What `actogram bench gpu --json` measured, as costs to count with; what is not in it stays unknown."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from pipelines.errors import ConfigInvalid

Stage = Literal["detect", "pose", "action"]
STAGES: tuple[Stage, ...] = ("detect", "pose", "action")
_BATCH_MS_MAX = 100.0
"""A batch that runs for longer makes labels too old, however cheap each of its rows is."""
_FILE_BYTES_MAX = 32 * 2**20
_POINTS_FOR_SLOPE = 2

Number = Annotated[float, Field(ge=0, le=1e18, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10**7)]


class MeasurementInvalid(ConfigInvalid):
    """A file that is no report of `actogram bench gpu`."""


class _Bucket(BaseModel):
    network: str
    kind: str
    batch: Count
    call_ms: Number | None


class _Cameras(BaseModel):
    cameras: Count
    labels_per_s: Number
    people: Number | None
    cores: Number
    memory_bytes: Number
    gpu_bytes: Number | None = None


class _Report(BaseModel):
    device: str
    buckets: tuple[_Bucket, ...] = ()
    cameras: tuple[_Cameras, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """One measured cost and where it comes from, for people."""

    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Line:
    """Memory by cameras: `base` for a worker with none, `each` for every one more; bytes."""

    base: float
    each: float
    source: str


@dataclass(frozen=True, slots=True)
class Costs:
    """What one machine costs; None where its report does not say.

    row_s: seconds on the device per picture, crop or window, by stage.  core_s: processor seconds per label of
    everything, at `people` in the picture.  memory, gpu_memory: of one worker.
    """

    name: str
    device: str
    row_s: dict[Stage, Cost]
    core_s: Cost | None
    people: float | None
    memory: Line | None
    gpu_memory: Line | None

    @property
    def is_gpu(self) -> bool:
        """Whether networks ran on a GPU, so that `core_s` holds what is around them alone."""
        return self.device.startswith("cuda")


def load_costs(path: Path) -> Costs:
    """The costs in a report; raises MeasurementInvalid."""
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise MeasurementInvalid(f"{path.name}: over {_FILE_BYTES_MAX} bytes, not a report of `actogram bench gpu`")
        report = _Report.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise MeasurementInvalid(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise MeasurementInvalid(
            f"{path.name}: not a report of `actogram bench gpu --json`: {where}: {fault['msg']}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise MeasurementInvalid(f"{path.name}: not JSON in UTF-8") from error
    return _costs_of(report, path.name)


def _costs_of(report: _Report, name: str) -> Costs:
    rows = {stage: cost for stage in STAGES if (cost := _row_cost(report.buckets, stage, name)) is not None}
    busiest = max(report.cameras, key=lambda row: row.labels_per_s, default=None)
    core_s = None
    if busiest is not None and busiest.labels_per_s > 0:
        source = (
            f"{name}: {busiest.cores:.2f} cores for {busiest.labels_per_s:.1f} labels/s of {busiest.cameras} cameras"
        )
        core_s = Cost(busiest.cores / busiest.labels_per_s, source)
    memory = [(row.cameras, row.memory_bytes) for row in report.cameras]
    gpu = [(row.cameras, row.gpu_bytes) for row in report.cameras if row.gpu_bytes is not None]
    return Costs(
        name, report.device, rows, core_s, None if busiest is None else busiest.people,
        _line(memory, f"{name}: memory of"), _line(gpu, f"{name}: GPU memory of"),
    )  # fmt: skip


def _row_cost(buckets: Sequence[_Bucket], stage: Stage, name: str) -> Cost | None:
    """The cheapest row of a batch that does not run for too long; of the shortest batch where all do."""
    found = [(row.batch, row.call_ms) for row in buckets if (row.kind, row.network) == ("stage", stage) and row.call_ms]
    calls = [(batch, call_ms) for batch, call_ms in found if call_ms is not None]
    if not calls:
        return None
    fitting = [call for call in calls if call[1] <= _BATCH_MS_MAX] or [min(calls, key=lambda call: call[1])]
    batch, call_ms = min(fitting, key=lambda call: call[1] / call[0])
    return Cost(call_ms / batch / 1000, f"{name}: {stage} {call_ms:.2f} ms at batch {batch}")


def _line(points: Sequence[tuple[int, float]], source: str) -> Line | None:
    """Least squares through the points; None for fewer than two different numbers of cameras."""
    counts = sorted({count for count, _ in points})
    if len(counts) < _POINTS_FOR_SLOPE:
        return None
    mean_x, mean_y = (math.fsum(point[axis] for point in points) / len(points) for axis in (0, 1))
    over = math.fsum((x - mean_x) * (y - mean_y) for x, y in points)
    each = max(0.0, over / math.fsum((x - mean_x) ** 2 for x, _ in points))
    shown = ", ".join(str(count) for count in counts)
    return Line(max(0.0, mean_y - each * mean_x), each, f"{source} {shown} cameras")
