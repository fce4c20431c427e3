"""What is chosen at import stands in the contract, what is not is a named default, and what contradicts is refused."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.export.import_command import main
from models.export.settings import Settings, checked, features_of, serving_fields
from models.nets.build import require_network
from models.runtime.contract import ActionContract
from models.skeleton.layouts import require_layout
from tests.models.export.checkpoints import write_checkpoint


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in ("stgcn++", "posec3d-x3d", "rgbpose", "aagcn"):
        write_checkpoint(name, folder / f"{name}.pth", 3)
    (folder / "twice.txt").write_text("wave\nkick\nwave\n")
    (folder / "latin.txt").write_bytes("schlägt\n".encode("latin-1"))
    return folder


@pytest.mark.parametrize(
    ("arch", "options", "code", "message"),
    [
        ("stgcn++", "--stream limb", "contract_mismatch", "stream 'limb' does not go with features 'pyskl-2d'"),
        ("posec3d-x3d", "--stream bone", "contract_mismatch", "'bone' does not go with features 'heatmap'"),
        ("posec3d-x3d", "--stream limb --layout openpose18", "checkpoint_mismatch", "limbs are known of coco17 only"),
        ("posec3d-x3d", "--layout openpose18", "checkpoint_mismatch", "takes 17 heatmaps, expected 18"),
        ("stgcn++", "--window 0.01 --rate 30", "contract_mismatch", "less than one sample"),
        ("stgcn++", "--labels twice.txt", "contract_mismatch", "labels that occur twice: wave"),
        ("stgcn++", "--labels latin.txt", "checkpoint_mismatch", "latin.txt: is not UTF-8"),
        ("rgbpose", "--size 100", "checkpoint_mismatch", "multiple of 8 .* found 100 pixels"),
        ("rgbpose", "--frames 30", "checkpoint_mismatch", "multiple of 4 frames.* 30 frames"),
        ("aagcn", "--continual", "contract_mismatch", "AAGCN has no continual form"),
        ("posec3d-x3d", "--continual", "contract_mismatch", "X3DShallow has no continual form"),
        ("stgcn++", "--continual --frames 10", "contract_mismatch", "window of 10 frames is shorter"),
        ("stgcn++", "--continual --stream joint_motion", "contract_mismatch", "joint_motion needs two"),
        ("stgcn++", "--continual --normalise auto", "contract_mismatch", "normalised by the size of the picture"),
    ],
)
def test_import_refuses_choices_that_contradict_the_network(
    checkpoints: Path, tmp_path: Path, arch: str, options: str, code: str, message: str
) -> None:
    given = ["--layout", "coco17", *options.split()]
    given = [str(checkpoints / part) if part.endswith(".txt") else part for part in given]

    result = CliRunner().invoke(
        main, [str(checkpoints / f"{arch}.pth"), "--arch", arch, "--num-classes", "3", *given, "-o", f"{tmp_path}/out"]
    )

    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"actogram: {code}: ")
    assert re.search(message, result.stderr), result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rule", ["maybe", "1.5", "-0.1", "energy:", "energy:x"])
def test_unknown_rule_that_is_none_is_refused(checkpoints: Path, tmp_path: Path, rule: str) -> None:
    options = ["--arch", "stgcn++", "--layout", "coco17", "--num-classes", "3", f"--unknown={rule}"]

    result = CliRunner().invoke(main, [f"{checkpoints}/stgcn++.pth", *options, "-o", f"{tmp_path}/out"])

    assert result.exit_code == 2
    assert "neither off, a probability 0..1, nor energy:NUMBER" in result.stderr


def contract(settings: Settings, layout: str = "coco17", num_values: int = 3) -> ActionContract:
    found = require_layout(layout)
    features = features_of(require_network("stgcn++"), found, num_values)
    known = {
        "name": "mine", "task": "action", "network": "stgcn++", "layout": layout, "num_frames": 100, "num_persons": 2,
        "labels": ["wave", "kick", "none"], "outputs": ["logits"], "sha256": "", "defaults": list(settings.unset),
        "inputs": [{"name": "keypoint", "shape": ["batch", "persons", "frames", 17, num_values], "dtype": "float32"}],
    }  # fmt: skip
    return checked(known | serving_fields(settings, features, found, ["wave", "kick", "none"]))


def test_what_nobody_chose_is_a_named_default() -> None:
    found = contract(Settings())

    assert (found.window_s, found.rate_hz, found.sampling) == (3.0, 30.0, "uniform")
    assert (found.stream, found.normalise, found.temperature) == ("joint", "fixed", 1.0)
    assert (found.unknown.method, found.unknown.threshold) == ("max_probability", 0.3)
    assert found.actions.keys() == {"wave", "kick"}
    assert found.actions["wave"].model_dump() == {
        "threshold": 0.5, "offset_threshold": 0.3, "min_duration_s": 0.4, "merge_gap_s": 0.6,
        "quality": "experimental", "severity": "info",
    }  # fmt: skip
    assert set(found.defaults) == {
        "window_s", "rate_hz", "stream", "normalise", "temperature", "unknown", "actions"
    }  # fmt: skip


def test_what_is_chosen_is_no_default() -> None:
    found = contract(
        Settings(4.0, 25.0, "bone", "auto", 1.5, ("energy", -2.0), threshold=0.7, min_duration_s=0.0, merge_gap_s=1.0)
    )

    assert (found.window_s, found.rate_hz, found.stream, found.normalise) == (4.0, 25.0, "bone", "auto")
    assert (found.temperature, found.unknown.method, found.unknown.threshold) == (1.5, "energy", -2.0)
    assert (found.actions["wave"].threshold, found.actions["wave"].offset_threshold) == (0.7, 0.42)
    assert found.actions["wave"].min_duration_s == 0.0
    assert found.defaults == ()


def test_hands_look_back_a_second_and_pass_as_they_are() -> None:
    found = contract(Settings(), "hand21", 2)

    assert (found.window_s, found.rate_hz, found.normalise) == (1.0, 10.0, "auto")


@pytest.mark.parametrize(
    ("layout", "num_values", "features"),
    [("coco17", 2, "pyskl-2d"), ("coco17", 3, "pyskl-2d"), ("nturgbd25", 3, "pyskl-3d"), ("body13", 5, "everyday13")],
)
def test_features_follow_the_layout_and_the_values_per_joint(layout: str, num_values: int, features: str) -> None:
    assert features_of(require_network("stgcn++"), require_layout(layout), num_values) == features


def test_contract_that_was_imported_is_json_that_anybody_reads() -> None:
    assert json.loads(contract(Settings()).model_dump_json())["members"] == []
