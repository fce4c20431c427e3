"""Jobs whose blobs lie in a store: the video is fetched, the results are sent, and nothing stays on this machine."""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from service.blob_store import BlobStore, fetch
from service.blobs import BLOB_SCHEME, is_full
from service.errors import BlobsUnavailable, StorageFull
from service.protocol.messages import JobTask, Sample, Task, Values
from service.worker.channel import Channel, Ended
from service.worker.runners import TaskRunners

logger = logging.getLogger(__name__)

_PATIENCE_S = 300.0
_PAUSE_S = 3.0
_STEP_S = 0.2


class StagedRunners:
    """Runners whose jobs see files of this machine alone, wherever the blobs lie.

    scratch: a folder of this process; a job's part of it goes with the job.
    require_disk_space: raises StorageFull when so many bytes do not fit.
    patience_s: how long a store may be away before the job fails.
    """

    def __init__(
        self, runners: TaskRunners, store: BlobStore, scratch: Path, require_disk_space: Callable[[int], None],
        patience_s: float = _PATIENCE_S,
    ) -> None:  # fmt: skip
        self._runners = runners
        self._store = store
        self._scratch = scratch
        self._require_disk_space = require_disk_space
        self._patience_s = patience_s

    def warm(self) -> Values:
        """As the runners do; what an earlier process left of its jobs is removed first."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        return self._runners.warm()

    def run(self, task: Task, channel: Channel) -> Ended:
        """Do a task; a job fails with a code of its own when the store or the disk does not do its part."""
        if not isinstance(task, JobTask) or not task.folder.startswith(BLOB_SCHEME):
            return self._runners.run(task, channel)
        folder = self._scratch / task.task_id
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return self._run_staged(task, channel, folder)
        except _Stopped:
            return Ended("released" if channel.stop_reason == "drain" else "cancelled", {})
        except FileNotFoundError:
            return Ended("failed", {}, "source_error", "the video is no longer in the store")
        except (BlobsUnavailable, StorageFull) as error:
            return Ended("failed", {}, error.code, str(error))
        except OSError as error:
            if not is_full(error):
                raise
            return Ended("failed", {}, StorageFull.code, "the disk has no room for the video")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def measure(self) -> Sequence[Sample]:
        """As the runners do."""
        return self._runners.measure()

    def facts(self) -> Values:
        """As the runners do."""
        return self._runners.facts()

    def _run_staged(self, task: JobTask, channel: Channel, folder: Path) -> Ended:
        source, key = task.source, task.folder.removeprefix(BLOB_SCHEME)
        if source.startswith(BLOB_SCHEME):
            path = folder / Path(source).name
            self._try(channel, lambda: self._fetch(source.removeprefix(BLOB_SCHEME), path, channel))
            source = str(path)
        given = {path.name for path in folder.iterdir()}
        ended = self._runners.run(replace(task, source=source, folder=str(folder)), channel)
        is_whole = ended.outcome == "succeeded"
        for path in sorted(folder.iterdir()):
            is_wanted = is_whole or (ended.outcome == "failed" and path.name.startswith("source."))
            if is_wanted and path.name not in given and not path.name.startswith("."):
                self._send(f"{key}/{path.name}", path, channel)
        return ended

    def _send(self, key: str, path: Path, channel: Channel) -> None:
        self._try(channel, lambda: self._store.put(key, path))

    def _fetch(self, key: str, path: Path, channel: Channel) -> None:
        found = self._store.get(key)
        if found is None:
            raise FileNotFoundError(key)
        self._require_disk_space(found.stat().st_size if isinstance(found, Path) else found.info.size_bytes)
        fetch(self._store, key, path, lambda: _go_on(channel))

    def _try(self, channel: Channel, do: Callable[[], None]) -> None:
        """Do it, again and again while the store is away and patience lasts."""
        until_s = time.monotonic() + self._patience_s
        while True:
            _go_on(channel)
            try:
                do()
                return
            except BlobsUnavailable as error:
                if time.monotonic() > until_s:
                    raise
                logger.warning("%s; tried again in %.0f s", error, _PAUSE_S)
            self._wait(channel)

    def _wait(self, channel: Channel) -> None:
        until_s = time.monotonic() + _PAUSE_S
        while time.monotonic() < until_s and channel.stop_reason is None:
            channel.beat()
            time.sleep(_STEP_S)


def _go_on(channel: Channel) -> None:
    """Raises _Stopped once the job is no longer wanted."""
    channel.beat()
    if channel.stop_reason is not None:
        raise _Stopped


class _Stopped(Exception):
    """The job is no longer wanted here."""
