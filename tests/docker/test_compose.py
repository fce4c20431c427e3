"""The deployment files: valid in every combination, pinned, unprivileged."""

import json
import os
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from models.runtime.gpu_libraries import CUDA_MAJOR
from service.telemetry import Metrics

ROOT = Path(__file__).resolve().parents[2]
PROFILES = ("demo", "mqtt", "postgres", "monitoring")
COMBINATIONS = [chosen for size in range(len(PROFILES) + 1) for chosen in combinations(PROFILES, size)]
OVERRIDES = ("docker/compose.gpu.yml", "docker/compose.proxy.yml")
CLUSTER = "docker/compose.cluster.yml"
FILES = [
    ("docker-compose.yml", *chosen) for size in range(len(OVERRIDES) + 1) for chosen in combinations(OVERRIDES, size)
]
FILES.append((CLUSTER,))
Service = dict[str, object]


def compose_config(files: tuple[str, ...], profiles: tuple[str, ...]) -> dict[str, dict[str, Service]]:
    """The merged compose file, by the engine's own client."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode
    ):
        pytest.skip("no docker compose client on this machine")
    options = [part for name in files for part in ("-f", name)]
    options += [part for name in profiles for part in ("--profile", name)]
    answer = subprocess.run(
        ["docker", "compose", "--project-directory", ".", *options, "--env-file", "/dev/null", "config",
         "--format", "json"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    merged: dict[str, dict[str, Service]] = json.loads(answer.stdout)
    return merged


def plain_services(files: tuple[str, ...] = ("docker-compose.yml",)) -> dict[str, Service]:
    """The services as they are written; a later file's keys stand in for an earlier one's."""
    services: dict[str, Service] = {}
    for name in files:
        written: dict[str, Service] = yaml.safe_load((ROOT / name).read_text())["services"]
        for service, settings in written.items():
            services[service] = {**services.get(service, {}), **settings}
    return services


def enabled(services: dict[str, Service], profiles: tuple[str, ...]) -> set[str]:
    """The names of those that a choice of profiles starts."""
    wanted = set(profiles)
    return {name for name, one in services.items() if "profiles" not in one or wanted & set(listed(one, "profiles"))}


def listed(service: Service, key: str) -> list[str]:
    """A list of strings of a service; the names where it is a mapping."""
    found = service.get(key, [])
    assert isinstance(found, list | dict), f"{key}: {found!r}"
    return list(found)


def named(part: tuple[str, ...]) -> str:
    return "+".join(name.removesuffix(".yml").split(".")[-1] for name in part) or "none"


# The engine's client needs a moment for each: every choice of profiles, and the overrides with none and all of them.
WAYS = [(FILES[0], chosen) for chosen in COMBINATIONS]
WAYS += [(files, chosen) for files in FILES[1:] for chosen in ((), PROFILES)]


@pytest.mark.parametrize(("files", "profiles"), WAYS, ids=named)
def test_compose_is_valid(files: tuple[str, ...], profiles: tuple[str, ...]) -> None:
    merged = compose_config(files, profiles)

    assert set(merged["services"]) == enabled(plain_services(files), profiles)


@pytest.mark.parametrize("profiles", COMBINATIONS, ids=named)
@pytest.mark.parametrize("files", FILES, ids=named)
def test_what_a_service_waits_for_starts_too(files: tuple[str, ...], profiles: tuple[str, ...]) -> None:
    services = plain_services(files)

    started = enabled(services, profiles)

    for name in started:
        needs = services[name].get("depends_on", {})
        assert isinstance(needs, list | dict)
        required = {one for one in needs if not isinstance(needs, dict) or needs[one].get("required", True)}
        assert required <= started, name


@pytest.mark.parametrize("files", FILES, ids=named)
def test_every_volume_is_declared_and_every_mounted_file_is_there(files: tuple[str, ...]) -> None:
    declared = {name for file in files for name in yaml.safe_load((ROOT / file).read_text()).get("volumes", {})}

    mounts = [mount for service in plain_services(files).values() for mount in listed(service, "volumes")]
    sources = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount).split(":")[0] for mount in mounts]

    assert sources
    for source in sources:
        assert (ROOT / source).exists() if source.startswith(".") else source in declared, source


def test_every_variable_has_a_default() -> None:
    text = "".join((ROOT / name).read_text() for name in ("docker-compose.yml", *OVERRIDES, CLUSTER))

    # Behind two dollars it is the container's shell that reads a variable.
    variables = re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", text)

    assert variables
    assert [name for name, rest in variables if not rest.startswith((":-", "-"))] == []


def test_no_default_asks_for_more_cpus_than_the_smallest_machine_has() -> None:
    deploy = plain_services()["actogram"]["deploy"]

    assert isinstance(deploy, dict)
    # The engine refuses to start a container with more CPUs than there are; 0 is all of them.
    assert deploy["resources"]["limits"]["cpus"] == "${ACTOGRAM_CPUS:-0}"
    assert deploy["resources"]["limits"]["memory"]


@pytest.mark.parametrize("script", sorted((ROOT / "docker").glob("*.sh")), ids=lambda path: path.name)
def test_shell_scripts_are_valid_and_stop_at_an_error(script: Path) -> None:
    shell = script.read_text().splitlines()[0].split("/")[-1].split()[-1]

    answer = subprocess.run([shell, "-n", str(script)], check=False, capture_output=True, text=True)

    assert answer.returncode == 0, answer.stderr
    assert re.search(r"^set -eu", script.read_text(), re.MULTILINE)
    assert os.access(script, os.X_OK)


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


@pytest.mark.parametrize("files", [("docker-compose.yml",), (CLUSTER,)], ids=named)
def test_every_image_names_a_version(files: tuple[str, ...]) -> None:
    images = {name: str(one["image"]) for name, one in plain_services(files).items() if "image" in one}

    for name, image in images.items():
        assert ":latest" not in image, name
        assert image.rstrip("}").count(":") >= 2, f"{name}: {image} has no tag"


def test_servers_of_a_cluster_differ_in_their_name_and_volume_alone() -> None:
    one, two = (plain_services((CLUSTER,))[f"actogram-{number}"] for number in (1, 2))

    differing = {key for key in one.keys() | two.keys() if one.get(key) != two.get(key)}

    assert differing == {"build", "environment", "volumes"}
    environment, other = one["environment"], two["environment"]
    assert isinstance(environment, dict)
    assert isinstance(other, dict)
    assert {name for name in environment if environment[name] != other[name]} == {"ACTOGRAM_REPLICA_URL"}
    assert {"ACTOGRAM_DATABASE_URL", "ACTOGRAM_BLOBS_URL", "ACTOGRAM_SECRET_KEY"} <= set(environment)


def test_cluster_has_no_password_of_its_own() -> None:
    text = (ROOT / CLUSTER).read_text()
    made = (ROOT / "docker/make_secrets.py").read_text()

    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET)\w*):-([^}]*)\}", text)

    assert {name for name, _ in secrets} == {"POSTGRES_PASSWORD", "STORE_PASSWORD", "CLUSTER_SECRET_KEY"}
    assert [name for name, _ in secrets if f'"{name}"' not in made] == []
    assert [default for _, default in secrets if default] == []


def test_every_variable_of_the_example_file_is_used() -> None:
    files = [ROOT / "docker-compose.yml", *(ROOT / one for one in (*OVERRIDES, CLUSTER))]
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


def test_pip_goes_only_where_nothing_is_left_to_fetch() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()

    removing = [line for line in lines if re.search(r"pip uninstall .*\bpip\b", line)]

    # One of the default networks comes out of a package.
    assert len(removing) == 2
    assert all('[ "$BAKE_WEIGHTS" = 1 ]' in line for line in removing)


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


def test_gpu_image_is_built_on_the_cuda_that_its_onnxruntime_is_built_for() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    lock = (ROOT / "docker/requirements/gpu.txt").read_text()

    base = re.search(r"^ARG GPU_BASE=nvidia/cuda:(\d+)\.\S*-cudnn-runtime-", dockerfile, re.MULTILINE)

    assert base is not None
    assert int(base[1]) == CUDA_MAJOR
    assert re.search(r"^onnxruntime-gpu==1\.31\.", lock, re.MULTILINE)
    assert not re.search(r"^onnxruntime==", lock, re.MULTILINE)


def test_gpu_image_checks_its_libraries_when_it_is_built() -> None:
    stage = (ROOT / "Dockerfile").read_text().partition("AS serve-gpu\n")[2].partition("\nFROM ")[0]

    assert re.search(r"^RUN python3 -c '.*require_gpu_libraries.*needs_driver=False", stage, re.MULTILINE)
