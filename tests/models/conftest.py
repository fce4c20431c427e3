"""Fixtures for networks that are not the project's own: fetched once per session, skipped where they cannot be had."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from models.arrays import Image
from models.errors import WeightsMissing
from models.weights.registry import ModelSpec, load_registry
from models.weights.store import WeightStore


@pytest.fixture(scope="session")
def blaze_store(tmp_path_factory: pytest.TempPathFactory) -> WeightStore:
    """A store of its own that fetches BlazePose's wheel; skips where there is no package index."""
    store = WeightStore(tmp_path_factory.mktemp("weights"))
    for spec in blaze_specs():
        try:
            store.require(spec)
        except WeightsMissing as error:
            pytest.skip(f"BlazePose cannot be had: {error}")
    return store


def blaze_specs() -> tuple[ModelSpec, ModelSpec]:
    """BlazePose's landmark network and its detector."""
    registry = load_registry()
    return registry.require("blazepose-full"), registry.require("blazepose-detector")


def iter_images(path: Path, every: int, count: int) -> Iterator[Image]:
    """Pictures of a clip: the first, and every so many after it."""
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index >= every * count:
                return
            if index % every == 0:
                yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
