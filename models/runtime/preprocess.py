"""Windows of people to the inputs of an action network: one function per kind of features of the contract."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray, Image, IntArray
from models.errors import ContractMismatch
from models.runtime.contract import ActionContract
from models.runtime.picture_clip import picture_clip
from models.skeleton.features import require_features
from models.skeleton.layouts import require_layout
from models.skeleton.network_input import draw_heatmaps, graph_input_2d, graph_input_3d
from models.skeleton.pyskl_features import sample_for_test

Pictures = Sequence[Image]
"""One picture per sample of a window, each as large or smaller than the source's, of the same aspect."""


@dataclass(frozen=True, slots=True)
class People:
    """A batch of windows, each of one person to judge and of who is near.

    keypoints: (B, M, T, V, C) pixels and score, or metres in space; person 0 is judged, absent people are zeros.
    valid:     (B, M, T) bool, False where a person was not seen.
    size_wh:   (B, 2) of the pictures, in pixels; None where the keypoints are in no picture.
    pictures:  per window, for networks that look at them; empty for all others.
    """

    keypoints: AnyArray
    valid: BoolArray
    size_wh: FloatArray | None = None
    pictures: Sequence[Pictures] = ()

    def __len__(self) -> int:
        return len(self.keypoints)


Feeds = dict[str, AnyArray]


def network_feeds(contract: ActionContract, people: People) -> Feeds:
    """What the network of this contract is fed; raises ContractMismatch where people lack what it needs."""
    return _FEATURES[contract.features](contract, people)


def _everyday(contract: ActionContract, people: People) -> Feeds:
    """(B, T, V, C); a network that tells people apart gets one person per window."""
    spec = contract.inputs[0]
    features = require_features(contract.features)(people.keypoints[:, 0], people.valid[:, 0])
    return {spec.name: features[:, None] if len(spec.shape) == features.ndim + 1 else features}


def _graph(contract: ActionContract, people: People) -> Feeds:
    """(B, M, T, V, C) features of the joints, of as many values per joint as the network takes."""
    spec, layout = contract.inputs[0], require_layout(contract.layout)
    clips = []
    for index, clip in enumerate(_clips(people)):
        if contract.features == "pyskl-3d":
            values = graph_input_3d(clip, layout, contract.stream)
        else:
            is_auto = contract.normalise == "auto"
            size_wh = (1, 1) if is_auto else _size(contract, people, index)
            values = graph_input_2d(clip, size_wh, layout, contract.stream, is_auto=is_auto)
        # Without scores, nothing hides the corner of the picture in which somebody absent would stand.
        values = np.where(people.valid[index].any(axis=1)[:, None, None, None], values, 0)
        clips.append(values[:, sample_for_test(values.shape[1], contract.num_frames)])
    return {spec.name: np.stack(clips)[..., : _num_values(contract)].astype(np.float32)}


def _num_values(contract: ActionContract) -> int:
    """Values per joint that the network takes."""
    size = contract.inputs[0].shape[-1]
    return size if isinstance(size, int) and size > 0 else 3


def _heatmap(contract: ActionContract, people: People) -> Feeds:
    """Keypoints in pixels where the graph draws the maps, else (B, V or L, T, H, W)."""
    spec = contract.inputs[0]
    clips = [clip[:, sample_for_test(clip.shape[1], contract.num_frames)] for clip in _clips(people)]
    if spec.name == "keypoint":
        return {spec.name: np.stack(clips).astype(np.float32)}
    return {spec.name: _maps(contract, people, clips, spec.shape[-2:])}


def _maps(
    contract: ActionContract, people: People, clips: Sequence[FloatArray], sides: Sequence[int | str]
) -> FloatArray:
    height, width = (int(side) for side in sides)
    drawn = [
        draw_heatmaps(clip, _size(contract, people, index), (height, width), contract.stream, contract.features)
        for index, clip in enumerate(clips)
    ]
    return np.stack(drawn)


def _rgbpose(contract: ActionContract, people: People) -> Feeds:
    """Pictures (B, 3, T, H, W) and heatmaps (B, V, 4T, H/4, W/4) of one crop around everyone in the window."""
    num_samples = people.valid.shape[2]
    if [len(shown) for shown in people.pictures] != [num_samples] * len(people):
        raise ContractMismatch(
            f"{contract.name}: looks at pictures, one per sample of a window, and none were kept with these keypoints"
        )
    seen, maps = contract.inputs
    num_pictures, side = int(seen.shape[2]), int(seen.shape[3])
    spans = [_span(valid[0]) for valid in people.valid]
    clips = [clip[:, sample_for_test(clip.shape[1], contract.num_frames)] for clip in _clips(people)]
    pictures = []
    for index, (clip, span) in enumerate(zip(clips, spans, strict=True)):
        shown = people.pictures[index][span]
        frames = [shown[frame] for frame in sample_for_test(len(shown), num_pictures)]
        pictures.append(picture_clip(frames, clip, _size(contract, people, index), side))
    return {seen.name: np.stack(pictures), maps.name: _maps(contract, people, clips, maps.shape[-2:])}


def _clips(people: People) -> Iterator[AnyArray]:
    """Each window's (M, T', V, C) from the first sight of its person to the last: a clip is as long as its person."""
    for keypoints, valid in zip(people.keypoints, people.valid, strict=True):
        yield np.where(valid[:, :, None, None], keypoints, 0)[:, _span(valid[0])]


def _span(valid: BoolArray) -> slice:
    """From the first valid sample to the last one; all of them where none is."""
    seen: IntArray = np.flatnonzero(valid)
    return slice(int(seen[0]), int(seen[-1]) + 1) if len(seen) else slice(None)


def _size(contract: ActionContract, people: People, index: int) -> tuple[int, int]:
    if people.size_wh is None:
        raise ContractMismatch(f"{contract.name}: {contract.features} needs the size of the picture, and none is given")
    width, height = people.size_wh[index]
    return round(float(width)), round(float(height))


_FEATURES: Mapping[str, Callable[[ActionContract, People], Feeds]] = MappingProxyType(
    {"everyday13": _everyday, "pyskl-2d": _graph, "pyskl-3d": _graph, "heatmap": _heatmap, "rgbpose": _rgbpose}
)
