"""Where a run computes: one process or several, their devices, and what must be the same in all of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

from models.errors import DeviceUnavailable
from pipelines.errors import PipelineError
from pipelines.training.fit.batches import Share
from pipelines.training.recipe_sections import RunSection

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Place:
    """One process of a run: its device and its share of each batch."""

    device: torch.device
    share: Share

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's folder."""
        return self.share.rank == 0


def require_device(name: str) -> torch.device:
    """The device of that name; raises DeviceUnavailable that says what there is."""
    try:
        device = torch.device(name)
    except RuntimeError as cause:
        raise DeviceUnavailable(f"found device {name!r}, expected cpu, cuda or cuda:N") from cause
    if device.type == "cpu":
        return device
    if device.type != "cuda":
        raise DeviceUnavailable(f"found device {name!r}, expected cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        raise DeviceUnavailable(f"{name}: this machine has {count} usable GPUs; run.device = 'cpu' needs none")
    return device


@contextmanager
def placed(config: RunSection) -> Iterator[Place]:
    """This process's place; under `torchrun` (WORLD_SIZE > 1) one of several. Raises DeviceUnavailable."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    has_gpu = config.device != "cpu"
    device = require_device(f"cuda:{local}" if has_gpu and world > 1 else config.device)
    torch.set_num_threads(config.threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not config.deterministic
    if world == 1:
        with _exact(config.deterministic):
            yield Place(device, Share())
        return
    # The first process measures alone while the others wait for what it found.
    dist.init_process_group("nccl" if has_gpu else "gloo", timeout=timedelta(hours=4))
    try:
        with _exact(config.deterministic):
            yield Place(device, Share(dist.get_rank(), world))
    finally:
        dist.destroy_process_group()


def on_first(place: Place, work: Callable[[], _Result]) -> _Result:
    """What `work` gives, done by the first process alone; a failure there is raised in all of them."""
    if place.share.world == 1:
        return work()
    result: list[_Result] = []
    told: list[tuple[str, str] | None] = [None]
    failure: Exception | None = None
    if place.is_first:
        try:
            result.append(work())
        except Exception as error:  # noqa: BLE001 - the others must not wait for ever, whatever it is
            failure, told[0] = error, (getattr(error, "code", "internal"), str(error))
    device = place.device if place.device.type == "cuda" else None
    dist.broadcast_object_list(told, src=0, device=device)
    if failure is not None:
        raise failure
    if told[0] is not None:
        raise _Elsewhere(*told[0])
    results: list[_Result | None] = [result[0] if result else None]
    dist.broadcast_object_list(results, src=0, device=device)
    return results[0]  # type: ignore[return-value]  # what the first process's `work` gave, None included


class _Elsewhere(PipelineError):
    """A failure of the first process, in another one."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@contextmanager
def _exact(is_wanted: bool) -> Iterator[None]:
    """Refuse operators whose sums depend on timing."""
    if not is_wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
