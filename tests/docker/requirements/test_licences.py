"""docs/licences.md says what is shipped, in the versions that are locked."""

from pathlib import Path

import pytest

from tests.docker.requirements.test_lock import module_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "licences.md"


def test_page_is_what_the_script_writes() -> None:
    licences = module_of("licences")
    text = PAGE.read_text()

    assert licences.renewed(text) == text, "run `make licences`"


def test_every_locked_package_of_an_image_has_a_licence() -> None:
    licences = module_of("licences")

    rows = licences._rows(PAGE.read_text(), "packages")

    assert {name: version for name, version, _ in rows} == licences.locked()
    assert all(licence for _, _, licence in rows)


@pytest.mark.parametrize("library", ["x264", "x265"])
def test_page_says_that_the_encoders_are_under_the_gpl(library: str) -> None:
    rows = module_of("licences")._rows(PAGE.read_text(), "libraries")

    assert ["av", library, "GPL-2.0-or-later"] in rows


def test_library_without_a_known_licence_stops_the_script() -> None:
    licences = module_of("licences")

    with pytest.raises(licences.LicenceUnknown, match="libnovelty in the wheel of av"):
        licences.library_licence("av", "novelty")
