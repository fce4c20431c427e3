"""Kinetics-Skeleton as ST-GCN's authors published it: one JSON file per clip, OpenPose's 18 joints, two people kept.

Yan, Xiong, Lin: Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition, AAAI 2018:
clips at 340 x 256 and 30 frames per second, coordinates as shares of the picture.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.arrays import FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.stream.file_names import printable
from pipelines.training.formats.recordings import Format, ReadOptions, RecordedJoints, Recording, below
from pipelines.training.formats.text import field, listed, numbers, read_json, shown, whole

JOINTS = 18
_SHAPE_HW, _RATE_HZ = (256, 340), 30.0
_FRAMES_MAX, _PEOPLE_MAX = 100_000, 1_000
_SHARE_MOST = 2.0
"""Shares of the picture stay below this, joints outside it included; above are pixels."""
_LABEL_FILE = "_label.json"


def find(folder: Path) -> list[Recording]:
    """Clips below a folder, with what label files say: `kinetics_train_label.json` beside `kinetics_train/`."""
    if not folder.is_dir():
        return [Recording(folder, printable(folder.stem))]
    found: list[Recording] = []
    places = {path.parent for path in folder.rglob(f"*{_LABEL_FILE}")}
    if (folder.parent / f"{folder.name}{_LABEL_FILE}").is_file():
        places.add(folder.parent)
    labels = {place: _label_files(place) for place in places}
    for path in sorted(folder.rglob("*.json")):
        if path.name.endswith(_LABEL_FILE):
            continue
        table = labels.get(path.parent.parent, {}).get(path.parent.name, {})
        label = table.get(path.stem)
        found.append(Recording(path, printable(below(path, folder)), label=label, split=_split(path.parent.name)))
    return found


def read(source: Recording, reading: ReadOptions) -> RecordedJoints:
    """One clip: in each frame the people with the highest scores, as ST-GCN's reader takes them."""
    name = printable(source.path.name)
    whole_file = read_json(source.path)
    rows = listed(field(whole_file, "data", name), f"{name}: data")
    frames = [_frame(row, f"{name}: frame {index}") for index, row in enumerate(rows)]
    seen = [index for index, people in frames if people]
    if not seen:
        raise DatasetInvalid(f"{name}: no frame shows a skeleton")
    order = [index for index, _ in frames]
    if len(set(order)) < len(order):
        twice = next(index for index in order if order.count(index) > 1)
        raise DatasetInvalid(f"{name}: frame_index {twice} occurs twice")
    first, last = min(order), max(order)
    if last - first >= _FRAMES_MAX:
        raise DatasetInvalid(f"{name}: frame_index runs from {first} to {last}; at most {_FRAMES_MAX} frames are read")
    most = min(max(len(people) for _, people in frames), reading.num_persons)
    joints = np.zeros((most, last - first + 1, JOINTS, 3), np.float32)
    for index, people in frames:
        ranked = sorted(people, key=lambda person: -float(person[:, 2].sum()))[:most]
        for place, person in enumerate(ranked):
            joints[place, index - first] = person
    xy, shape_hw = _pixels(joints[..., :2], reading)
    score = np.clip(joints[..., 2], 0, 1)
    xy[score == 0] = 0
    return RecordedJoints(xy, score, "openpose18", reading.rate_hz or _RATE_HZ, shape_hw, _own_label(whole_file, name))


def _own_label(value: object, name: str) -> str | None:
    label = value.get("label") if isinstance(value, Mapping) else None
    if label is not None and not isinstance(label, str):
        raise DatasetInvalid(f"{name}: label is {shown(label)}, expected a name")
    return label or None


def _frame(row: object, where: str) -> tuple[int, list[FloatArray]]:
    """The index of a frame and its people, (18, 3) each: x, y, score."""
    index = whole(field(row, "frame_index", where), f"{where}: frame_index", 0, 2**31)
    people = listed(field(row, "skeleton", where), f"{where}: skeleton")
    if len(people) > _PEOPLE_MAX:
        raise DatasetInvalid(f"{where}: {len(people)} skeletons; at most {_PEOPLE_MAX} are read")
    return index, [_person(person, f"{where} (frame_index {index})") for person in people]


def _person(person: object, where: str) -> FloatArray:
    pose = numbers(field(person, "pose", where), f"{where}: pose")
    score = numbers(field(person, "score", where), f"{where}: score")
    if len(pose) != 2 * JOINTS or len(score) != JOINTS:
        raise DatasetInvalid(
            f"{where}: {len(pose)} coordinates and {len(score)} scores, expected {2 * JOINTS} and {JOINTS}"
        )
    return np.concatenate([pose.reshape(JOINTS, 2), score[:, None]], axis=1)


def _pixels(xy: FloatArray, reading: ReadOptions) -> tuple[FloatArray, tuple[int, int] | None]:
    """Shares of the picture as pixels; pixels stay what they are, of a picture whose size the user has to say."""
    if np.abs(xy).max() > _SHARE_MOST:
        return xy.copy(), reading.shape_hw
    height, width = reading.shape_hw or _SHAPE_HW
    return xy * np.array([width, height], np.float32), (height, width)


def _split(folder: str) -> str | None:
    return next((part for part in ("train", "val", "test") if folder.endswith(f"_{part}") or folder == part), None)


def _label_files(folder: Path) -> dict[str, dict[str, str]]:
    """Folder of clips → name of a clip → its label, out of all label files of a folder."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob(f"*{_LABEL_FILE}")):
        rows = read_json(path)
        if not isinstance(rows, Mapping):
            raise DatasetInvalid(f"{printable(path.name)}: expected an object of clips, found {shown(rows)}")
        named = {str(clip): field(row, "label", f"{printable(path.name)}: {clip}") for clip, row in rows.items()}
        found[path.name.removesuffix(_LABEL_FILE)] = {clip: str(label) for clip, label in named.items()}
    return found


FORMAT = Format("kinetics", find, read, meta={"source": "Kinetics-Skeleton (Yan et al. 2018), OpenPose 18"})
