"""How a measured network is run: in half precision, compiled, with volumes in the order that a GPU likes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException

from models.errors import DeviceUnavailable
from models.nets.channels_last import lay_channels_last
from pipelines.training.fit.objective import Objective

Precision = Literal["fp32", "bf16", "fp16"]
Answer = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """What may be given for speed; the defaults give the answers in full precision.

    precision: of autocast. is_compiled: torch.compile, which takes up to a minute before the first answer.
    """

    precision: Precision = "fp32"
    is_compiled: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """torch's type of the precision."""
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.precision]


def quicken(objective: Objective, pace: Pace, backend: str | Callable[..., object] = "inductor") -> None:
    """Make an objective that only answers run at this pace; it must be on its device already.

    Raises DeviceUnavailable at the first answer where the compiler cannot do it.
    """
    if pace.precision != "fp32":
        # In half precision the convolutions over volumes are written for this order; in the other one SlowOnly in
        # float16 was slower on an H200 than in TensorFloat-32.
        lay_channels_last(objective.network)
    if pace.is_compiled:
        objective.answer = _Compiled(objective.network, backend)


class _Compiled(nn.Module):
    """A network that is compiled at its first answer."""

    def __init__(self, network: nn.Module, backend: str | Callable[..., object]) -> None:
        super().__init__()
        self._ready: Callable[..., Answer] = torch.compile(network, backend=backend)

    def forward(self, *inputs: Tensor) -> Answer:
        """The network's answer; raises DeviceUnavailable."""
        try:
            return self._ready(*inputs)
        except TorchDynamoException as error:
            reason = " ".join([line.strip() for line in str(error).splitlines() if line.strip()][:2])
            raise DeviceUnavailable(f"the network cannot be compiled here: {reason[:300]}") from error
