"""Clients in Python and TypeScript, generated from the OpenAPI document, against a running service."""

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.envelope import Envelope
from tests.service.conftest import Running

CLIENTS = Path(__file__).with_name("clients")
MODULES = CLIENTS / "node_modules"


def _run(command: list[str], folder: Path) -> str:
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]
    return told.stdout


@pytest.fixture
def document(service: Running, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(service.http.get("/openapi.json").text)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_text("script frames 6")
    return path


def test_generated_python_client_works(service: Running, document: Path, video: Path, tmp_path: Path) -> None:
    pytest.importorskip("openapi_python_client")
    told = _run(
        [
            sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document), "--meta", "none",
            "--output-path", str(tmp_path / "made"), "--config", str(CLIENTS / "python.yaml"), "--fail-on-warning",
        ],
        tmp_path,
    )  # fmt: skip
    assert "WARNING" not in told
    shutil.copy(CLIENTS / "client.py", tmp_path)

    found = json.loads(_run([sys.executable, "-W", "error", "client.py", service.url, str(video)], tmp_path))

    assert found == {
        "state": "succeeded", "actions": ["wave"], "lines": 6, "jobs": found["jobs"], "refused": "source_forbidden",
        "gone": "not_found", "secret": "whsec_", "models": True, "since": True,
    }  # fmt: skip
    assert found["jobs"] > 0


def test_generated_typescript_client_compiles_and_works(
    service: Running, document: Path, video: Path, tmp_path: Path
) -> None:
    if shutil.which("node") is None or not (MODULES / "typescript").is_dir():
        pytest.skip("node, or what tests/system-packages.sh installs for it, is missing")
    for name in ("client.ts", "tsconfig.json", "package.json"):
        shutil.copy(CLIENTS / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(MODULES)
    programs = MODULES / ".bin"
    heard = Envelope(
        seq=7, type="action.started", time=dt.datetime(2026, 11, 27, tzinfo=dt.UTC), data={"action": "fall"}
    )

    _run(
        [str(programs / "openapi-typescript"), str(document), "-o", "api.d.ts", "--default-non-nullable=false"],
        tmp_path,
    )
    _run([str(programs / "tsc"), "-p", "."], tmp_path)
    told = _run(["node", "client.js", service.url, str(video), heard.model_dump_json()], tmp_path)

    assert json.loads(told) == {
        "state": "succeeded", "tags": {"site": "north"}, "actions": ["wave"], "named": "source_forbidden",
        "missing": "not_found", "labels": ["fall"], "told": "action.started",
    }  # fmt: skip
