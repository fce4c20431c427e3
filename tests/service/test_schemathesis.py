"""Everything that the OpenAPI document allows, and much that it does not, against a running service: every check."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.database import Database, migrate
from service.security import KeyStore
from tests.service.conftest import Running, running

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
_LIMIT_S = 280.0


@pytest.fixture(scope="module")
def service_and_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    home = tmp_path_factory.mktemp("schemathesis")
    database = Database(f"sqlite:///{home / 'actogram.sqlite3'}")
    migrate(database)
    key = KeyStore(database).create("schemathesis", "admin")
    database.close()
    limits: dict[str, Any] = {"webhooks_max": 10_000, "jobs_queued_max": 100_000, "camera_search": False}
    with running(home, source_schemes="http", **limits) as service:
        yield service, key


@pytest.mark.timeout(300)
def test_api_keeps_what_its_document_promises(service_and_key: tuple[Running, str], tmp_path: Path) -> None:
    service, key = service_and_key

    told = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run",
            f"{service.url}/openapi.json", "-H", f"Authorization: Bearer {key}", "--checks", "all", "--seed", "1",
            "--max-examples", "12", "--request-timeout", "20", "--generation-database", "none", "--no-color",
        ],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=_LIMIT_S,
        check=False,
    )  # fmt: skip

    assert told.returncode == 0, told.stdout[-20_000:] + told.stderr[-2_000:]
