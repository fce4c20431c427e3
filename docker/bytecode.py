"""Imports what a server and its workers import, so that the image holds their bytecode and no start compiles it."""

import importlib
import pkgutil

# These never reach torch. The rest is what others import only once they run.
_PACKAGES = ("service", "pipelines.stream", "models.runtime")
_LATE = (
    "multiprocessing.spawn",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "urllib.request",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_impl",
)


def main() -> None:
    """Import each once; where the bytecode goes is the interpreter's business (PYTHONPYCACHEPREFIX)."""
    for package in _PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            # Alembic runs the migrations itself; they are no modules to import.
            if not module.name.startswith("service.migrations."):
                importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)


if __name__ == "__main__":
    main()
