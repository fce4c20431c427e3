"""OpenPose's output: a folder with one `*_keypoints.json` per frame, BODY_25 or COCO's 18 joints."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models.arrays import FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.stream.file_names import printable
from pipelines.training.formats.follow import follow
from pipelines.training.formats.recordings import Format, ReadOptions, RecordedJoints, Recording
from pipelines.training.formats.text import field, listed, numbers, read_json, shown, whole

_FILE = re.compile(r"(?P<prefix>.*?)_?(?P<frame>\d+)_keypoints\.json")
_LAYOUTS = {75: "openpose25", 54: "openpose18"}
_FRAMES_MAX, _PEOPLE_MAX = 100_000, 1_000
_KEYS = ("pose_keypoints_2d", "pose_keypoints")
"""The second is what versions before 1.3 wrote."""


def find(folder: Path) -> list[Recording]:
    """The recordings below a folder: one per folder, or per prefix where a folder holds files of several."""
    prefixes = sorted({(path.parent, _prefix(path)) for path in folder.rglob("*_keypoints.json")})
    found = []
    for place, prefix in prefixes:
        relative = place.relative_to(folder).as_posix()
        # A folder that bears the recording's name, or whose files bear none, is the recording.
        is_folder = not prefix or prefix == place.name
        parts = [] if relative == "." else [relative]
        name = "/".join(parts if is_folder and parts else [*parts, prefix or place.name])
        found.append(Recording(place, printable(name), prefix))
    return found


def read(source: Recording, reading: ReadOptions) -> RecordedJoints:
    """One recording: the people who were seen longest and best. Raises DatasetInvalid that names the frame's file."""
    frames = _frames(source)
    lengths = {len(joints) for people in frames.values() for _, joints in people}
    if not lengths:
        raise DatasetInvalid(f"{source.name}: no frame shows anybody")
    if len(lengths) > 1:
        raise DatasetInvalid(f"{source.name}: its frames differ in the number of joints: {sorted(lengths)}")
    first, last = min(frames), max(frames)
    if last - first >= _FRAMES_MAX:
        raise DatasetInvalid(f"{source.name}: frames {first} to {last}; at most {_FRAMES_MAX} are read")
    people = sorted(_people(frames), key=lambda person: -_presence(person))[: reading.num_persons]
    V = lengths.pop()
    joints = np.zeros((len(people), last - first + 1, V, 3), np.float32)
    for place, person in enumerate(people):
        for frame, values in person.items():
            joints[place, frame - first] = values
    score = np.clip(joints[..., 2], 0, 1)
    return RecordedJoints(joints[..., :2].copy(), score, _LAYOUTS[3 * V], reading.rate_hz, reading.shape_hw)


_People = Sequence[tuple[int, FloatArray]]


def _frames(source: Recording) -> dict[int, _People]:
    """Frame number → everyone in it, as identity (-1: none) and (V, 3) joints."""
    frames: dict[int, _People] = {}
    for path in sorted(source.path.glob("*_keypoints.json")):
        match = _FILE.fullmatch(path.name)
        if match is None or match["prefix"] != source.prefix:
            continue
        name = printable(path.name)
        frame = whole(match["frame"][-12:], name, 0, 10**12)
        if frame in frames:
            raise DatasetInvalid(f"{name}: a second file of frame {frame}")
        people = listed(field(read_json(path), "people", name), f"{name}: people")
        if len(people) > _PEOPLE_MAX:
            raise DatasetInvalid(f"{name}: {len(people)} people; at most {_PEOPLE_MAX} are read")
        frames[frame] = [_person(person, f"{name}: person {index}") for index, person in enumerate(people)]
    return frames


def _person(person: object, where: str) -> tuple[int, FloatArray]:
    if not isinstance(person, Mapping):
        raise DatasetInvalid(f"{where}: expected an object, found {shown(person)}")
    key = next((key for key in _KEYS if key in person), _KEYS[0])
    values = numbers(field(person, key, where), f"{where}: {key}")
    if len(values) not in _LAYOUTS:
        raise DatasetInvalid(f"{where}: {len(values)} numbers, expected 75 (BODY_25) or 54 (COCO)")
    joints = values.reshape(-1, 3)
    if joints[:, 2].min() < 0:
        raise DatasetInvalid(f"{where}: a score of {joints[:, 2].min():.3g}, expected 0 to 1")
    identity = person.get("person_id", -1)
    if isinstance(identity, list):
        identity = identity[0] if identity else -1
    return whole(identity, f"{where}: person_id", -1, 2**53), joints


def _people(frames: Mapping[int, _People]) -> list[dict[int, FloatArray]]:
    """By the identities of the file where everyone has one of their own, else by where they were."""
    is_known = all(
        min((who for who, _ in people), default=0) >= 0 and len({who for who, _ in people}) == len(people)
        for people in frames.values()
    )
    if not is_known:
        return follow({frame: [joints for _, joints in people] for frame, people in frames.items()})
    found: dict[int, dict[int, FloatArray]] = {}
    for frame, people in frames.items():
        for who, joints in people:
            found.setdefault(who, {})[frame] = joints
    return list(found.values())


def _presence(person: Mapping[int, FloatArray]) -> float:
    """How long and how well somebody was seen."""
    return float(sum(joints[:, 2].sum() for joints in person.values()))


def _prefix(path: Path) -> str:
    match = _FILE.fullmatch(path.name)
    return match["prefix"] if match else path.name.removesuffix("_keypoints.json")


FORMAT = Format("openpose", find, read, meta={"source": "OpenPose, one JSON file per frame"})
