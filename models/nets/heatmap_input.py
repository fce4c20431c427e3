"""Makes heatmaps inside the graph, so that a window crosses the bus as keypoints: kilobytes instead of ten megabytes.

The rules are those of models/skeleton/heatmaps.py, in torch operators that ONNX has; a test holds the two together.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.skeleton.heatmaps import COCO17_LIMBS, CROP_PADDING, MIN_SCORE, MIN_SIDE_PX, SIGMA_PX

_FAR = 1e9


class KeypointsToHeatmaps(nn.Module):
    """(B, M, T, V, 3) keypoints in picture pixels with score to (B, V or L, T, H, W) heatmaps.

    limbs:    pairs of joints for limb heatmaps; None makes one map per joint.
    sigma_px: of the Gaussians, in pixels of the heatmaps.
    """

    def __init__(
        self, size: int = 56, limbs: Sequence[tuple[int, int]] | None = None, sigma_px: float = SIGMA_PX
    ) -> None:
        super().__init__()
        self.size = size
        self.limbs = None if limbs is None else tuple(limbs)
        self.sigma_px = sigma_px

    def forward(self, x: Tensor, size_wh: Tensor | None = None) -> Tensor:
        """(B, M, T, V, 3) to (B, V or L, T, size, size).

        size_wh: (B, 2) width and height of the pictures, which a body of less than 10 pixels is shown in; without it,
        such a body is cropped to 10 pixels, the one difference to models/skeleton/heatmaps.py.
        """
        xy, score = self._crop(x[..., :2], size_wh), x[..., 2]
        return self._joints(xy, score) if self.limbs is None else self._segments(xy, score, self.limbs)

    def _crop(self, xy: Tensor, size_wh: Tensor | None) -> Tensor:
        """Pixels of the heatmaps: the square around everyone in the clip, truncated corners, 1.25 of the body."""
        B = xy.shape[0]
        points = xy.reshape(B, -1, 2)
        seen = points != 0
        low = torch.where(seen, points, torch.full_like(points, _FAR)).amin(dim=1)
        high = torch.where(seen, points, torch.full_like(points, -_FAR)).amax(dim=1)
        # Double precision where a corner is truncated, as in NumPy: a pixel more or less shows.
        half = ((high - low).double() / 2 * (1 + CROP_PADDING)).amax(dim=1, keepdim=True).clamp(min=MIN_SIDE_PX / 2)
        centre = (low + high).double() / 2
        corner, far = torch.trunc(centre - half), torch.trunc(centre + half)
        if size_wh is not None:
            is_tiny = ((high - low) < MIN_SIDE_PX).any(dim=1, keepdim=True)
            corner = torch.where(is_tiny, torch.zeros_like(corner), corner)
            far = torch.where(is_tiny, size_wh.to(far.dtype), far)
        sides = (far - corner).clamp(min=1.0)
        moved = torch.where(xy != 0, xy - corner.to(xy.dtype).reshape(B, 1, 1, 1, 2), xy)
        return moved * (self.size / sides).to(xy.dtype).reshape(B, 1, 1, 1, 2)

    def _joints(self, xy: Tensor, score: Tensor) -> Tensor:
        maps = self._dots(xy, _peak(score, score))
        return maps.amax(dim=1).transpose(1, 2)

    def _dots(self, xy: Tensor, peak: Tensor) -> Tensor:
        columns, rows = self._profile(xy[..., 0]), self._profile(xy[..., 1])
        return rows.unsqueeze(-1) * (columns * peak.unsqueeze(-1)).unsqueeze(-2)

    def _profile(self, centre: Tensor) -> Tensor:
        distance2 = (self._pixels(centre) - centre.unsqueeze(-1)) ** 2
        return torch.exp(-distance2 / (2 * self.sigma_px**2)) * self._inside(centre, centre).to(centre.dtype)

    def _segments(self, xy: Tensor, score: Tensor, limbs: Sequence[tuple[int, int]]) -> Tensor:
        first, second = ([limb[end] for limb in limbs] for end in (0, 1))
        a, b = xy[..., first, :], xy[..., second, :]
        start, least = score[..., first], torch.minimum(score[..., first], score[..., second])
        near = torch.exp(-self._distance2(a, b) / (2 * self.sigma_px**2)) * self._window(a, b)
        is_dot = ((a - b) ** 2).sum(dim=-1) < 1
        drawn = torch.where(
            is_dot[..., None, None], self._dots(a, _peak(start, least)), near * _peak(least, least)[..., None, None]
        )
        return drawn.amax(dim=1).transpose(1, 2)

    def _distance2(self, a: Tensor, b: Tensor) -> Tensor:
        pixels, along = self._pixels(a), b - a
        length2 = (along**2).sum(dim=-1).clamp(min=1e-6)[..., None, None]
        from_x = (pixels - a[..., 0:1]).unsqueeze(-2)
        from_y = (pixels - a[..., 1:2]).unsqueeze(-1)
        along_x, along_y = along[..., 0, None, None], along[..., 1, None, None]
        share = ((from_x * along_x + from_y * along_y) / length2).clamp(0, 1)
        return (from_x - share * along_x) ** 2 + (from_y - share * along_y) ** 2

    def _window(self, a: Tensor, b: Tensor) -> Tensor:
        low, high = torch.minimum(a, b), torch.maximum(a, b)
        inside_x, inside_y = (self._inside(low[..., axis], high[..., axis]) for axis in (0, 1))
        return (inside_y.unsqueeze(-1) & inside_x.unsqueeze(-2)).to(a.dtype)

    def _inside(self, low: Tensor, high: Tensor) -> Tensor:
        """Which pixels of an axis a window covers, its ends truncated towards zero: (...) twice to (..., size)."""
        reach, pixels = 3 * self.sigma_px, self._pixels(low).double()
        first, last = torch.trunc(low.double() - reach), torch.trunc(high.double() + reach)
        return (pixels >= first.unsqueeze(-1)) & (pixels <= last.unsqueeze(-1))

    def _pixels(self, like: Tensor) -> Tensor:
        return torch.arange(self.size, device=like.device, dtype=like.dtype)


class FromKeypoints(nn.Module):
    """A heatmap network that takes keypoints: (B, M, T, V, 3) to (B, K).

    has_limbs: the maps are those of COCO17_LIMBS rather than of the joints. A checkpoint does not say which it was
    trained on, both have 17 maps: whoever imports one must.
    """

    def __init__(self, network: nn.Module, size: int = 56, *, has_limbs: bool = False) -> None:
        super().__init__()
        self.heatmaps = KeypointsToHeatmaps(size, COCO17_LIMBS if has_limbs else None)
        self.network = network

    def forward(self, x: Tensor, size_wh: Tensor | None = None) -> Tensor:
        """(B, M, T, V, 3) keypoints in picture pixels with score to (B, K) logits; `size_wh` as above."""
        logits: Tensor = self.network(self.heatmaps(x, size_wh))
        return logits


def _peak(height: Tensor, score: Tensor) -> Tensor:
    return torch.where(score < MIN_SCORE, torch.zeros_like(height), height)
