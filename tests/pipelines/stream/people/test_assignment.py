"""The tracker's assignment against scipy's, which solves the same problem."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from models.arrays import BoolArray, FloatArray
from pipelines.stream.people.association import assign


def scipy_pairs(similarity: FloatArray, is_allowed: BoolArray) -> dict[int, int]:
    rows, columns = linear_sum_assignment(np.where(is_allowed, similarity, -10.0), maximize=True)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if is_allowed[row, column]}


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 5), (4, 9), (9, 4), (40, 30)])
@pytest.mark.parametrize("share_allowed", [0.1, 0.5, 1.0])
def test_assign_gives_the_pairs_of_scipy(shape: tuple[int, int], share_allowed: float) -> None:
    random = np.random.default_rng(hash((shape, share_allowed)) % 2**32)

    for _ in range(50):
        similarity = random.random(shape, np.float32) * np.float32(1.1)
        is_allowed = random.random(shape) < share_allowed

        assert assign(similarity, is_allowed) == scipy_pairs(similarity, is_allowed)


def test_assign_leaves_everyone_alone_when_nothing_is_allowed() -> None:
    assert assign(np.ones((3, 2), np.float32), np.zeros((3, 2), bool)) == {}
