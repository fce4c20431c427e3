"""Which joint of a motion capture file is which of a layout: the usual naming schemes, or a TOML file that says it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.skeleton.layouts import LAYOUTS, Layout
from pipelines.errors import DatasetInvalid
from pipelines.stream.file_names import printable
from pipelines.training.formats.recordings import ReadOptions
from pipelines.training.formats.text import read_text, shown

DEFAULT_LAYOUT = "kinect20"
_NEEDED = tuple(
    f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)
_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot", "hand")
# One row per naming scheme: what stands for each of these parts of a side, without the side. Several schemes use one
# word for different joints (a "shoulder" is a collar bone where there is an "arm"), so a scheme is taken whole: the
# first whose needed joints are all there.
_SCHEMES = tuple(
    tuple(scheme.split())
    for scheme in (
        "arm forearm hand upleg leg foot toebase|toe|foot_end handindex1|fingerbase|handmiddle1|hand_end",
        "upperarm lowerarm|forearm hand upperleg|upleg|thigh lowerleg|leg|shin|calf foot toes|toebase|toe0|foot_end "
        "middle1|finger1|hand_end",
        "uparm|upperarm|shldr loarm|lowarm|forearm hand|wrist thigh shin|calf|loleg|lowleg foot|ankle toe|foot_end "
        "hand_end",
        "shoulder elbow wrist hip knee ankle foot|toe|ankle_end hand|wrist_end",
        "shoulder elbow hand hip knee foot toe|foot_end hand_end",
    )
)
_MIDDLE: Mapping[str, str] = {
    "hip_centre": "hips|hip|pelvis|root|reference",
    "spine": "spine1|spine01|chest|spine|abdomen|torso|spine2",
    "shoulder_centre": "neck|neck1|upperchest|chest2|chest3|chest4|spine3|thorax",
    "head": "head|skull",
}
_SAME = {
    "hip_centre": ("base_of_spine", "middle_hip"), "spine": ("middle_of_spine", "belly"),
    "shoulder_centre": ("neck",), "head": ("nose", "face"),
    "left_foot": ("left_big_toe",), "right_foot": ("right_big_toe",),
}  # fmt: skip
"""What other layouts call the joints that schemes name."""


def joint_sources(names: Sequence[str], reading: ReadOptions, file: str) -> tuple[str, tuple[int | None, ...]]:
    """The name of a layout, and for each of its joints the index of the file's joint, None for one it lacks.

    Raises DatasetInvalid where the names fit no scheme, or a map names a joint that is not there.
    """
    if reading.joint_map is not None:
        return _mapped(names, reading.joint_map, file)
    layout = LAYOUTS[reading.layout or DEFAULT_LAYOUT]
    found = _by_scheme(names, file)
    for joint, others in _SAME.items():
        found |= {other: found[joint] for other in others if joint in found}
    if "base_of_spine" in layout.joints and "shoulder_centre" in found:
        found["spine"] = found["shoulder_centre"]  # Kinect v2 calls the place between the shoulders so
    return layout.name, tuple(found.get(joint) for joint in layout.joints)


def _mapped(names: Sequence[str], path: Path, file: str) -> tuple[str, tuple[int | None, ...]]:
    layout, joints = read_map(path)
    for joint, name in joints.items():
        if name not in names:
            raise DatasetInvalid(
                f"{file}: no joint {shown(name)}, which {printable(path.name)} takes for {joint}; "
                f"its joints are {', '.join(names)}"
            )
    return layout.name, tuple(names.index(joints[joint]) if joint in joints else None for joint in layout.joints)


def read_map(path: Path) -> tuple[Layout, Mapping[str, str]]:
    """A layout, and the file's names of its joints, out of `layout = "..."` and `[joints]` of a TOML file."""
    name = printable(path.name)
    try:
        raw = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as cause:
        raise DatasetInvalid(f"{name}: {cause}") from cause
    layout, joints = LAYOUTS.get(str(raw.get("layout", DEFAULT_LAYOUT))), raw.get("joints")
    if layout is None:
        raise DatasetInvalid(f"{name}: layout {raw['layout']!r} is not one of {', '.join(sorted(LAYOUTS))}")
    if not isinstance(joints, dict) or not joints or not all(isinstance(value, str) for value in joints.values()):
        raise DatasetInvalid(f'{name}: expected a table [joints] with rows such as left_shoulder = "LeftArm"')
    strange = [joint for joint in joints if joint not in layout.joints]
    if strange:
        raise DatasetInvalid(f"{name}: {strange[0]!r} is no joint of {layout.name}: {', '.join(layout.joints)}")
    return layout, joints


def _by_scheme(names: Sequence[str], file: str) -> dict[str, int]:
    plain = {_plain(name): index for index, name in reversed(list(enumerate(names)))}
    for scheme in _SCHEMES:
        found = _sides(plain, scheme)
        if all(joint in found for joint in _NEEDED):
            middle = {joint: _first(plain, words) for joint, words in _MIDDLE.items()}
            return found | {joint: index for joint, index in middle.items() if index is not None}
    lacking = [joint for joint in _NEEDED if joint not in max((_sides(plain, row) for row in _SCHEMES), key=len)]
    raise DatasetInvalid(
        f"{file}: its joints are called {', '.join(names)}, which fits no known scheme ({', '.join(lacking)} not "
        "found); say which is which by --joint-map FILE"
    )


def _sides(plain: Mapping[str, int], scheme: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for side in ("left", "right"):
        for part, words in zip(_PARTS, scheme, strict=True):
            index = _first(plain, "|".join(f"{side}{word}" for word in words.split("|")))
            if index is not None:
                found[f"{side}_{part}"] = index
    return found


def _first(plain: Mapping[str, int], words: str) -> int | None:
    return next((plain[word] for word in words.split("|") if word in plain), None)


_SIDES = (
    (re.compile(r"^(?:[lL][\s_.-]+|[lL](?=[A-Z]))(.+)|(.+?)[\s_.-]+[lL]$"), "left"),
    (re.compile(r"^(?:[rR][\s_.-]+|[rR](?=[A-Z]))(.+)|(.+?)[\s_.-]+[rR]$"), "right"),
)


def _plain(name: str) -> str:
    """A name in lower case, the side in front, no namespace: `mixamorig:LeftArm`, `l_arm` and `Arm.L` are `leftarm`."""
    end = "_end" if name.endswith("_end") else ""
    word = re.split(r"[:|]", name.removesuffix("_end"))[-1]
    word = re.sub(r"^(?:bip\d*|character\d*|m_avg|mixamorig\d*)[\s_]*", "", word, flags=re.IGNORECASE)
    for pattern, side in _SIDES:
        if match := pattern.match(word):
            word = side + (match[1] or match[2])
            break
    return re.sub(r"[\s_.-]+", "", word).lower() + end
