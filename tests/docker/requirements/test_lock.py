"""The lock files: whole, hashed, in step with what asks for them, and used wherever something is installed."""

import importlib.metadata as metadata
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("build", "cpu", "gpu", "train", "test", "tools")
Blocks = dict[str, list[str]]


def module_of(name: str) -> ModuleType:
    """A script of docker/requirements/, which is no package."""
    spec = importlib.util.spec_from_file_location(
        f"requirements_{name}", ROOT / "docker" / "requirements" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def blocks_of(name: str) -> Blocks:
    """Package → the blocks that lock it: one per version."""
    found: Blocks = {}
    text = (ROOT / "docker" / "requirements" / f"{name}.txt").read_text()
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        found.setdefault(canonicalize_name(block.split("==")[0]), []).append(block)
    return found


def versions_of(blocks: list[str]) -> set[str]:
    return {block.split("==")[1].split()[0] for block in blocks}


@pytest.mark.parametrize("name", NAMES)
def test_every_locked_package_has_a_version_and_hashes(name: str) -> None:
    blocks = [block for found in blocks_of(name).values() for block in found]

    assert blocks
    for block in blocks:
        assert re.match(r"[\w.-]+==[\w.+!]+( ; [^\\]+)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+$", block), block[
            :80
        ]


@pytest.mark.parametrize("name", NAMES)
def test_lock_names_no_place_to_fetch_from(name: str) -> None:
    text = (ROOT / "docker" / "requirements" / f"{name}.txt").read_text()

    assert re.findall(r"://|^-|--index|--find-links|\bfile:", text, re.MULTILINE) == []


@pytest.mark.parametrize("name", NAMES)
def test_lock_has_what_is_asked_for(name: str) -> None:
    lock, blocks = module_of("lock"), blocks_of(name)
    environment = next(one for one in lock.ENVIRONMENTS if one.name == name)

    asked = [Requirement(line.split("#")[0]) for line in lock.direct(environment)]

    for requirement in asked:
        if requirement.name != "torch":
            versions = versions_of(blocks.get(canonicalize_name(requirement.name), []))
            assert versions, f"{requirement.name} is not locked: make lock"
            assert all(requirement.specifier.contains(one) for one in versions), f"{requirement}: {versions}; make lock"


@pytest.mark.parametrize("name", NAMES)
def test_lock_agrees_with_the_pins(name: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    pins = {str(canonicalize_name(package)): version for package, version in (line.split("==") for line in lines)}

    found = {package: versions_of(blocks) for package, blocks in blocks_of(name).items() if package in pins}

    assert found == {package: {pins[package]} for package in found}


@pytest.mark.parametrize("name", ["cpu", "train", "test"])
def test_lock_has_what_its_packages_ask_for(name: str) -> None:
    blocks = blocks_of(name)

    for package, found in blocks.items():
        for line in _asked_by(package, versions_of(found)):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                assert canonicalize_name(requirement.name) in blocks, f"{package} asks for {requirement}: make lock"


def _asked_by(package: str, versions: set[str]) -> list[str]:
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return []
    return list(found.requires or []) if found.version in versions else []


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile"])
def test_nothing_is_fetched_without_a_hash(name: str) -> None:
    text = (ROOT / name).read_text().replace("$(PIP)", "pip install").replace("\\\n", " ")

    calls = [
        call for line in text.splitlines() for call in re.split("&&|;", line) if re.search(r"pip (install|wheel)", call)
    ]

    fetching = [call for call in calls if "--require-hashes" not in call and "=" not in call.split("pip ")[0]]
    # torch by its version, and our own package, of which nothing is fetched.
    assert [
        call.strip() for call in fetching if not re.search(r"-c constraints\.txt torch$|--no-deps", call.strip())
    ] == []
    assert sum("torch" in call for call in fetching) == 1
    assert all(re.search("--no-index|--no-build-isolation", call) for call in fetching if "--no-deps" in call)


def test_only_torch_and_what_its_builds_ask_for_is_left_out() -> None:
    lock = module_of("lock")
    kept = "torchmetrics==1.0 \\\n    --hash=sha256:c\n"

    text = lock.locked("torch==2.0 \\\n    --hash=sha256:a\nnvidia-nccl-cu13==2.0 \\\n    --hash=sha256:b\n" + kept)

    assert text == kept
