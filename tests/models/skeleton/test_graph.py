import json
from pathlib import Path

import numpy as np
import pytest

from models.skeleton import graph
from models.skeleton.graph import PARTITIONS, Partition
from models.skeleton.layouts import LAYOUTS, Layout, require_layout

REFERENCE_NAMES = {"coco17": "coco", "nturgbd25": "nturgb+d", "openpose18": "openpose", "hand21": "handmp"}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
every_reference = pytest.mark.parametrize(("ours", "theirs"), REFERENCE_NAMES.items(), ids=REFERENCE_NAMES)


@every_reference
def test_layout_has_the_reference_bones_and_centre(golden_dir: Path, ours: str, theirs: str) -> None:
    expected = json.loads(str(np.load(golden_dir / "graphs.npz")["index"]))[theirs]

    layout = require_layout(ours)

    assert sorted(layout.edges) == sorted(map(tuple, expected["inward"]))
    assert layout.centre == expected["center"]


@every_reference
@pytest.mark.parametrize(
    ("kind", "max_hop", "key"),
    [
        ("spatial", 1, "spatial"),
        ("stgcn_spatial", 1, "stgcn_spatial"),
        ("stgcn_spatial", 2, "stgcn_spatial_maxhop2"),
        ("binary", 1, "binary_adj"),
    ],
)
def test_partition_equals_the_reference(
    golden_dir: Path, ours: str, theirs: str, kind: Partition, max_hop: int, key: str
) -> None:
    found = graph.partition(require_layout(ours), kind, max_hop)

    np.testing.assert_array_equal(found, np.load(golden_dir / "graphs.npz")[f"{theirs}/{key}"])


@every_reference
def test_multi_scale_equals_the_reference(golden_dir: Path, ours: str, theirs: str) -> None:
    golden = np.load(golden_dir / "graphs.npz")
    binary = graph.partition(require_layout(ours), "binary")[0]

    found = {
        "msg3d_A_powers_k13": graph.multi_scale(binary, 13),
        "msg3d_st_scales6_win3": graph.multi_scale(graph.window_graph(binary, 3), 6),
        "msg3d_st_scales6_win5": graph.multi_scale(graph.window_graph(binary, 5), 6),
    }

    for key, matrices in found.items():
        np.testing.assert_allclose(matrices, golden[f"{theirs}/{key}"], atol=1e-7)


@every_layout
@pytest.mark.parametrize("kind", [kind for kind in PARTITIONS if kind not in {"binary", "spatial"}])
def test_partition_subsets_add_up_to_an_average(layout: Layout, kind: Partition) -> None:
    subsets = graph.partition(layout, kind)

    np.testing.assert_allclose(subsets.sum(axis=(0, 1)), np.ones(len(layout)))
    assert ((subsets > 0).sum(axis=0) <= 1).all(), "a link is in one subset only"


@every_layout
@pytest.mark.parametrize("kind", PARTITIONS)
def test_partition_of_a_mirrored_body_is_the_mirrored_partition(layout: Layout, kind: Partition) -> None:
    subsets = graph.partition(layout, kind)

    mirrored = subsets[:, layout.mirrored][:, :, layout.mirrored]

    np.testing.assert_allclose(mirrored, subsets)


def test_symmetrical_partition_links_the_other_side() -> None:
    layout = require_layout("coco17")
    left, right = layout.joints.index("left_wrist"), layout.joints.index("right_wrist")

    subsets = graph.partition(layout, "symmetrical")

    assert subsets[2, left, right] == pytest.approx(1 / 3)
    assert subsets[2, left].sum() == pytest.approx(1 / 3)


def test_normalise_symmetric_follows_equation_5() -> None:
    subsets = np.array([[[1.0, 1.0], [0.0, 1.0]]])

    found = graph.normalise_symmetric(subsets)

    row = np.array([2.001, 1.001]) ** -0.5
    np.testing.assert_allclose(found[0], row[:, None] * subsets[0] * row[None, :])


@pytest.mark.parametrize(("kind", "max_hop"), [("spatial", 2), ("binary", 2), ("uniform", 0), ("nearest", 1)])
def test_partition_refuses_what_it_cannot_do(kind: Partition, max_hop: int) -> None:
    with pytest.raises(ValueError, match=r"cannot reach|is not one of"):
        graph.partition(require_layout("coco17"), kind, max_hop)


def test_random_partition_repeats_with_the_same_generator() -> None:
    draws = [graph.random_partition(17, 8, np.random.default_rng(3)) for _ in range(2)]

    np.testing.assert_array_equal(draws[0], draws[1])
    assert draws[0].shape == (8, 17, 17)
    assert draws[0].mean() == pytest.approx(0.04, abs=0.002)
