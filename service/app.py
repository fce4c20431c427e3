"""Builds the application: joins the slices, mounts the routes and the page, and opens everything in the lifespan."""

import asyncio
import datetime as dt
import logging
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.staticfiles import StaticFiles

from models.weights.registry import ModelSpec
from models.weights.store import WeightStore
from service import health, key_routes, session_routes
from service.api_document import describe
from service.api_page import render
from service.audit import NAME, AuditLog
from service.authentication import Authenticator
from service.blob_choice import open_store, require_own
from service.blob_store import BlobStore
from service.blobs import BlobFolder
from service.cameras import routes as camera_routes
from service.cameras.control import CameraControl, CameraRules
from service.catalog import routes as catalog_routes
from service.catalog.library import Library, load_library
from service.database import Database, migrate
from service.deps import provide
from service.engine_choice import build_engine
from service.errors import TooManyNetworks, install
from service.event_log import EventLog
from service.events import review_routes
from service.events import routes as event_routes
from service.events.timed import routes as timed_routes
from service.gate import Gate
from service.head_requests import HeadAsGet
from service.home_lock import HomeLock
from service.insights import routes as insight_routes
from service.insights.control import InsightControl
from service.insights.weekly import WeeklyFigures
from service.jobs import routes as job_routes
from service.jobs import store as job_store
from service.jobs.control import JobControl
from service.jobs.dispatch import JobDispatcher
from service.jobs.retention import JobLimits, JobRetention
from service.jobs.schemas import JobOptions
from service.live import routes as live_routes
from service.live.hub import Hub
from service.live.peers import PeerUrls
from service.middleware import OriginGuard, PlainProblems, SecurityHeaders
from service.pass_on import PassOn
from service.private_files import tighten_home
from service.protocol.metrics import DISK_FREE, DISK_SIZE, JOBS, WORKER_MEMORY, WS_CLIENTS
from service.replica_wiring import Replicas, build_replicas
from service.replicas.leases import Leases
from service.reserve import DiskReserve, MakeRoom
from service.retention import Janitor, Sweep
from service.sealing import fail_lost, seal_stored
from service.secret_box import open_box
from service.security import KeyStore
from service.settings import STREAMS_MAX, Settings
from service.sinks import destination_routes
from service.sinks import routes as sink_routes
from service.site import BelowPath, Site
from service.sources import camera_policy, job_policy
from service.streams import routes as stream_routes
from service.supervision.engine import Engine
from service.supervision.supervisor import Supervisor
from service.supervision.types import JOBS_WORKER, Limits, WorkerPlan
from service.telemetry import Metrics
from service.views import routes as view_routes
from service.views.control import ViewControl
from service.wiring import Foundation, LiveServices, build_live, require_networks, running_networks

logger = logging.getLogger(__name__)

WEB = Path(__file__).parent / "web"

_SWEEP_S = {False: 60.0, True: 600.0}
"""Seconds between two sweeps, of files and of an object store: there they are long listings, and requests may cost."""
_MJPEG = "multipart/x-mixed-replace"
_MANIFEST = "application/manifest+json"

_DESCRIPTION = """Point it at a camera or a video and it says who does what, when.

Errors are `application/problem+json`; branch on `code`. Times are RFC 3339 in UTC, durations and media times are
seconds (`_s`). Boxes and keypoints are normalised to 0..1 of the frame. The live channel is the WebSocket `/v1/ws`:
send `{"type": "subscribe", "messages": ["job"]}` and read one JSON envelope per message. To resume after a lost
connection, send the highest `seq` you have seen as `since_seq`.
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that lives as long as the server."""

    settings: Settings
    database: Database
    blobs: BlobFolder
    hub: Hub
    log: EventLog
    supervisor: Supervisor
    job_dispatcher: JobDispatcher
    jobs: JobControl
    job_retention: JobRetention
    janitor: Janitor
    authenticator: Authenticator
    metrics: Metrics
    library: Library
    live: LiveServices
    reserve: DiskReserve
    audit: AuditLog
    insights: InsightControl
    cameras: CameraControl
    keys: KeyStore
    views: ViewControl
    weekly: WeeklyFigures
    replicas: Replicas

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bring everything up; the workers load their networks in the background."""
        migrate(self.database)
        self.replicas.join()
        seal_stored(self.database)
        fail_lost(self.database, self.log)
        self.reserve.fill()
        self.blobs.open()
        self.hub.open(loop)
        self.replicas.follow()
        self.job_retention.remove_orphans()
        self.job_dispatcher.start()
        self.live.start()
        self.supervisor.start()
        self.janitor.start()

    def stop(self) -> None:
        """Drain: place nothing new, release what runs, then close."""
        self.janitor.stop()
        self.job_dispatcher.stop()
        self.live.stop()
        self.supervisor.stop()
        self.live.close()
        self.replicas.leave()
        self.hub.close()
        self.database.close()


def build_parts(
    settings: Settings, engine: Engine | None = None, limits: Limits | None = None, is_public: bool | None = None
) -> Parts:
    """Create everything, start nothing.

    engine: starts workers; left out: the one of the settings.
    is_public: whether the server listens beyond loopback; None: judged by each connection.
    """
    tighten_home(settings)
    box = open_box(settings)
    database = Database(settings.database, box)
    store = open_store(settings)
    blobs = BlobFolder(settings.blobs, settings.disk_reserve_bytes, store=None if settings.blobs_url is None else store)
    hub = Hub()
    replicas = build_replicas(settings, database, box.check)
    log = EventLog(database, hub.publish, replicas.gate)
    metrics = Metrics()
    level = logging.getLogger().getEffectiveLevel()
    supervisor = Supervisor(
        engine or build_engine(settings, level), _plans(settings), limits or _limits(settings), metrics.apply
    )
    job_leases = Leases("job", replicas.membership)
    job_dispatcher = JobDispatcher(log, blobs, supervisor, hub.publish, settings.job_duration_max_s, leases=job_leases)
    supervisor.listen("job", job_dispatcher)
    library = load_library(
        own=settings.models_folder, running=partial(running_networks, supervisor), profile=settings.profile,
        is_at_hand=partial(_is_at_hand, WeightStore(settings.cache, settings.weights, offline=True), {}),
    )  # fmt: skip
    jobs = JobControl(
        database, log, blobs, job_policy(settings), job_dispatcher, supervisor,
        partial(_require_networks, library, settings), settings.jobs_queued_max,
    )  # fmt: skip
    job_retention = JobRetention(database, blobs, _job_limits(settings), job_leases)
    live = build_live(
        Foundation(settings, database, hub, log, supervisor, library, metrics, store, replicas.membership)
    )
    reserve = DiskReserve(settings.home / "reserve")
    keys, views = KeyStore(database), ViewControl(database)
    sweeps = (
        *(_in_own_place(sweep, store, box.check) for sweep in (Sweep("jobs", job_retention.sweep), *live.sweeps())),
        Sweep("views of keys that are gone", views.sweep),
        Sweep("messages of the log", partial(log.forget, settings.retention_log_rows)),
    )  # fmt: skip
    janitor = Janitor(sweeps, _SWEEP_S[settings.blobs_url is not None], reserve, replicas.membership.is_leader)
    replicas.connect(log, hub, supervisor, live, job_dispatcher)
    parts = Parts(
        settings, database, blobs, hub, log, supervisor, job_dispatcher, jobs, job_retention, janitor,
        Authenticator(keys, is_public=is_public or settings.public_url is not None), metrics, library,
        live, reserve, AuditLog(settings.home / NAME, settings.audit_bytes_max),
        InsightControl(database),
        CameraControl(camera_policy(settings), CameraRules(settings.camera_search, settings.blur_faces)),
        keys, views, WeeklyFigures(database, partial(_stream_names, live)), replicas,
    )  # fmt: skip
    metrics.refresh_with(partial(_refresh, parts))
    return parts


def create_app(
    settings: Settings, engine: Engine | None = None, limits: Limits | None = None, lock: HomeLock | None = None,
    is_public: bool | None = None,
) -> FastAPI:  # fmt: skip
    """The application; nothing is opened until its lifespan begins.

    lock: held already by whoever starts the server; left out: taken when the lifespan begins.
    is_public: whether the server listens beyond loopback: then everything needs a key. None: judged by each connection.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with lock or HomeLock(settings):
            parts = await run_in_threadpool(build_parts, settings, engine, limits, is_public)
            provide(
                app,
                (
                    PeerUrls(parts.replicas.peer_urls),
                    *(getattr(parts, name) for name in Parts.__slots__),
                    *parts.live.parts,
                ),
            )
            await run_in_threadpool(parts.start, asyncio.get_running_loop())
            try:
                yield
            finally:
                await run_in_threadpool(parts.stop)

    site = Site.of(settings)
    app = FastAPI(
        title="Actogram", version=version("actogram"), description=_DESCRIPTION, lifespan=lifespan, docs_url=None,
        redoc_url=None, license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        # Generated clients call their functions by it.
        generate_unique_id_function=lambda route: route.name,
        servers=[{"url": site.url}] if site.url else None,
    )  # fmt: skip
    install(app)
    for router in _routers():
        app.include_router(router)
    describe(app)
    _mount_page(app)
    app.add_middleware(HeadAsGet)
    app.add_middleware(
        GZipMiddleware, compresslevel=5,
        # Compressing a moving picture would hold every frame back until later ones have filled the compressor.
        exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream", _MJPEG),
    )  # fmt: skip
    app.add_middleware(PlainProblems)
    app.add_middleware(MakeRoom)
    app.add_middleware(PassOn)
    app.add_middleware(Gate)
    app.add_middleware(OriginGuard, site=site)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(BelowPath, site=site)
    return app


def _in_own_place(sweep: Sweep, store: BlobStore, owner: str) -> Sweep:
    """A sweep that removes nothing where the blobs may be somebody else's."""

    def run() -> int:
        require_own(store, owner)
        return sweep.run()

    return Sweep(sweep.name, run)


def _require_networks(library: Library, settings: Settings, options: JobOptions) -> None:
    """Raises ModelUnknown, LayoutNotServed, and TooManyNetworks where a worker may hold none but the default ones."""
    require_networks(library, options.model, options.detector, options.pose)
    if (options.detector or options.pose) and settings.networks_per_worker == 0:
        raise TooManyNetworks(
            "ACTOGRAM_NETWORKS_PER_WORKER is 0: only the default detector and pose estimator are used"
        )


def _is_at_hand(store: WeightStore, known: dict[str, bool], spec: ModelSpec) -> bool:
    """Found out once: it takes the checksum of the whole file."""
    if spec.name not in known:
        known[spec.name] = store.state(spec) == "cached"
    return known[spec.name]


def _routers() -> Sequence[APIRouter]:
    modules = (
        job_routes, stream_routes, camera_routes, review_routes, event_routes, timed_routes, insight_routes,
        sink_routes, destination_routes, catalog_routes, live_routes, session_routes, key_routes, view_routes, health,
    )  # fmt: skip
    return [*(module.router for module in modules), stream_routes.sockets]


def _plans(settings: Settings) -> Sequence[WorkerPlan]:
    watchers = [
        WorkerPlan(f"w{index}", {"stream": settings.streams_per_worker or STREAMS_MAX})
        for index in range(settings.workers)
    ]
    return [WorkerPlan(JOBS_WORKER, {"job": 1}), *watchers]


def _limits(settings: Settings) -> Limits:
    return Limits(
        stall_s={"job": settings.job_stall_s, "stream": settings.stream_stall_s},
        memory_bytes=settings.worker_memory_bytes,
    )


def _job_limits(settings: Settings) -> JobLimits:
    age = dt.timedelta(days=settings.retention_jobs_days)
    return JobLimits(age, settings.retention_jobs_max, settings.retention_blobs_bytes)


def _stream_names(live: LiveServices) -> dict[str, str]:
    return {row.stream_id: row.name for row in live.streams.all()}


def _refresh(parts: Parts) -> None:
    parts.metrics.record(WS_CLIENTS.set(parts.hub.num_clients))
    for worker in parts.supervisor.health():
        parts.metrics.record(WORKER_MEMORY.set(worker.rss_bytes, worker=worker.name))
    disk = shutil.disk_usage(parts.settings.home)
    parts.metrics.record(DISK_FREE.set(disk.free))
    parts.metrics.record(DISK_SIZE.set(disk.total))
    with parts.database.read() as connection:
        found = job_store.count(connection)
    for state in get_args(job_store.JobState):
        parts.metrics.record(JOBS.set(found.get(state, 0), state=state))


def _page_file(name: str, media_type: str) -> FileResponse:
    return FileResponse(WEB / name, media_type=media_type, headers={"Cache-Control": "no-cache"})


def _mount_page(app: FastAPI) -> None:
    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    def index() -> FileResponse:
        return FileResponse(WEB / "index.html", headers={"Cache-Control": "no-cache"})

    # At the page's own level: a worker looks after what lies below it.
    for name, media_type in (("service-worker.js", "text/javascript"), ("manifest.webmanifest", _MANIFEST)):
        app.add_api_route(f"/{name}", partial(_page_file, name, media_type), include_in_schema=False)

    @app.get("/docs", include_in_schema=False)
    def reference() -> HTMLResponse:
        return HTMLResponse(render(app.openapi()))

    app.mount("/assets", StaticFiles(directory=WEB / "assets", check_dir=False), name="assets")
