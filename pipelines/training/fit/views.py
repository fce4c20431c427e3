"""What a network is shown of a sequence: a random view in training, the same views every time at test.

A view is an array or, for pictures and heatmaps, a pair; `Maker.train` gives one, `Maker.test` a stack of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.skeleton.features import EVERYDAY13_CHANNELS, require_features
from models.skeleton.heatmaps import COCO17_LIMBS, to_heatmap_pixels
from models.skeleton.layouts import Layout, require_layout
from models.skeleton.pyskl_features import (
    Feature,
    features,
    format_people,
    normalise_2d,
    normalise_3d,
    sample_for_test,
    sample_for_training,
)
from pipelines.training.fit.pictures import PictureSource, cut_pictures
from pipelines.training.fit.sequences import Sequences, SkeletonSequence
from pipelines.training.fit.vary import crop_to, mirrored_2d, vary, with_lost_joints
from pipelines.training.recipe import Recipe
from pipelines.training.recipe_sections import Stream
from pipelines.training.transforms import Camera, project

View: TypeAlias = tuple[FloatArray, ...]
"""The inputs of a network for one clip, or for several with an axis before."""

_FEATURE: dict[Stream, Feature] = {"joint": "j", "bone": "b", "joint_motion": "jm", "bone_motion": "bm"}
_PICTURE_HW = (1080, 1920)
_COMPACT_PX = 64
"""Side of the picture that people are cut to before heatmaps are cropped from it (PYSKL's recipes)."""


class FixedViews(Protocol):
    """Turns sequences into the views by which a network is measured; all that an exported file needs."""

    def prepare(self, sequences: Sequences) -> Sequences:
        """What is the same in every view, done once."""
        ...

    def test(self, sequence: SkeletonSequence, clips: int, has_flip: bool) -> View:
        """(views, ...) all clips, then all of them in a mirror."""
        ...


class Maker(FixedViews, Protocol):
    """The same, and the random views from which a network learns."""

    def train(self, sequence: SkeletonSequence, generator: np.random.Generator) -> View:
        """One random view."""
        ...


def build_maker(recipe: Recipe, pictures: PictureSource | None = None) -> Maker:
    """The maker that a recipe's features name."""
    kinds: dict[str, Callable[[], Maker]] = {
        "everyday13": lambda: EverydayViews(recipe),
        "pyskl-2d": lambda: JointViews(recipe),
        "pyskl-3d": lambda: JointViews(recipe),
        "heatmap": lambda: HeatmapViews(recipe),
        "rgbpose": lambda: PictureViews(recipe, pictures),
    }
    return kinds[recipe.input.features]()


def network_layout(recipe: Recipe) -> Layout:
    """The joints that the network itself sees."""
    return require_layout("body13" if recipe.input.features == "everyday13" else recipe.input.layout)


def in_channels(recipe: Recipe) -> int:
    """Values per joint."""
    return EVERYDAY13_CHANNELS if recipe.input.features == "everyday13" else 3


def limbs_of(layout: Layout) -> tuple[tuple[int, int], ...]:
    """The limbs of limb heatmaps: PoseConv3D's for COCO-17, the bones of any other layout."""
    return COCO17_LIMBS if layout.name == "coco17" else layout.edges


class JointViews:
    """PYSKL's way with joints: normalised, varied, bones or motions, sampled uniformly, one slot per person."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.layout = require_layout(recipe.input.layout)
        self.is_3d = recipe.input.features == "pyskl-3d"

    def prepare(self, sequences: Sequences) -> Sequences:
        """Joints in the scale that PYSKL's networks learn from."""
        return replace(sequences, items=tuple(self._normalised(item) for item in sequences.items))

    def train(self, sequence: SkeletonSequence, generator: np.random.Generator) -> View:
        """(M, T, V, 3)."""
        augment, given = self.recipe.augment, self.recipe.input
        keypoint = vary(sequence.keypoint, self.layout, augment, generator, self.is_3d)
        made = features(keypoint, self.layout, [_FEATURE[given.stream]])
        legacy = np.random.RandomState(generator.integers(2**31))
        index = sample_for_training(sequence.num_frames, given.num_frames, legacy, kept=augment.kept)
        return (_people(made[:, index], given.num_persons, 1)[0],)

    def test(self, sequence: SkeletonSequence, clips: int, has_flip: bool) -> View:
        """(views, M, T, V, 3)."""
        given = self.recipe.input
        index = sample_for_test(sequence.num_frames, given.num_frames, clips)
        sides = [sequence.keypoint]
        if has_flip:
            sides.append(mirrored_2d(sequence.keypoint, self.layout))
        made = [features(side, self.layout, [_FEATURE[given.stream]])[:, index] for side in sides]
        return (np.concatenate([_people(part, given.num_persons, clips) for part in made]),)

    def _normalised(self, item: SkeletonSequence) -> SkeletonSequence:
        keypoint = item.keypoint[: max(2, self.recipe.input.num_persons)]
        if self.is_3d:
            found = np.asarray(normalise_3d(keypoint), np.float32)
            # People of whom no frame is left keep their zeros.
            return replace(item, keypoint=found if found.shape[1] else np.zeros_like(keypoint))
        is_auto = self.recipe.input.normalise == "auto"
        return replace(item, keypoint=normalise_2d(keypoint, item.shape_hw or _PICTURE_HW, is_auto=is_auto))


class HeatmapViews:
    """PoseConv3D's way: people cut out, clips sampled uniformly, crops and mirrors; the maps are drawn on the device.

    Views are (M, T, V, 3) joints in pixels of the heatmaps, and score.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.layout = require_layout(recipe.input.layout)
        self.side = recipe.input.side
        self.test_side = recipe.test.side or recipe.input.side

    def prepare(self, sequences: Sequences) -> Sequences:
        """Sequences as they are: what is cut out depends on the frames of a clip."""
        return sequences

    def train(self, sequence: SkeletonSequence, generator: np.random.Generator) -> View:
        """(M, T, V, 3)."""
        given, augment = self.recipe.input, self.recipe.augment
        legacy = np.random.RandomState(generator.integers(2**31))
        index = sample_for_training(sequence.num_frames, given.num_frames, legacy, kept=augment.kept)
        clip = _compact(sequence, index, (_COMPACT_PX, _COMPACT_PX))
        clip = with_lost_joints(clip, augment.drop_joint, generator)
        clip = crop_to(clip, _COMPACT_PX, self.side, augment.crop_area, generator)
        if generator.random() < augment.mirror:
            clip = _in_mirror(clip, self.layout, self.side)
        return (_people(clip, given.num_persons, 1)[0],)

    def test(self, sequence: SkeletonSequence, clips: int, has_flip: bool) -> View:
        """(views, M, T, V, 3)."""
        given = self.recipe.input
        index = sample_for_test(sequence.num_frames, given.num_frames, clips)
        clip = _compact(sequence, index, (self.test_side, self.test_side))
        sides = [clip, _in_mirror(clip, self.layout, self.test_side)] if has_flip else [clip]
        return (np.concatenate([_people(side, given.num_persons, clips) for side in sides]),)


class PictureViews:
    """RGBPose's way: heatmaps as PoseConv3D, and crops of the same people, a quarter as many frames."""

    def __init__(self, recipe: Recipe, pictures: PictureSource | None) -> None:
        self.recipe = recipe
        self.heatmaps = HeatmapViews(recipe)
        self.pictures = pictures

    def prepare(self, sequences: Sequences) -> Sequences:
        """Sequences as they are."""
        return sequences

    def train(self, sequence: SkeletonSequence, generator: np.random.Generator) -> View:
        """Pictures (3, T/4, 4 side, 4 side) and joints (M, T, V, 3)."""
        given, side = self.recipe.input, self.recipe.input.side
        legacy = np.random.RandomState(generator.integers(2**31))
        index = sample_for_training(sequence.num_frames, given.num_frames, legacy, kept=self.recipe.augment.kept)
        clip = _compact(sequence, index, (side, side))
        shown = sample_for_training(sequence.num_frames, given.num_frames // 4, legacy, kept=self.recipe.augment.kept)
        pictures = cut_pictures(self.pictures, sequence.name, shown, sequence.keypoint[:, index], 4 * side)
        if generator.random() < self.recipe.augment.mirror:
            clip, pictures = _in_mirror(clip, self.heatmaps.layout, side), pictures[..., ::-1]
        return np.ascontiguousarray(pictures), _people(clip, given.num_persons, 1)[0]

    def test(self, sequence: SkeletonSequence, clips: int, has_flip: bool) -> View:
        """(views, 3, T/4, 4 side, 4 side) and (views, M, T, V, 3)."""
        given, side = self.recipe.input, self.heatmaps.test_side
        index = sample_for_test(sequence.num_frames, given.num_frames, clips).reshape(clips, -1)
        frames = sample_for_test(sequence.num_frames, given.num_frames // 4, clips).reshape(clips, -1)
        shown = [
            cut_pictures(self.pictures, sequence.name, frame, sequence.keypoint[:, clip], 4 * side)
            for frame, clip in zip(frames, index, strict=True)
        ]
        if has_flip:
            shown += [picture[..., ::-1] for picture in shown[:clips]]
        return np.ascontiguousarray(np.stack(shown)), self.heatmaps.test(sequence, clips, has_flip)[0]


class EverydayViews:
    """The product's own way: windows of seconds at one rate, thirteen joints of one person with their velocity."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.layout = require_layout("coco17")
        self._features = require_features("everyday13")

    def prepare(self, sequences: Sequences) -> Sequences:
        """Sequences as they are: windows are cut by time."""
        return sequences

    def train(self, sequence: SkeletonSequence, generator: np.random.Generator) -> View:
        """(1, T, 13, 5)."""
        turned = _flat(sequence.keypoint[0], float(generator.uniform(-1, 1)) * self.recipe.augment.rotate_deg)
        varied = vary(turned[None], self.layout, self.recipe.augment.flat(), generator, is_3d=False)[0]
        return (self._window(varied, sequence.rate_hz, float(generator.random()))[None],)

    def test(self, sequence: SkeletonSequence, clips: int, has_flip: bool) -> View:
        """(views, 1, T, 13, 5)."""
        joints = _flat(sequence.keypoint[0], 0.0)
        sides = [joints, mirrored_2d(joints[None], self.layout)[0]] if has_flip else [joints]
        places = [(index + 0.5) / clips for index in range(clips)]
        return (np.stack([self._window(side, sequence.rate_hz, place)[None] for side in sides for place in places]),)

    def _window(self, joints: FloatArray, rate_hz: float, place: float) -> FloatArray:
        """(T, 13, 5) of the window at a share of the way through (T', 17, 3); a short sequence is held at its ends."""
        given = self.recipe.input
        last = len(joints) - 1
        span = (given.num_frames - 1) * rate_hz / given.rate_hz
        start = (last - span) * place
        position = np.clip(start + np.arange(given.num_frames) * rate_hz / given.rate_hz, 0, last)
        low = np.floor(position).astype(np.int64)
        share = (position - low).astype(np.float32)[:, None, None]
        high = np.minimum(low + 1, last)
        window = joints[low] * (1 - share) + joints[high] * share
        window[..., 2] = np.where(share[..., 0] < 0.5, joints[low][..., 2], joints[high][..., 2])
        return self._features(window, np.ones(len(window), np.bool_))


def _flat(joints: FloatArray, azimuth_deg: float) -> FloatArray:
    """(T, 17, 3) x, y and score: 2D as it is, (T, 17, 4) with depth through a level camera at that angle."""
    if joints.shape[-1] == 3:
        return joints
    zero = np.zeros(1)
    camera = Camera(np.full(1, np.radians(azimuth_deg)), zero, zero, np.full(1, 3.5), np.zeros((1, 2)))
    xy = project(joints[None, ..., :3], camera)[0]
    return np.concatenate([xy, joints[..., 3:]], axis=-1).astype(np.float32)


def _people(values: AnyArray, num_persons: int, clips: int) -> FloatArray:
    """(clips, M, T, V, C) of (M', clips*T, V, C)."""
    return np.asarray(format_people(values, num_persons, clips), np.float32)


def _compact(sequence: SkeletonSequence, index: AnyArray, heatmap_hw: tuple[int, int]) -> FloatArray:
    """(M, T, V, 3) joints of some frames in pixels of heatmaps that show everyone."""
    keypoint = sequence.keypoint[:, index]
    height, width = sequence.shape_hw or _PICTURE_HW
    xy = to_heatmap_pixels(keypoint[..., :2], (width, height), heatmap_hw)
    return np.concatenate([xy, keypoint[..., 2:]], axis=-1)


def _in_mirror(clip: FloatArray, layout: Layout, side: int) -> FloatArray:
    """Heatmap pixels swapped left for right, and left joints for right ones."""
    found = clip[:, :, list(layout.mirrored)]
    return np.concatenate([side - 1 - found[..., :1], found[..., 1:]], axis=-1)


def stack(views: Sequence[View]) -> View:
    """Views of several sequences as one batch."""
    return tuple(np.stack(parts) for parts in zip(*views, strict=True))
