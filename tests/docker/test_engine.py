"""The deployment for real: built, started, killed, taken down and up; only where an engine runs and may be used."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "actogram-engine-test"


@pytest.fixture
def deployment() -> Iterator[dict[str, str]]:
    """The environment of a running compose project of its own, on a port of its own."""
    if os.environ.get("ACTOGRAM_TEST_ENGINE") != "1":
        pytest.skip("ACTOGRAM_TEST_ENGINE is not 1: images are not built unasked")
    if subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        pytest.skip("no container engine answers")
    environment = {**os.environ, "COMPOSE_PROJECT_NAME": PROJECT, "ACTOGRAM_PUBLISH": "127.0.0.1:0"}
    compose(environment, "build")
    try:
        compose(environment, "up", "-d", "--no-build", "--pull", "never")
        yield environment
    finally:
        compose(environment, "down", "-v", "--remove-orphans")


def compose(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run(["docker", "compose", *arguments], cwd=ROOT, env=environment, check=True, timeout=1200)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_everything_survives_kill_and_down(deployment: dict[str, str], data_dir: Path) -> None:
    clip = data_dir / "video" / "upfall_a2_t1_c1.mp4"

    ended = subprocess.run(
        ["docker/smoke.sh", str(clip)], cwd=ROOT, env=deployment, check=False, capture_output=True, text=True
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "PASSED" in ended.stdout
