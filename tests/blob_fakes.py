"""A store that is away for a while."""

from collections.abc import Iterator
from pathlib import Path

from service.blob_store import FileStore
from service.errors import BlobsUnavailable


class FlakyStore(FileStore):
    """Files below a folder; the next calls fail as often as `failures` says."""

    def __init__(self, root: Path, failures: int = 0) -> None:
        super().__init__(root)
        self.failures = failures
        self.num_calls = 0

    def put(self, key: str, path: Path) -> None:
        self._fail()
        super().put(key, path)

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        self._fail()
        return super().read(key, start, stop)

    def _fail(self) -> None:
        self.num_calls += 1
        if self.failures > 0:
            self.failures -= 1
            raise BlobsUnavailable("the store is away")
