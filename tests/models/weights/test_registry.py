"""The registry: what the file says is complete, and a wrong entry is named."""

import json
import re
from pathlib import Path

import pytest

from models.errors import ModelUnknown, RegistryInvalid
from models.skeleton.layouts import require_layout
from models.weights.registry import load_registry

_ENTRY = """
[models.net]
task = "detect"
family = "rtmdet"
files.model = {{ path = "net.onnx", sha256 = "00", sources = [{source}] }}
{more}
"""


def _write(tmp_path: Path, source: str = "", more: str = "") -> Path:
    path = tmp_path / "registry.toml"
    path.write_text(_ENTRY.format(source=source, more=more), encoding="utf-8")
    return path


def test_every_entry_is_complete() -> None:
    for spec in load_registry():
        assert spec.licence, spec.name
        assert len(spec.card) > 40, spec.name
        assert "model" in spec.files, spec.name
        assert (spec.task in ("pose", "detect_pose")) <= bool(spec.layout), spec.name
        if spec.layout:
            require_layout(spec.layout)


def test_every_file_has_a_sha256_or_is_made_here_or_is_the_users_own() -> None:
    for spec in load_registry():
        for role, file in spec.files.items():
            fetched = any(source.kind in ("package", "url", "repository") for source in file.sources)
            if fetched:
                assert re.fullmatch(r"[0-9a-f]{64}", file.sha256), f"{spec.name} {role}"
            else:
                assert file.made_from in spec.files or file.sources, f"{spec.name} {role}"


def test_every_profile_names_a_detector_and_a_pose_estimator() -> None:
    registry = load_registry()

    assert "auto" in registry.profiles
    for name in registry.profiles:
        tasks = registry.require_profile(name)
        assert {spec.task for spec in tasks["detect"]} <= {"detect", "detect_pose"}
        assert {spec.task for spec in tasks["pose"]} <= {"pose", "detect_pose"}


def test_require_lists_the_names_when_the_model_is_unknown() -> None:
    with pytest.raises(ModelUnknown, match=r"found model 'nope', expected one of .*blazepose-full"):
        load_registry().require("nope")


def test_require_profile_lists_the_names_when_it_is_unknown() -> None:
    with pytest.raises(ModelUnknown, match=r"found profile 'nope', expected one of auto"):
        load_registry().require_profile("nope")


def test_require_file_lists_the_roles_when_it_is_unknown() -> None:
    with pytest.raises(ModelUnknown, match=r"found files \['model', 'source'\], expected 'weights'"):
        load_registry().require("blazepose-full").require_file("weights")


@pytest.mark.parametrize(
    ("source", "more", "place"),
    [
        pytest.param("", "licens = 'MIT'", r"net: licens: found 'MIT'", id="unknown key"),
        pytest.param("{ kind = 'ftp' }", "", r"net: files\.model\.sources\.0\.kind: found 'ftp'", id="unknown source"),
        pytest.param("", "input = { size_wh = [1] }", r"net: input\.size_wh\.1", id="half a size"),
    ],
)
def test_load_names_the_entry_when_it_is_wrong(tmp_path: Path, source: str, more: str, place: str) -> None:
    path = _write(tmp_path, source, more)

    with pytest.raises(RegistryInvalid, match=place):
        load_registry(path, tmp_path / "zoo")


def test_load_finds_the_networks_of_the_zoo(tmp_path: Path) -> None:
    folder = tmp_path / "zoo" / "ours"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"net")
    (folder / "card.md").write_text("what it is", encoding="utf-8")
    entry = {"name": "ours", "task": "action", "network": "stgcnpp", "layout": "coco17", "labels": ["fall"]}
    (folder / "model.json").write_text(json.dumps(entry | {"sha256": "0" * 64}), encoding="utf-8")

    spec = load_registry(_write(tmp_path), tmp_path / "zoo").require("ours")

    assert (spec.task, spec.labels, spec.card) == ("action", ("fall",), "what it is")
    assert spec.require_file("model").size_bytes == 3
