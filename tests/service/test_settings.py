"""Settings: every command reads them through one door, and what looks like a setting and is none is told apart."""

import logging
import os

import pytest
from click.testing import CliRunner

from service.cli import main
from service.service_links import find_service_links
from service.settings import SettingsInvalid, load_settings

_COMMANDS = (
    ("serve",), ("keys", "list"), ("analyze", "clip.mp4"), ("watch", "clip.mp4"), ("actions",), ("models", "list"),
    ("models", "card", "rtmdet-nano"), ("models", "pull", "rtmdet-nano"), ("models", "import", "x"), ("prepare", "x"),
    ("train",), ("evaluate",), ("export",), ("bench", "nets"),
)  # fmt: skip
_KUBERNETES = {
    "SERVICE_HOST": "10.96.12.7",
    "SERVICE_PORT": "8000",
    "SERVICE_PORT_HTTP": "8000",
    "PORT": "tcp://10.96.12.7:8000",
    "PORT_8000_TCP": "tcp://10.96.12.7:8000",
    "PORT_8000_TCP_PROTO": "tcp",
    "PORT_8000_TCP_PORT": "8000",
    "PORT_8000_TCP_ADDR": "10.96.12.7",
}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [found for found in os.environ if found.startswith("ACTOGRAM_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("words", _COMMANDS, ids="-".join)
def test_every_command_refuses_a_setting_that_does_not_exist(words: tuple[str, ...]) -> None:
    found = CliRunner().invoke(main, words, env={"ACTOGRAM_WROKERS": "2"})

    line = "actogram: settings_invalid: ACTOGRAM_WROKERS: no such setting; did you mean ACTOGRAM_WORKERS?\n"
    assert (found.exit_code, found.stderr) == (2, line)


@pytest.mark.parametrize("words", _COMMANDS, ids="-".join)
def test_every_command_refuses_a_value_without_repeating_it(words: tuple[str, ...]) -> None:
    found = CliRunner().invoke(main, words, env={"ACTOGRAM_THREADS": "hunter2"})

    assert found.exit_code == 2
    assert found.stderr.startswith("actogram: settings_invalid: ACTOGRAM_THREADS: ")
    assert "hunter2" not in found.stderr


def test_refusal_lists_the_settings_when_none_is_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTOGRAM_XYZ", "1")

    with pytest.raises(SettingsInvalid, match=r"ACTOGRAM_XYZ: no such setting; there are .*ACTOGRAM_WORKERS"):
        load_settings()


@pytest.mark.parametrize("service", ["ACTOGRAM", "ACTOGRAM_XYZ", "ACTOGRAM_PORT_GATE_2"])
def test_variables_of_a_kubernetes_service_are_no_settings(
    service: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    variables = {f"{service}_{name}": value for name, value in _KUBERNETES.items()}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with caplog.at_level(logging.INFO):
        found = load_settings(workers=3)

    assert found.workers == 3
    assert find_service_links(variables, "ACTOGRAM") == frozenset(variables)
    assert [record.getMessage().startswith("ignoring ACTOGRAM") for record in caplog.records] == [True]


def test_variables_of_a_docker_link_are_no_settings() -> None:
    link = {
        "ACTOGRAM_PORT": "tcp://172.17.0.5:8000", "ACTOGRAM_NAME": "/web/actogram", "ACTOGRAM_ENV_PATH": "/usr/bin",
    }  # fmt: skip

    assert find_service_links(link, "ACTOGRAM") == frozenset(link)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACTOGRAM_PORT", "9000"), ("ACTOGRAM_SERVICE_HOST", "here"), ("ACTOGRAM_SERVICE_PORT", "http"),
        ("ACTOGRAM_PORT_8000_TCP", "8000"), ("ACTOGRAM_NAME", "/web/actogram"), ("ACTOGRAM_ENV_PATH", "/usr/bin"),
        ("ACTOGRAMS_PORT", "tcp://10.0.0.1:80"),
    ],
)  # fmt: skip
def test_variable_without_the_form_of_a_link_is_not_taken_for_one(name: str, value: str) -> None:
    assert find_service_links({name: value}, "ACTOGRAM") == frozenset()


def test_discovery_can_be_switched_off_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTOGRAM_MQTT_DISCOVERY", "off")

    assert load_settings().discovery_prefix == ""
