"""The page of settings is what settings.py says."""

from service.settings import Settings, variable
from service.settings_page import PAGE, page


def test_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make settings`"


def test_page_tells_of_every_setting_what_it_is_for() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `ACTOGRAM_")]

    assert [row.split("`")[1] for row in rows] == [variable(name) for name in Settings.model_fields]
    assert all(len(row.split(" | ")[1]) > 20 for row in rows)


def test_page_says_ranges_and_defaults() -> None:
    row = next(line for line in page().splitlines() if "`ACTOGRAM_WORKERS`" in line)

    assert row.endswith("| a number, at least 0, at most 64 | 1 |")
