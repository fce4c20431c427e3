"""The rule of a device: a network sees only shapes that were declared, padded and cut back, and refuses others."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import ContractMismatch
from models.runtime.device import REHEARSAL
from models.runtime.session import Session, sessions_of
from models.runtime.shapes import batches_up_to
from tests.models.runtime.networks import Shape, write_random

_SHAPE: Shape = ("batch", 3, 32, 32)


def _path(tmp_path: Path, shape: Shape = _SHAPE) -> Path:
    return write_random(tmp_path / "net.onnx", shape, {"scores": (4,)})


def _pictures(count: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, 3, side, side)).astype(np.float32)


def _batches(session: Session) -> set[int]:
    return {shape[0] for shapes in session.fed_shapes for _, shape in shapes}


@pytest.mark.parametrize(
    ("count", "batches"), [(0, {1}), (1, {1}), (3, {4}), (5, {8}), (8, {8}), (9, {8, 1}), (14, {8}), (20, {8, 4})]
)
def test_session_feeds_declared_batches_only_when_it_is_on_a_device(
    tmp_path: Path, count: int, batches: set[int]
) -> None:
    session = Session(_path(tmp_path), REHEARSAL)

    outputs = session.run({"input": _pictures(count)})

    assert _batches(session) == batches
    assert outputs["scores"].shape == (count, 4)


@pytest.mark.parametrize("count", [1, 3, 20])
def test_session_gives_the_same_when_batches_are_padded(tmp_path: Path, count: int) -> None:
    path, pictures = _path(tmp_path), _pictures(count)

    held = Session(path, REHEARSAL).run({"input": pictures})

    np.testing.assert_allclose(held["scores"], Session(path).run({"input": pictures})["scores"], atol=1e-6)


def test_session_says_its_declared_shapes(tmp_path: Path) -> None:
    session = Session(_path(tmp_path, ("batch", 3, "height", "width")), REHEARSAL)

    session.declare({"input": (3, 64, 96)}, max_batch=4)

    assert session.declared_shapes == tuple({"input": (size, 3, 64, 96)} for size in (1, 2, 4))
    assert session.max_batch == 4


def test_session_declares_itself_when_the_file_leaves_only_the_batch_free(tmp_path: Path) -> None:
    session = Session(_path(tmp_path), REHEARSAL)

    assert [shapes["input"][0] for shapes in session.declared_shapes] == [1, 2, 4, 8]


def test_session_knows_one_batch_when_the_file_fixes_it(tmp_path: Path) -> None:
    session = Session(_path(tmp_path, (4, 3, 32, 32)), REHEARSAL)

    outputs = session.run({"input": _pictures(6)})

    assert session.declared_shapes == ({"input": (4, 3, 32, 32)},)
    assert outputs["scores"].shape == (6, 4)


def test_warming_runs_every_declared_shape(tmp_path: Path) -> None:
    session = Session(_path(tmp_path), REHEARSAL)
    session.declare(max_batch=8)

    session.warm_declared()

    assert session.fed_shapes == {tuple(shapes.items()) for shapes in session.declared_shapes}


@pytest.mark.parametrize("side", [16, 64])
def test_session_names_the_shape_when_it_was_not_declared(tmp_path: Path, side: int) -> None:
    session = Session(_path(tmp_path, ("batch", 3, "height", "width")), REHEARSAL)
    session.declare({"input": (3, 32, 32)}, max_batch=2)

    with pytest.raises(
        ContractMismatch, match=rf"net\.onnx: found input \[2, 3, {side}, {side}\], .*\[1\|2, 3, 32, 32\]"
    ):
        session.run({"input": _pictures(2, side)})


def test_session_refuses_every_shape_when_none_was_declared(tmp_path: Path) -> None:
    session = Session(_path(tmp_path, ("batch", 3, "height", "width")), REHEARSAL)

    with pytest.raises(ContractMismatch, match="no shape was declared on cpu:fixed"):
        session.run({"input": _pictures(1)})


@pytest.mark.parametrize("row", [(3, 32), (4, 32, 32), (3, 0, 32)])
def test_declaring_refuses_what_the_file_cannot_take(tmp_path: Path, row: tuple[int, ...]) -> None:
    session = Session(_path(tmp_path, ("batch", 3, "height", "width")), REHEARSAL)

    with pytest.raises(ContractMismatch, match="declared for a row of it"):
        session.declare({"input": row})


def test_session_takes_every_shape_when_it_is_on_the_cpu(tmp_path: Path) -> None:
    session = Session(_path(tmp_path, ("batch", 3, "height", "width")))
    session.declare({"input": (3, 32, 32)})

    outputs = session.run({"input": _pictures(3, 48)})

    assert outputs["scores"].shape == (3, 4)
    assert session.declared_shapes == ()
    assert not session.fed_shapes


@pytest.mark.parametrize(
    ("max_batch", "device", "batches"),
    [
        (1, "cuda:0", (1,)),
        (12, "cuda:0", (1, 2, 4, 8, 12)),
        (32, "cuda:1", (1, 2, 4, 8, 16, 32)),
        (500, "cuda:0", (1, 2, 4, 8, 16, 32, 64)),
        (500, REHEARSAL, (1, 2, 4, 8)),
    ],
)
def test_batches_end_with_what_the_network_and_the_device_take(
    max_batch: int, device: str, batches: tuple[int, ...]
) -> None:
    assert batches_up_to(max_batch, device) == batches


def test_sessions_of_names_each_once_and_passes_over_what_has_none(tmp_path: Path) -> None:
    session = Session(_path(tmp_path))

    assert sessions_of(session, None, "text", session) == (session,)
