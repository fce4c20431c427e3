"""A CUDA graph of a network: one launch for all of its kernels, where launching them costs more than running them."""

from typing import TypeAlias

import torch
from torch import Tensor, nn

from models.errors import DeviceUnavailable

Answer: TypeAlias = Tensor | tuple[Tensor, ...]
_WARM_RUNS = 3


class GraphedNetwork(nn.Module):
    """`network` for inputs of one shape, captured on the inputs given; its answer lies where the next one will.

    The network must be in eval mode, and what it does must not depend on its inputs' values: the wrapper that skips
    empty people cannot be captured. Copy an answer that is to outlast the next call.
    Raises DeviceUnavailable for inputs that are not on a GPU, and RuntimeError where something cannot be captured.
    """

    def __init__(self, network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        super().__init__()
        if not all(x.is_cuda for x in inputs):
            raise DeviceUnavailable("a CUDA graph needs inputs on a GPU")
        self.shapes = tuple(x.shape for x in inputs)
        self._held = tuple(x.clone() for x in inputs)
        self._graph = torch.cuda.CUDAGraph()
        self._answer: Answer = _captured(network, self._held, self._graph)

    def forward(self, *inputs: Tensor) -> Answer:
        """The network's answer; the inputs have the shapes that were captured."""
        for held, given in zip(self._held, inputs, strict=True):
            held.copy_(given)
        self._graph.replay()
        return self._answer


def _captured(network: nn.Module, inputs: tuple[Tensor, ...], graph: torch.cuda.CUDAGraph) -> Answer:
    # Libraries allocate and choose their kernels in the first runs, which must not be part of the graph.
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(stream):
        for _ in range(_WARM_RUNS):
            network(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    with torch.no_grad(), torch.cuda.graph(graph):
        answer: Answer = network(*inputs)
    return answer
