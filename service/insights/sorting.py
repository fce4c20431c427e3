"""Memory for what SQLite sorts: by default it writes all beyond two megabytes to files and reads them again."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

_KIBIBYTES = 32 * 1024


@contextmanager
def sorting_in_memory(connection: sa.Connection) -> Iterator[None]:
    """Until the end of the block, sort up to 32 MiB in memory; PostgreSQL decides by its own settings."""
    if connection.dialect.name != "sqlite":
        yield
        return
    usual = int(connection.exec_driver_sql("PRAGMA cache_size").scalar_one())
    connection.exec_driver_sql(f"PRAGMA cache_size = {-_KIBIBYTES}")
    try:
        yield
    finally:
        # The connection goes back to the pool: what others keep in memory stays as it was.
        connection.exec_driver_sql(f"PRAGMA cache_size = {usual}")
