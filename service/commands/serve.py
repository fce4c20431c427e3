"""`actogram serve`: the page and the API, until the process is told to end."""

import logging
import os
import socket
import sys
from types import FrameType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from service.security import KeyStore
    from service.settings import Settings

logger = logging.getLogger(__name__)

_GRACE_S = 4
"""Seconds for open requests; the workers' drain comes after it, and both fit into 20."""


@click.command(help="Serve the page and the API until Ctrl-C or SIGTERM.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--workers", type=click.IntRange(0, 64), help="Stream worker processes [default: ACTOGRAM_WORKERS or 1].")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), help="What runs the workers [default: ACTOGRAM_ENGINE or local]."
)
@click.option("--ray-address", help="Head of the Ray cluster, host:port or auto [default: one of this machine's own].")
@click.option("--create-key", is_flag=True, help="Create an admin key and print it, if there is no key yet.")
@click.option(
    "--log-level", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"])
)
def command(
    host: str, port: int, workers: int | None, engine: str | None, ray_address: str | None, create_key: bool,
    log_level: str,
) -> None:  # fmt: skip
    """Serve until a signal: the first one drains within 20 s, a second one ends at once."""
    from pipelines.errors import ConfigInvalid, PackageMissing
    from service.engine_choice import build_engine
    from service.errors import ServiceError
    from service.home_lock import HomeLock
    from service.private_files import make_private_by_default
    from service.settings import load_settings

    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Their lines are of no use here, and a URL may contain a token.
    for chatty in ("httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        given = {"workers": workers, "engine": engine, "ray_address": ray_address}
        settings = load_settings(**{name: value for name, value in given.items() if value is not None})
        make_private_by_default()
        # Before anything else: what follows puts the home in order, which only one server may do.
        lock = HomeLock(settings)
        lock.acquire()
        is_public = _is_public(host)
        _prepare(settings, host, is_public, create_key)
        runs_workers = build_engine(settings, logging.getLogger().getEffectiveLevel())
        runs_workers.start()  # here, where a cluster that does not answer is said in words
    except (ServiceError, ConfigInvalid, PackageMissing) as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        sys.exit(2)
    from service.app import create_app

    try:
        app = create_app(settings, runs_workers, lock=lock, is_public=is_public)
        status = run_server(app, host, port, log_level)
    finally:
        runs_workers.stop()
    sys.exit(status)


def _is_public(host: str) -> bool:
    """Whether a host to listen on means more than this machine's loopback, by what it resolves to."""
    from service.authentication import is_loopback

    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)} if host else set()
    except OSError:
        found = set()
    return not found or not all(is_loopback(address) for address in found)


def _prepare(settings: "Settings", host: str, is_public: bool, create_key: bool) -> None:
    """Migrate, make the first key if asked, and refuse an address that everyone reaches without any key."""
    from service.blob_choice import open_store, require_own
    from service.database import Database, migrate
    from service.errors import BlobsForeign, BlobsUnavailable, UnsafeBinding
    from service.replica_wiring import site_of
    from service.replicas.membership import Member
    from service.secret_box import open_box
    from service.security import KeyStore

    store = open_store(settings)
    box = open_box(settings)  # a key that cannot be read ends the start here, with words
    try:
        require_own(store, box.check)
    except BlobsForeign:
        raise
    except BlobsUnavailable as error:
        logger.warning("%s: uploads and results wait for it", error)
    database = Database(settings.database)
    try:
        migrate(database)
        if database.is_shared:
            Member(database, site_of(settings, box.check)).check()
        keys = KeyStore(database)
        if create_key and keys.is_empty():
            _print_key(keys, settings)
        if not keys.is_empty():
            return
        if is_public or settings.public_url is not None:
            why = f"--host {host} can be" if is_public else f"{settings.public_url} is"
            raise UnsafeBinding(
                f"{why} reached from other machines and there is no API key: create one with "
                "`actogram keys create`, or start with --create-key"
            )
        logger.warning("there is no API key: everyone on this machine may do everything; see `actogram keys`")
    finally:
        database.close()


def _print_key(keys: "KeyStore", settings: "Settings") -> None:
    from service.audit import NAME, AuditLog, entry_of_command

    text = keys.create("first", "admin")
    entry = entry_of_command("POST", f"/v1/keys/{text.split('_')[1]}")
    AuditLog(settings.home / NAME, settings.audit_bytes_max).append(entry)
    click.echo(f"Admin API key, shown once; only its hash is stored: {text}")


def run_server(app: "FastAPI", host: str, port: int, log_level: str) -> int:
    """Serve an application until a signal; returns the exit status."""
    import uvicorn

    from service.http_protocol import GuardedHttpProtocol

    config = uvicorn.Config(
        app, host=host, port=port, http=GuardedHttpProtocol, log_level=log_level, access_log=log_level == "debug",
        lifespan="on", timeout_graceful_shutdown=_GRACE_S, server_header=False, ws_max_size=4 * 2**20,
        ws_ping_interval=20, ws_ping_timeout=20, log_config=None,
    )  # fmt: skip
    server = _build_server(config)
    server.run()
    return 0 if server.started else 1


def _build_server(config: "uvicorn.Config") -> "uvicorn.Server":
    import uvicorn

    class Server(uvicorn.Server):
        """Says where it listens, and ends at once at the second signal."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            for listener in self.servers:
                for bound in listener.sockets:
                    click.echo(f"Actogram is at {_address(bound.getsockname())}")
                    sys.stdout.flush()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
            if self.should_exit:
                # Workers end too when their pipes close; what ran is queued again at the next start.
                os._exit(128 + sig)
            self.should_exit = True

    return Server(config)


def _address(name: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = name[0], name[1]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"
