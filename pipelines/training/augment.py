"""Windows with everything varied that must not matter: viewpoint, speed, frame rate, mirror, noise; and falls."""

from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray, IntArray
from models.runtime.contract import NONE_LABEL
from pipelines.training.config import AugmentConfig
from pipelines.training.corpus import UNKNOWN, Corpus
from pipelines.training.labels import LabelTable
from pipelines.training.transforms import ANKLES, HIPS, MIRRORED, TORSO, Camera, project, tip, tip_flat


@dataclass(frozen=True, slots=True)
class Windows:
    """Cut windows before they become features.

    joints: (B, T, 17, 3): metres y up where `is_3d`, else pixels y down. seen: (B, T, 17). valid: (B, T).
    label: (B,) UNKNOWN where only `denied` is known. denied: (B,) a bit per label. not_fall: (B,).
    """

    joints: FloatArray
    seen: BoolArray
    valid: BoolArray
    is_3d: BoolArray
    motion: BoolArray
    label: IntArray
    not_fall: BoolArray
    denied: IntArray


@dataclass(frozen=True, slots=True)
class Cut:
    """Where windows lie in time, one value per window.

    end_s:   end of the window, seconds from its clip's start.
    speed:   seconds of the clip per second of the window.
    step:    frames of the clip between two that are looked at; more than 1 plays a slower camera.
    held_valid: whether frames beyond the clip's ends count as seen.
    """

    end_s: FloatArray
    speed: FloatArray
    step: FloatArray
    held_valid: BoolArray


def cut(corpus: Corpus, index: IntArray, where: Cut, num_frames: int, rate_hz: float) -> Windows:
    """Windows of the clips `index`, resampled to the network's rate; the ends of a clip are held."""
    back_s = (num_frames - 1 - np.arange(num_frames)) / rate_hz
    position = (where.end_s[:, None] - back_s * where.speed[:, None]) * corpus.rate_hz[index, None]
    last = (corpus.count[index] - 1)[:, None]
    step = where.step[:, None]
    outside = (position < -0.5) | (position > last + 0.5)
    position = np.clip(position, 0, last)
    low = np.minimum(np.rint(np.floor(position / step) * step), last).astype(np.int64)
    high = np.minimum(np.rint((np.floor(position / step) + 1) * step), last).astype(np.int64)
    share = np.clip((position - low) / np.maximum(high - low, 1), 0, 1).astype(np.float32)
    first = corpus.first[index][:, None]
    start, stop = corpus.joints[first + low], corpus.joints[first + high]
    nearest = first + np.where(share < 0.5, low, high)
    return Windows(
        joints=start + (stop - start) * share[..., None, None],
        seen=corpus.seen[nearest],
        valid=~outside | where.held_valid[:, None],
        is_3d=corpus.is_3d[index],
        motion=corpus.motion[index],
        label=corpus.label[index],
        not_fall=corpus.not_fall[index],
        denied=corpus.denied[index],
    )


def centred(corpus: Corpus, index: IntArray, window_s: float) -> Cut:
    """The one window of each clip that is measured: its middle, at its own speed and rate."""
    middle = (corpus.low_s[index] + corpus.high_s[index]) / 2
    middle = np.where(corpus.label[index] >= 0, middle, np.maximum(middle, window_s))
    one = np.ones(len(index), np.float32)
    return Cut(middle.astype(np.float32), one, one, np.ones(len(index), np.bool_))


def random_cut(corpus: Corpus, index: IntArray, config: AugmentConfig, generator: np.random.Generator) -> Cut:
    """A random place, speed and frame rate within each clip."""
    B = len(index)
    low, high = corpus.low_s[index], np.maximum(corpus.low_s[index], corpus.high_s[index])
    speed = np.exp(generator.uniform(-1, 1, B) * np.log(config.speed))
    slow = generator.random(B) < config.low_rate_share
    rate = generator.uniform(config.low_rate_hz, 15, B)
    step = np.where(slow, np.maximum(corpus.rate_hz[index] / rate, 1), 1)
    return Cut(
        generator.uniform(low, high).astype(np.float32),
        speed.astype(np.float32),
        step.astype(np.float32),
        generator.random(B) < 0.5,
    )


def to_picture(windows: Windows, camera: Camera) -> FloatArray:
    """(B, T, 17, 3) x and y in pixels and score: 3D through a camera each, 2D as it is."""
    xy = windows.joints[..., :2].copy()
    if windows.is_3d.any():
        rows = windows.is_3d
        mine = Camera(
            camera.azimuth[rows], camera.elevation[rows], camera.roll[rows], camera.distance_m[rows],
            camera.offset_m[rows],
        )  # fmt: skip
        xy[rows] = project(windows.joints[rows], mine)
    return np.concatenate([xy, windows.seen[..., None]], -1).astype(np.float32)


def plain_camera(B: int, azimuth: float = 0.0) -> Camera:
    """The camera that reports use: level, in front, three and a half metres away."""
    zero = np.zeros(B)
    return Camera(np.full(B, azimuth), zero, zero, np.full(B, 3.5), np.zeros((B, 2)))


def random_camera(B: int, config: AugmentConfig, generator: np.random.Generator) -> Camera:
    """Any side, mostly level and sometimes from above, near and far, aimed beside the person."""
    level = generator.uniform(-5, 15, B)
    above = generator.uniform(10, config.elevation_deg, B)
    return Camera(
        azimuth=generator.uniform(0, 2 * np.pi, B),
        elevation=np.radians(np.where(generator.random(B) >= config.above_share, level, above)),
        roll=np.radians(generator.normal(0, 3, B)),
        distance_m=generator.uniform(2.2, 8, B),
        offset_m=generator.uniform(-0.8, 0.8, (B, 2)),
    )


_SLOW = 5
"""Frames over which slow noise is averaged: a third of a second."""
_REAL_FALL_LATE = 4
"""Frames of a real fall's window that may be unseen: its onset is known only roughly."""


class Augment:
    """Random windows of a corpus, ready for the feature function."""

    def __init__(self, config: AugmentConfig, table: LabelTable, num_frames: int, rate_hz: float) -> None:
        self.config = config
        self.num_frames = num_frames
        self.rate_hz = rate_hz
        self._fall, self._lie = table.index("fall"), table.index("lie")
        self._drifting = np.array([table.index(name) for name, action in table.actions.items() if action.travels])

    def __call__(
        self, corpus: Corpus, index: IntArray, tipped: BoolArray, generator: np.random.Generator
    ) -> tuple[FloatArray, BoolArray, IntArray, IntArray]:
        """Keypoints (B, T, 17, 3), valid (B, T), label (B,), denied (B,) as in a corpus; 0 where somebody is tipped.

        tipped: (B,) the windows whose person is made to fall or to lie.
        """
        windows = cut(corpus, index, random_cut(corpus, index, self.config, generator), self.num_frames, self.rate_hz)
        label = windows.label.copy()
        falls = _Falls.draw(int(tipped.sum()), self.num_frames, self.rate_hz, generator)
        windows = self._mirror(windows, generator)
        if tipped.any():
            windows.joints[tipped] = falls.apply(windows.joints[tipped], windows.is_3d[tipped])
            label[tipped] = np.where(falls.is_down, self._lie, self._fall)
        keypoints = to_picture(windows, random_camera(len(index), self.config, generator))
        flat = ~windows.is_3d
        keypoints[flat] = _warp(keypoints[flat], generator)
        drift = ~windows.motion & np.isin(label, self._drifting) & (generator.random(len(index)) < 0.5)
        keypoints[drift] = _drift(keypoints[drift], generator)
        keypoints = self._worsen(keypoints, generator)
        most = np.where(label == self._fall, _REAL_FALL_LATE, self.num_frames // 2)
        most[tipped] = np.minimum(self.num_frames // 2, falls.onset)
        return keypoints, windows.valid & ~self._late(most, generator), label, np.where(tipped, 0, windows.denied)

    def _late(self, most: IntArray, generator: np.random.Generator) -> BoolArray:
        """(B, T) frames before a person came into sight, at most `most` (B,) of them: a fall unseen is no fall."""
        first = generator.integers(0, most + 1) * (generator.random(len(most)) < self.config.late_share)
        return np.asarray(np.arange(self.num_frames) < first[:, None])

    def _mirror(self, windows: Windows, generator: np.random.Generator) -> Windows:
        rows = generator.random(len(windows.label)) < 0.5
        windows.joints[rows] = windows.joints[rows][:, :, MIRRORED] * np.array([-1, 1, 1], np.float32)
        windows.seen[rows] = windows.seen[rows][:, :, MIRRORED]
        return windows

    def _worsen(self, keypoints: FloatArray, generator: np.random.Generator) -> FloatArray:
        """Noise, lost joints, lost frames, and the picture's edge."""
        B, T, V, _ = keypoints.shape
        spread = keypoints[..., 5:, :2].std(axis=(1, 2)).mean(axis=-1) * 2
        amount = generator.uniform(0, self.config.noise, B) * spread
        keypoints[..., :2] += generator.normal(0, 1, (B, T, V, 2)) * amount[:, None, None, None]
        keypoints[..., :2] += self._wobble(keypoints.shape, generator) * spread[:, None, None, None]
        lost = np.zeros((B, T, V), np.bool_)
        for row in np.flatnonzero(generator.random(B) < self.config.lost_joints_share):
            joints = generator.choice(V, generator.integers(1, 5), replace=False)
            start, length = generator.integers(0, T), generator.integers(2, T + 1)
            lost[row, start : start + length, joints[:, None]] = True
        for row in np.flatnonzero(generator.random(B) < self.config.lost_frames_share):
            lost[row, generator.random(T) < generator.uniform(0, 0.3)] = True
        for row in np.flatnonzero(generator.random(B) < self.config.edge_share):
            lost[row] |= _beyond(keypoints[row, ..., :2], generator)
        keypoints[..., 2] *= ~lost
        return keypoints

    def _wobble(self, shape: tuple[int, ...], generator: np.random.Generator) -> AnyArray:
        """(B, T, V, 2) noise of a quarter of the joints of some windows, half of it slow, in body sizes."""
        B, T, V, _ = shape
        some = (generator.random((B, 1, V, 1)) < 0.25) & (generator.random((B, 1, 1, 1)) < self.config.wobble_share)
        amount = generator.uniform(0, self.config.wobble, (B, 1, V, 1)) * some
        fast = generator.normal(0, 0.7, (B, T, V, 2))
        steps = np.pad(np.cumsum(generator.normal(0, 1, (B, T, V, 2)), axis=1), ((0, 0), (_SLOW, 0), (0, 0), (0, 0)))
        slow = (steps[:, _SLOW:] - steps[:, :-_SLOW]) / np.sqrt(2 * _SLOW)
        return np.asarray((fast + slow) * amount)


def _beyond(xy: FloatArray, generator: np.random.Generator) -> BoolArray:
    """(T, V) joints beyond a picture's edge laid through the person: right, left or, mostly, below."""
    axis, sign = [(0, 1), (0, -1), (1, 1), (1, 1)][generator.integers(4)]
    values = xy[:, 5:, axis] * sign
    edge = np.quantile(values, generator.uniform(0.7, 1.0))
    outside: BoolArray = np.asarray(xy[..., axis] * sign > edge)
    return outside


def _warp(keypoints: FloatArray, generator: np.random.Generator) -> FloatArray:
    """2D seen a little differently: turned, stretched, sheared."""
    B = len(keypoints)
    angle = np.radians(generator.normal(0, 5, B))
    stretch = np.exp(generator.normal(0, 0.1, (B, 2)))
    shear = generator.normal(0, 0.05, B)
    sine, cosine = np.sin(angle), np.cos(angle)
    matrix = np.stack([np.stack([cosine, -sine + shear], -1), np.stack([sine, cosine], -1)], -2) * stretch[:, None]
    warped = keypoints.copy()
    warped[..., :2] = np.einsum("bij,btvj->btvi", matrix, keypoints[..., :2])
    return warped


def _drift(keypoints: FloatArray, generator: np.random.Generator) -> FloatArray:
    """A path across the picture for walkers whose set has none: up to two torsos a second, either way."""
    B, T = keypoints.shape[:2]
    torso = np.linalg.norm(
        keypoints[:, :, TORSO[:2], :2].mean(axis=2) - keypoints[:, :, HIPS, :2].mean(axis=2), axis=-1
    )
    speed = generator.uniform(-2, 2, B) * np.median(torso, axis=1)
    moved = keypoints.copy()
    moved[..., 0] += (speed[:, None] * np.arange(T) / 15)[..., None]
    return moved


@dataclass(frozen=True, slots=True)
class _Falls:
    """Random falls: how far each body has tipped.

    angle, bend: (B, T) radians. heading: (B,) radians. shorten: (B, T). frozen: (B,) frame from which the body is
    still. onset: (B,) frame from which it tips, T for a body that lies already. is_down: (B,) whether it does.
    """

    angle: AnyArray
    bend: AnyArray
    heading: AnyArray
    shorten: AnyArray
    frozen: IntArray
    onset: IntArray
    is_down: BoolArray

    @staticmethod
    def draw(B: int, T: int, rate_hz: float, generator: np.random.Generator) -> "_Falls":
        window_s = T / rate_hz
        duration = generator.uniform(0.4, 0.9, B)
        is_down = generator.random(B) < 0.35
        # A fall counts while its ground contact lies 0.5 s or more inside the window, or is about to come.
        ground = np.where(is_down, generator.uniform(-1.0, 0.2, B), generator.uniform(0.6, window_s + 0.15, B))
        share = (np.arange(T) / rate_hz - (ground - duration)[:, None]) / duration[:, None]
        progress = np.clip(share, 0, 1) ** 2
        final = np.radians(generator.uniform(75, 95, B))
        bend = np.radians(generator.normal(0, 20, B))
        return _Falls(
            angle=progress * final[:, None],
            bend=progress * bend[:, None],
            heading=generator.uniform(0, 2 * np.pi, B),
            shorten=progress * generator.uniform(0, 0.6, B)[:, None],
            frozen=np.clip(np.rint((ground + generator.uniform(-0.2, 0.2, B)) * rate_hz), 0, T - 1).astype(np.int64),
            onset=np.where(is_down, T, np.clip(np.rint((ground - duration) * rate_hz) + 1, 0, T)).astype(np.int64),
            is_down=is_down,
        )

    def apply(self, joints: FloatArray, is_3d: BoolArray) -> FloatArray:
        """Tip bodies (B, T, 17, 3); from the ground on they hardly move of themselves."""
        B, T = joints.shape[:2]
        frame = np.minimum(np.arange(T), self.frozen[:, None])
        still = joints[np.arange(B)[:, None], frame]
        fallen = still + 0.05 * (joints - still) * (np.arange(T) > self.frozen[:, None])[..., None, None]
        fallen[is_3d] = tip(fallen[is_3d], self.angle[is_3d], self.bend[is_3d], self.heading[is_3d])
        flat = ~is_3d
        side = np.sign(np.cos(self.heading[flat]))[:, None]
        fallen[flat, ..., :2] = tip_flat(fallen[flat][..., :2], self.angle[flat] * side, self.shorten[flat])
        return fallen.astype(np.float32)


def sources_for_falls(corpus: Corpus, table: LabelTable) -> IntArray:
    """Clips of upright people that may be tipped."""
    names = [*(name for name, action in table.actions.items() if action.may_tip), NONE_LABEL]
    upright = [table.index(name) for name in names]
    whole = corpus.seen[corpus.first][:, [*HIPS, *ANKLES]].all(axis=1)
    return np.flatnonzero(np.isin(corpus.label, upright) & whole & (corpus.label != UNKNOWN))
