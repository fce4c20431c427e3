"""A source of weights that is in memory, and a web server for one folder."""

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

from models.weights.fetch import FetchFailed, Progress
from models.weights.registry import FileSpec, WeightSource


class FakeFetcher:
    """Writes `data`, then fails with `error` if there is one; counts how often it is asked."""

    def __init__(self, data: bytes = b"", error: str = "") -> None:
        self.calls = 0
        self._data = data
        self._error = error

    def __call__(self, source: WeightSource, spec: FileSpec, folder: Path, progress: Progress) -> Path:
        self.calls += 1
        path = folder / "fetched"
        path.write_bytes(self._data)
        if self._error:
            raise FetchFailed(self._error)
        return path


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextlib.contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    """The address of a server on this machine that gives the folder's files."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)
