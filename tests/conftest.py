"""Fixtures that every test may ask for."""

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side: one file's stay together, and what starts the whole product runs one by one."""
    for item in items:
        group = "whole product" if item.get_closest_marker("e2e") else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))


def _folder(variable: str, sibling: str) -> Path:
    """The folder that a variable names, else the folder beside the project that holds the same."""
    named = os.environ.get(variable)
    path = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / sibling
    if not path.is_dir():
        pytest.skip(f"{variable} names no folder with the shared {sibling}")
    return path


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real skeleton sets (`skeleton/`) and clips (`video/`)."""
    return _folder("ACTOGRAM_DATA", "data")


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """Weight files that are not the project's own."""
    return _folder("ACTOGRAM_WEIGHTS", "weights")


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """Golden files of the reference implementation; beside the data."""
    path = _folder("ACTOGRAM_DATA", "data").parent / "golden"
    if not path.is_dir():
        pytest.skip("no golden files beside ACTOGRAM_DATA")
    return path
