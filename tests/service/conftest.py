"""A running service whose workers are threads, and a video that is a script."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.blob_choice import open_store
from service.blob_store import BlobStore
from service.http_protocol import GuardedHttpProtocol
from service.settings import Settings, load_settings
from service.supervision.engine import Engine
from service.supervision.types import Limits
from tests.cluster import shared_state, staged
from tests.fakes import ThreadEngine

JobRead = dict[str, object]


@dataclass(frozen=True)
class Running:
    """A service on a real socket, and a client of it."""

    app: FastAPI
    url: str
    home: Path
    http: httpx.Client

    @property
    def database_url(self) -> str:
        settings = self.app.state.parts[Settings]
        assert isinstance(settings, Settings)
        return settings.database

    @property
    def store(self) -> BlobStore:
        """Where its blobs are."""
        settings = self.app.state.parts[Settings]
        assert isinstance(settings, Settings)
        return open_store(settings)

    def post(self, script: str, name: str = "clip.mp4", **fields: str) -> httpx.Response:
        return self.http.post("/v1/jobs", files={"file": (name, script.encode(), "video/mp4")}, data=fields)

    def create(self, script: str, **fields: str) -> str:
        response = self.post(script, **fields)
        assert response.status_code == 202, response.text
        return str(response.json()["job_id"])

    def wait(self, job_id: str, *states: str, timeout_s: float = 15) -> JobRead:
        wanted = states or ("succeeded", "failed")
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            job: JobRead = self.http.get(f"/v1/jobs/{job_id}").json()
            if job.get("state") in wanted:
                return job
            time.sleep(0.02)
        raise AssertionError(f"{job_id} is not {wanted}: {job}")


Serve = Callable[..., Running]


@contextmanager
def running(
    home: Path, engine: Engine | None = None, limits: Limits | None = None, is_ready: bool = True,
    is_public: bool | None = None, **settings: object,
) -> Iterator[Running]:  # fmt: skip
    """Serve on a free port until the end of the block; `is_ready` waits until a worker is.

    is_public: as if it listened beyond loopback.
    """
    settings = {"webhook_networks": "loopback", **shared_state(), **settings}
    chosen = load_settings(home=home, disk_reserve_bytes=0, **settings)
    app = create_app(chosen, staged(engine or ThreadEngine(), chosen), limits, is_public=is_public)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=2,
            ws="websockets-sansio",
            http=GuardedHttpProtocol,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, timeout=20) as http:
        while is_ready and http.get("/readyz").status_code != 200 and time.monotonic() < until:
            time.sleep(0.02)
        yield Running(app, url, home, http)
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive(), "the service did not stop"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a service of one's own: settings as keywords."""
    with ExitStack() as stack:

        def start(
            engine: Engine | None = None, limits: Limits | None = None, is_ready: bool = True,
            is_public: bool | None = None, **settings: object,
        ) -> Running:  # fmt: skip
            return stack.enter_context(running(tmp_path / "home", engine, limits, is_ready, is_public, **settings))

        yield start


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for every test that needs no settings of its own."""
    with running(tmp_path_factory.mktemp("service"), source_schemes="http,file", source_folders="/nowhere") as found:
        yield found
