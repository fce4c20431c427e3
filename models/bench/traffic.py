"""How many bytes a network moves when its operators run one by one: what its speed is held against a copy by."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_Result = TypeVar("_Result")
_VIEWS = ("view", "reshape", "expand", "permute", "transpose", "slice", "select", "unsqueeze", "squeeze", "detach",
          "alias", "t", "as_strided", "unbind", "split", "_unsafe_view", "_reshape_alias", "empty")  # fmt: skip


class _Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what every operator reads and writes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes: int = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., _Result],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> _Result:
        found = func(*args, **(kwargs or {}))
        name = str(func).split(".")[1]
        if name not in _VIEWS:
            self.bytes += sum(x.numel() * x.element_size() for x in _tensors((args, kwargs, found)))
        return found


def count_bytes(network: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Bytes that the operators of one forward read and write; views and what stays in registers cost nothing."""
    counter = _Traffic()
    with torch.no_grad(), counter:
        network(*inputs)
    return counter.bytes


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
