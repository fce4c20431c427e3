"""The three package names are plain top-level names: nobody else may own them in this environment."""

from importlib.metadata import packages_distributions

import pytest


@pytest.mark.parametrize("package", ["service", "pipelines", "models"])
def test_package_name_is_owned_by_nobody_else(package: str) -> None:
    owners = set(packages_distributions().get(package, []))

    assert owners <= {"actogram"}
