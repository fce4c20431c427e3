"""Networks that give one heatmap per joint (HRNet, ViTPose, simple baselines), read as their training wrote them.

The peak alone is a whole number of cells. `default` moves it a quarter of a cell towards the higher neighbour (Newell
et al., 2016); `dark` takes the peak of the Gaussian through it: Zhang et al., "Distribution-Aware Coordinate
Representation for Human Pose Estimation", 2020, with its variant for the unbiased crops of Huang et al., "The Devil is
in the Details: Delving into Unbiased Data Processing for Human Pose Estimation", 2020.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from models.arrays import AnyArray, FloatArray, IntArray
from models.errors import ContractMismatch
from models.runtime.session import Session
from models.runtime.topdown import CropNetwork, TopDownPose
from models.weights.registry import ModelSpec

_BLUR_KERNEL = 11
_DARK_FLOOR = 1e-10
_UDP_RANGE = (1e-3, 50.0)
Moves = NDArray[np.float64]


class HeatmapPose(TopDownPose):
    """Joints from one output (B, V, h, w), a map per joint over the crop.

    Options of the entry: `method`, how a peak is refined (default, dark or none); `blur_kernel`, an odd number of
    cells by which maps are smoothed for dark; `udp`, see TopDownPose.
    """

    def __init__(self, spec: ModelSpec, session: Session, max_batch: int = 16) -> None:
        found = [(output.name, output.shape) for output in session.outputs]
        num_joints = found[0][1][1] if len(found) == 1 and len(found[0][1]) == 4 else None
        if not isinstance(num_joints, int):
            raise ContractMismatch(f"{session.path.name}: found outputs {found}, expected one of (B, V, h, w)")
        method, is_udp = str(spec.decode.get("method", "default")), bool(spec.decode.get("udp", False))
        kernel, size_wh, name = int(spec.number("blur_kernel", _BLUR_KERNEL)), spec.input.size_wh, found[0][0]

        def decode(outputs: Mapping[str, AnyArray]) -> tuple[FloatArray, FloatArray]:
            cells, score = decode_heatmaps(outputs[name].astype(np.float32, copy=False), method, kernel, is_udp)
            return cells * cell_size(outputs[name].shape[2:], size_wh, is_udp), score

        super().__init__(spec, CropNetwork(session, decode, num_joints), max_batch)


def cell_size(shape_hw: tuple[int, ...], size_wh: tuple[int, int], is_udp: bool) -> FloatArray:
    """(2,) crop pixels per cell, x and y; with `is_udp` outermost cells lie on outermost pixels."""
    cells, pixels = np.array(shape_hw[::-1], np.float32), np.array(size_wh, np.float32)
    size: FloatArray = (pixels - 1) / (cells - 1) if is_udp else pixels / cells
    return size


def decode_heatmaps(maps: FloatArray, method: str, kernel: int, is_udp: bool) -> tuple[FloatArray, FloatArray]:
    """Points (B, V, 2) in cells, x and y, and scores (B, V), the peaks' heights cut to 0..1, of maps (B, V, h, w)."""
    flat = maps.reshape(-1, *maps.shape[2:])
    peaks = flat.reshape(len(flat), -1).argmax(axis=1)
    y, x = np.unravel_index(peaks, flat.shape[1:])
    score = flat[np.arange(len(flat)), y, x]
    points = np.stack([x, y], axis=1)
    match method:
        case "dark":
            moves = udp_moves(flat, points, kernel) if is_udp else dark_moves(flat, points, kernel)
        case "none":
            moves = np.zeros(points.shape)
        case _:
            moves = quarter_moves(flat, points)
    refined = (points + moves).astype(np.float32).reshape(*maps.shape[:2], 2)
    return refined, np.clip(score, 0, 1).astype(np.float32).reshape(maps.shape[:2])


def quarter_moves(maps: FloatArray, points: IntArray) -> Moves:
    """(N, 2) a quarter of a cell towards the higher neighbour, but not of peaks near an edge; maps (N, h, w)."""
    rows, x, y = np.arange(len(maps)), points[:, 0], points[:, 1]
    height, width = maps.shape[1:]
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    slope_x = padded[rows, y + 1, x + 2] - padded[rows, y + 1, x]
    slope_y = padded[rows, y + 2, x + 1] - padded[rows, y, x + 1]
    moves_x = np.where((x > 1) & (x < width - 1) & (y > 0), np.sign(slope_x), 0)
    moves_y = np.where((y > 1) & (y < height - 1) & (x > 0), np.sign(slope_y), 0)
    moves: Moves = np.stack([moves_x, moves_y], axis=1) * 0.25
    return moves


def dark_moves(maps: FloatArray, points: IntArray, kernel: int) -> Moves:
    """(N, 2) one Newton step on the logarithm of the smoothed maps, slopes taken over two cells."""
    height, width = maps.shape[1:]
    inner = (points > 1).all(axis=1) & (points[:, 0] < width - 2) & (points[:, 1] < height - 2)
    logs = np.log(np.maximum(_smoothed(maps, kernel), _DARK_FLOOR)).astype(np.float64)
    moves: Moves = np.zeros(points.shape)
    for row in np.flatnonzero(inner):
        x, y = points[row]
        near = logs[row, y - 2 : y + 3, x - 2 : x + 3]
        slope = 0.5 * np.array([near[2, 3] - near[2, 1], near[3, 2] - near[1, 2]])
        bend_x = near[2, 4] - 2 * near[2, 2] + near[2, 0]
        bend_y = near[4, 2] - 2 * near[2, 2] + near[0, 2]
        twist = near[3, 3] - near[1, 3] - near[3, 1] + near[1, 1]
        bend = 0.25 * np.array([[bend_x, twist], [twist, bend_y]])
        if np.linalg.det(bend) != 0:
            moves[row] = -np.linalg.solve(bend, slope)
    return moves


def udp_moves(maps: FloatArray, points: IntArray, kernel: int) -> Moves:
    """(N, 2) the same step with slopes over one cell, also at the edges, where the outermost cell is repeated."""
    logs = np.log(np.clip(_smoothed(maps, kernel), *_UDP_RANGE)).astype(np.float64)
    padded = np.pad(logs, ((0, 0), (1, 1), (1, 1)), mode="edge")
    moves: Moves = np.zeros(points.shape)
    for row, (x, y) in enumerate(points):
        near = padded[row, y : y + 3, x : x + 3]
        slope = 0.5 * np.array([near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]])
        bend_x = near[1, 2] - 2 * near[1, 1] + near[1, 0]
        bend_y = near[2, 1] - 2 * near[1, 1] + near[0, 1]
        sides = near[1, 2] + near[2, 1] + near[1, 0] + near[0, 1]
        twist = 0.5 * (near[2, 2] + near[0, 0] + 2 * near[1, 1] - sides)
        bend = np.array([[bend_x, twist], [twist, bend_y]]) + np.finfo(np.float32).eps * np.eye(2)
        moves[row] = -np.linalg.solve(bend, slope)
    return moves


def _smoothed(maps: FloatArray, kernel: int) -> FloatArray:
    """Each map blurred, nothing coming in from outside, and scaled so that it is as high as before."""
    blurred = np.stack([cv2.GaussianBlur(one, (kernel, kernel), 0, borderType=cv2.BORDER_CONSTANT) for one in maps])
    before, after = maps.max(axis=(1, 2), keepdims=True), blurred.max(axis=(1, 2), keepdims=True)
    scaled: FloatArray = blurred * (before / np.where(after == 0, 1, after))
    return scaled
