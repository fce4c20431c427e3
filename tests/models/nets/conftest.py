"""Parity cases of the reference implementation, rebuilt from the golden files."""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class GoldenCase:
    """A checkpoint under the reference's names, an input and the reference's logits in float64."""

    state: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
    logits: Mapping[str, NDArray[np.float64]]


@pytest.fixture(scope="session")
def golden_case(golden_dir: Path) -> Callable[[str], GoldenCase]:
    """Loads a case by its name in cases.json."""
    sys.path.insert(0, str(golden_dir))
    try:
        checkpoint = importlib.import_module("checkpoint")
    finally:
        sys.path.remove(str(golden_dir))

    def load(name: str) -> GoldenCase:
        inputs, logits = checkpoint.case(name)
        state = {key: torch.as_tensor(value) for key, value in checkpoint.state_dict(name).items()}
        return GoldenCase(state, {key: torch.as_tensor(value) for key, value in inputs.items()}, logits)

    return load
