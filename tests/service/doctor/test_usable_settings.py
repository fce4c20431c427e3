"""Settings that are wrong are told, and the other checks still have something to work with."""

import os
from pathlib import Path

import pytest

from service.doctor.usable_settings import usable_settings


def test_right_settings_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACTOGRAM_HOME", str(tmp_path))

    settings, found = usable_settings(os.environ)

    assert settings.home == tmp_path
    assert found.state == "ok"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ACTOGRAM_WORKERS", "many-secret", "ACTOGRAM_WORKERS: Input should be a valid integer"),
        ("ACTOGRAM_SECRET_KEY", "secret", "ACTOGRAM_SECRET_KEY: "),
        ("ACTOGRAM_WROKERS", "2-secret", "ACTOGRAM_WROKERS: no such setting; did you mean ACTOGRAM_WORKERS?"),
    ],
)
def test_wrong_setting_is_named_without_its_value_and_the_others_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv("ACTOGRAM_HOME", str(tmp_path))
    monkeypatch.setenv(name, value)

    settings, found = usable_settings(os.environ)

    assert (settings.home, settings.workers) == (tmp_path, 1)
    assert found.state == "bad"
    assert message in found.found
    assert value not in found.found
