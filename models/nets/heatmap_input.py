"""Makes heatmaps inside the graph, so that a window crosses the bus as keypoints: kilobytes instead of ten megabytes.

The rules are those of models/skeleton/heatmaps.py, in torch operators that ONNX has; a test holds the two together.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.skeleton.heatmaps import COCO17_LIMBS, CROP_PADDING, MIN_SCORE, MIN_SIDE_PX, SIGMA_PX

_REACH = 3 * SIGMA_PX
_FAR = 1e9


class KeypointsToHeatmaps(nn.Module):
    """(B, M, T, V, 3) keypoints in picture pixels with score to (B, V or L, T, H, W) heatmaps.

    limbs: pairs of joints for limb heatmaps; None makes one map per joint.
    Differs from models/skeleton/heatmaps.py for a body of less than 10 pixels: it is cropped to 10, no picture is here.
    """

    def __init__(self, size: int = 56, limbs: Sequence[tuple[int, int]] | None = None) -> None:
        super().__init__()
        self.size = size
        self.limbs = None if limbs is None else tuple(limbs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, T, V, 3) to (B, V or L, T, size, size)."""
        xy, score = self._crop(x[..., :2]), x[..., 2]
        return self._joints(xy, score) if self.limbs is None else self._segments(xy, score, self.limbs)

    def _crop(self, xy: Tensor) -> Tensor:
        """Pixels of the heatmaps: the square around everyone in the clip, truncated corners, 1.25 of the body."""
        B = xy.shape[0]
        known = xy != 0
        points = xy.reshape(B, -1, 2)
        seen = points != 0
        low = torch.where(seen, points, torch.full_like(points, _FAR)).amin(dim=1)
        high = torch.where(seen, points, torch.full_like(points, -_FAR)).amax(dim=1)
        half = ((high - low) / 2 * (1 + CROP_PADDING)).amax(dim=1, keepdim=True).clamp(min=MIN_SIDE_PX / 2)
        centre = (low + high) / 2
        corner, far = torch.trunc(centre - half), torch.trunc(centre + half)
        side = (far - corner)[:, :1].clamp(min=1.0)
        moved = torch.where(known, xy - corner.reshape(B, 1, 1, 1, 2), xy)
        return moved * (self.size / side).reshape(B, 1, 1, 1, 1)

    def _joints(self, xy: Tensor, score: Tensor) -> Tensor:
        maps = self._dots(xy, _peak(score, score))
        return maps.amax(dim=1).transpose(1, 2)

    def _dots(self, xy: Tensor, peak: Tensor) -> Tensor:
        columns, rows = self._profile(xy[..., 0]), self._profile(xy[..., 1])
        return rows.unsqueeze(-1) * (columns * peak.unsqueeze(-1)).unsqueeze(-2)

    def _profile(self, centre: Tensor) -> Tensor:
        pixels = torch.arange(self.size, device=centre.device, dtype=centre.dtype)
        at = centre.unsqueeze(-1)
        inside = (pixels >= torch.trunc(at - _REACH)) & (pixels <= torch.trunc(at + _REACH))
        return torch.exp(-((pixels - at) ** 2) / (2 * SIGMA_PX**2)) * inside.to(centre.dtype)

    def _segments(self, xy: Tensor, score: Tensor, limbs: Sequence[tuple[int, int]]) -> Tensor:
        first, second = ([limb[end] for limb in limbs] for end in (0, 1))
        a, b = xy[..., first, :], xy[..., second, :]
        start, least = score[..., first], torch.minimum(score[..., first], score[..., second])
        near = torch.exp(-self._distance2(a, b) / (2 * SIGMA_PX**2)) * self._window(a, b)
        is_dot = ((a - b) ** 2).sum(dim=-1) < 1
        drawn = torch.where(
            is_dot[..., None, None], self._dots(a, _peak(start, least)), near * _peak(least, least)[..., None, None]
        )
        return drawn.amax(dim=1).transpose(1, 2)

    def _distance2(self, a: Tensor, b: Tensor) -> Tensor:
        pixels = torch.arange(self.size, device=a.device, dtype=a.dtype)
        along = b - a
        length2 = (along**2).sum(dim=-1).clamp(min=1e-6)[..., None, None]
        from_x = (pixels - a[..., 0:1]).unsqueeze(-2)
        from_y = (pixels - a[..., 1:2]).unsqueeze(-1)
        along_x, along_y = along[..., 0, None, None], along[..., 1, None, None]
        share = ((from_x * along_x + from_y * along_y) / length2).clamp(0, 1)
        return (from_x - share * along_x) ** 2 + (from_y - share * along_y) ** 2

    def _window(self, a: Tensor, b: Tensor) -> Tensor:
        pixels = torch.arange(self.size, device=a.device, dtype=a.dtype)
        low, high = torch.trunc(torch.minimum(a, b) - _REACH), torch.trunc(torch.maximum(a, b) + _REACH)
        inside_x = (pixels >= low[..., 0:1]) & (pixels <= high[..., 0:1])
        inside_y = (pixels >= low[..., 1:2]) & (pixels <= high[..., 1:2])
        return (inside_y.unsqueeze(-1) & inside_x.unsqueeze(-2)).to(a.dtype)


class FromKeypoints(nn.Module):
    """A heatmap network that takes keypoints: (B, M, T, V, 3) to (B, K)."""

    def __init__(self, network: nn.Module, size: int = 56, *, has_limbs: bool = False) -> None:
        super().__init__()
        self.heatmaps = KeypointsToHeatmaps(size, COCO17_LIMBS if has_limbs else None)
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, T, V, 3) keypoints in picture pixels with score to (B, K) logits."""
        logits: Tensor = self.network(self.heatmaps(x))
        return logits


def _peak(height: Tensor, score: Tensor) -> Tensor:
    return torch.where(score < MIN_SCORE, torch.zeros_like(height), height)
