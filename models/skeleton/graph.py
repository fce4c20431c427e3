"""Adjacency matrices of a joint layout and the partitions of a joint's neighbourhood (numpy, no torch).

Everywhere `A[k, v, w]` is what joint v gives to joint w in subset k, so that features (..., V) @ A[k] are (..., V).

Partitions, with the number K of subsets:
    uniform        1          one weight for the whole neighbourhood               Yan et al. 2018
    distance       max_hop+1  by hop distance: the joint itself, its neighbours    Yan et al. 2018
    stgcn_spatial  2*max_hop+1  by hop and by whether the giver is closer to the centre; PYSKL's reading of "spatial
                              configuration"
    spatial        3          itself, towards the centre, away from it: the directed form of Shi et al. 2019
    symmetrical    3          itself, neighbours, the joint on the other side of the body   Nagy et al. 2020
    binary         1          plain undirected edges, neither self-links nor scaling        Liu et al. 2020
    random         num_subsets  drawn, to be learnt                                Duan et al. 2022 (DG-STGCN)
"""

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from models.skeleton.layouts import Layout

Adjacency: TypeAlias = NDArray[np.float64]
Partition: TypeAlias = Literal["uniform", "distance", "stgcn_spatial", "spatial", "symmetrical", "binary"]
PARTITIONS: tuple[Partition, ...] = get_args(Partition)


def partition(layout: Layout, kind: Partition, max_hop: int = 1) -> Adjacency:
    """(K, V, V) subsets of the neighbourhood of each joint, scaled so that what a joint receives is an average.

    max_hop: reach of a neighbourhood in bones; "spatial", "symmetrical" and "binary" know 1 only.
    Raises ValueError for a partition that does not exist or cannot reach that far.
    """
    if kind not in PARTITIONS:
        raise ValueError(f"partition {kind!r} is not one of {', '.join(PARTITIONS)}")
    if max_hop < 1 or (max_hop > 1 and kind in {"spatial", "symmetrical", "binary"}):
        raise ValueError(f"partition {kind!r} cannot reach {max_hop} bones")
    if kind == "binary":
        return _undirected(layout)[None]
    if kind == "spatial":
        return _spatial(layout)
    if kind == "symmetrical":
        return _symmetrical(layout)
    hops = hop_distance(layout, max_hop)
    near = normalise_columns((hops <= max_hop).astype(np.float64))
    if kind == "uniform":
        return near[None]
    if kind == "distance":
        return np.stack([np.where(hops == hop, near, 0.0) for hop in range(max_hop + 1)])
    return _stgcn_spatial(layout, hops, near, max_hop)


def random_partition(
    num_joints: int, num_subsets: int, generator: np.random.Generator, offset: float = 0.04, spread: float = 0.02
) -> Adjacency:
    """(K, V, V) normal draws around `offset`: DG-STGCN's start, from which the graph itself is learnt."""
    return generator.normal(offset, spread, (num_subsets, num_joints, num_joints))


def hop_distance(layout: Layout, max_hop: int = 1) -> Adjacency:
    """(V, V) number of bones between two joints; infinite past `max_hop`."""
    step = _undirected(layout) + np.eye(len(layout))
    hops = np.full(step.shape, np.inf)
    for hop in range(max_hop, -1, -1):
        hops[np.linalg.matrix_power(step, hop) > 0] = hop
    return hops


def multi_scale(adjacency: Adjacency, num_scales: int) -> Adjacency:
    """(K, V, V) self-links plus exactly-k-hop neighbours, k = 0..K-1, column-normalised (Liu et al. 2020, MS-G3D)."""
    identity = np.eye(len(adjacency))
    reach = [np.minimum(np.linalg.matrix_power(adjacency + identity, k), 1) for k in range(num_scales)]
    scales = [identity] + [reach[k] - reach[k - 1] + identity for k in range(1, num_scales)]
    return np.stack([normalise_columns(scale) for scale in scales])


def window_graph(adjacency: Adjacency, window_frames: int) -> Adjacency:
    """(W*V, W*V) graph of a window: each joint meets itself and its neighbours in every frame of it (MS-G3D)."""
    return np.tile(adjacency + np.eye(len(adjacency)), (window_frames, window_frames))


def normalise_columns(matrix: Adjacency) -> Adjacency:
    """Divide every column by its sum; an empty column stays empty."""
    total = matrix.sum(axis=0)
    return matrix / np.where(total > 0, total, 1.0)


def normalise_symmetric(subsets: Adjacency, alpha: float = 0.001) -> Adjacency:
    """Λ^-½ A Λ^-½ for each subset with Λ_ii = Σ_j A_ij + α: equation 5 of Nagy et al. 2020.

    subsets: (K, V, V), taken as 0 or 1 where a subset has a link.
    """
    links = (subsets > 0).astype(np.float64)
    scale = (links.sum(axis=2) + alpha) ** -0.5
    scaled: Adjacency = scale[:, :, None] * links * scale[:, None, :]
    return scaled


def _inward(layout: Layout) -> Adjacency:
    matrix = np.zeros((len(layout), len(layout)))
    for joint, parent in layout.edges:
        matrix[parent, joint] = 1
    return matrix


def _undirected(layout: Layout) -> Adjacency:
    inward = _inward(layout)
    return inward + inward.T


def _spatial(layout: Layout) -> Adjacency:
    inward = _inward(layout)
    return np.stack([np.eye(len(layout)), normalise_columns(inward), normalise_columns(inward.T)])


def _symmetrical(layout: Layout) -> Adjacency:
    mirror = np.zeros((len(layout), len(layout)))
    for left, right in layout.pairs:
        mirror[left, right] = mirror[right, left] = 1
    beside = np.where(mirror > 0, 0.0, _undirected(layout))
    near = normalise_columns(np.eye(len(layout)) + beside + mirror)
    return np.stack([np.where(links > 0, near, 0.0) for links in (np.eye(len(layout)), beside, mirror)])


def _stgcn_spatial(layout: Layout, hops: Adjacency, near: Adjacency, max_hop: int) -> Adjacency:
    """Distances past `max_hop` count as equal (both infinite): far from the centre, both directions share a subset."""
    outer = hops[:, layout.centre][:, None] >= hops[:, layout.centre][None, :]
    subsets = []
    for hop in range(max_hop + 1):
        ring = np.where(hops == hop, near, 0.0)
        subsets.append(np.where(outer, ring, 0.0))
        if hop > 0:
            subsets.append(np.where(outer, 0.0, ring))
    return np.stack(subsets)
