"""The deployment files: valid in every combination, pinned, unprivileged."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from service.telemetry import Metrics

ROOT = Path(__file__).resolve().parents[2]
PROFILES = ("demo", "mqtt", "postgres", "monitoring")
COMBINATIONS = [chosen for size in range(len(PROFILES) + 1) for chosen in combinations(PROFILES, size)]
OVERRIDES = ("docker/compose.gpu.yml", "docker/compose.proxy.yml")


def compose_config(*arguments: str) -> dict[str, dict[str, dict[str, object]]]:
    """The merged compose file, by the engine's own client."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode
    ):
        pytest.skip("no docker compose client on this machine")
    answer = subprocess.run(
        ["docker", "compose", "-f", "docker-compose.yml", *arguments, "config", "--format", "json"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    merged: dict[str, dict[str, dict[str, object]]] = json.loads(answer.stdout)
    return merged


def plain_services() -> dict[str, dict[str, object]]:
    services: dict[str, dict[str, object]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return services


@pytest.mark.parametrize("profiles", COMBINATIONS, ids=lambda chosen: "+".join(chosen) or "none")
def test_compose_is_valid_for_every_combination_of_profiles(profiles: tuple[str, ...]) -> None:
    arguments = [part for name in profiles for part in ("--profile", name)]

    merged = compose_config(*arguments)

    assert "actogram" in merged["services"]


@pytest.mark.parametrize("override", OVERRIDES)
def test_compose_is_valid_with_an_override(override: str) -> None:
    merged = compose_config("-f", override)

    assert "actogram" in merged["services"]


def test_gpu_override_reserves_gpus_and_builds_the_gpu_image() -> None:
    service = yaml.safe_load((ROOT / "docker/compose.gpu.yml").read_text())["services"]["actogram"]

    device = service["deploy"]["resources"]["reservations"]["devices"][0]

    assert device["driver"] == "nvidia"
    assert "gpu" in device["capabilities"]
    assert service["build"]["target"] == "serve-gpu"


def test_our_containers_run_read_only_and_without_capabilities() -> None:
    ours = {
        name: one
        for name, one in plain_services().items()
        if name in ("actogram", "demo-camera", "demo-setup", "monitoring-setup")
    }

    assert len(ours) == 4
    for name, service in ours.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name  # type: ignore[operator]


def test_every_image_names_a_version() -> None:
    images = {name: str(one["image"]) for name, one in plain_services().items() if "image" in one}

    for name, image in images.items():
        assert ":latest" not in image, name
        assert image.rstrip("}").count(":") >= 2, f"{name}: {image} has no tag"


def test_every_variable_of_the_example_file_is_used() -> None:
    files = [ROOT / "docker-compose.yml", *(ROOT / one for one in OVERRIDES)]
    text = "".join(path.read_text() for path in files)

    names = [
        line.split("=")[0]
        for line in (ROOT / ".env.example").read_text().splitlines()
        if "=" in line and line[0] != "#"
    ]

    assert names
    assert [name for name in names if f"${{{name}" not in text] == []


def test_dockerfile_passes_the_linter() -> None:
    hadolint = shutil.which("hadolint") or str(ROOT / ".venv/bin/hadolint")
    if not Path(hadolint).exists():
        pytest.skip("hadolint is not installed")

    answer = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, check=False, capture_output=True, text=True)

    assert answer.returncode == 0, answer.stdout


def test_serving_images_run_as_an_unprivileged_user_and_name_a_healthcheck() -> None:
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")

    serving = [stage for stage in stages if " AS serve-" in stage.splitlines()[0]]

    assert len(serving) == 2
    for stage in serving:
        assert "USER 10001:10001" in stage
        assert "HEALTHCHECK" in stage
        assert "PYTHONSAFEPATH=1" in stage
        assert "pip install" not in stage


def test_dashboard_asks_only_for_metrics_that_the_server_tells() -> None:
    dashboard = json.loads((ROOT / "docker/grafana/dashboards/actogram.json").read_text())

    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    told = Metrics().render().decode()
    # The # TYPE lines name counters and histograms as Prometheus stores them, before the first value.
    kinds = dict(re.findall(r"# TYPE (actogram_\w+) (\w+)", told))
    known = set(kinds) | {f"{name}_bucket" for name, kind in kinds.items() if kind == "histogram"}

    asked = {name for expression in expressions for name in re.findall(r"actogram_\w+", expression)}

    assert asked
    assert asked - known == set()
