"""Heatmap volumes as pictures: all joints or limbs of a frame in one, a video of them, or a sheet of chosen frames."""

import colorsys
from collections.abc import Iterator

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.skeleton.heatmaps import COCO17_LIMBS, joint_heatmaps, limb_heatmaps, to_heatmap_pixels
from pipelines.errors import DatasetInvalid
from pipelines.training.visualize.bodies import Bodies

_GAP_PX = 4
_GAP = 70


def volume_of(bodies: Bodies, size_wh: tuple[int, int], side: int = 56, *, has_limbs: bool = False) -> FloatArray:
    """(V or L, T, side, side) heatmaps as PoseConv3D sees the people; raises DatasetInvalid for joints in space.

    has_limbs: the published limbs of COCO-17, or the bones of another layout, instead of the joints.
    """
    if bodies.joints.shape[-1] != 2:
        raise DatasetInvalid("heatmaps are drawn of joints in a picture, and these are in space")
    pixels = to_heatmap_pixels(bodies.joints, size_wh, (side, side))
    score = bodies.seen.astype(np.float32)
    if not has_limbs:
        return joint_heatmaps(pixels, score, (side, side))
    limbs = COCO17_LIMBS if bodies.layout.name == "coco17" else bodies.layout.edges
    return limb_heatmaps(pixels, score, (side, side), limbs)


def frames_of(volume: FloatArray, size_px: int = 448) -> Iterator[Image]:
    """One (size, size, 3) BGR picture per frame: each map in its own hue, on black; pixels stay visible."""
    colours = _hues(len(volume))
    for frame in range(volume.shape[1]):
        light = np.einsum("vhw,vc->hwc", volume[:, frame], colours)
        picture = np.clip(light, 0, 255).astype(np.uint8)
        yield cv2.resize(picture, (size_px, size_px), interpolation=cv2.INTER_NEAREST)


def sheet(volume: FloatArray, num_frames: int = 16, columns: int = 8, cell_px: int = 168) -> Image:
    """Frames spread over the volume, in rows: (H, W, 3) BGR."""
    index = np.linspace(0, volume.shape[1] - 1, min(num_frames, volume.shape[1])).astype(np.int64)
    cells = list(frames_of(volume[:, index], cell_px))
    return tiled(cells, min(columns, len(cells)))


def channels(volume: FloatArray, frame: int, columns: int = 6, cell_px: int = 168) -> Image:
    """Every map of one frame beside the others, in the order of the channels: (H, W, 3) BGR."""
    cells = []
    for heatmap in volume[:, frame]:
        grey = cv2.resize(
            np.clip(heatmap * 255, 0, 255).astype(np.uint8), (cell_px, cell_px), interpolation=cv2.INTER_NEAREST
        )
        cells.append(np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), np.uint8))
    return tiled(cells, columns)


def tiled(cells: list[Image], columns: int) -> Image:
    """Pictures of one size in rows, a grey line between them."""
    height, width = cells[0].shape[:2]
    rows = -(-len(cells) // columns)
    shape = (rows * (height + _GAP_PX) - _GAP_PX, columns * (width + _GAP_PX) - _GAP_PX, 3)
    picture = np.full(shape, _GAP, np.uint8)
    for index, cell in enumerate(cells):
        top, left = index // columns * (height + _GAP_PX), index % columns * (width + _GAP_PX)
        picture[top : top + height, left : left + width] = cell
    return picture


def _hues(count: int) -> FloatArray:
    """(count, 3) BGR, 0..255."""
    colours = [colorsys.hsv_to_rgb(index / count, 0.75, 1.0)[::-1] for index in range(count)]
    return np.array(colours, np.float32) * 255
