"""What is done of a set that is being made from videos: one file per video, so that a kill loses little."""

import fcntl
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from models.atomic_file import remove_parts
from pipelines.errors import DatasetInvalid, SinkError
from pipelines.stream.file_names import printable
from pipelines.training.datasets import load_set, save_set
from pipelines.training.prepare import VideoJob
from pipelines.training.skeletons import Annotation, SkeletonSet

_VERSION = 1
"""Changes with anything that makes the same video give other skeletons."""


class Parts:
    """The folder beside a set in which its videos' skeletons wait until all are there; one process at a time.

    out:   the set. names: of the networks that make the skeletons: with others, everything is made anew.
    patience_s: for how long another process may still hold the folder, as one that was just killed does.
    Raises DatasetInvalid where the folder cannot be made, or another process makes the same set.
    """

    def __init__(self, out: Path, names: tuple[str, ...], patience_s: float = 3.0) -> None:
        self.folder = out.with_name(f".{out.name}.parts")
        self._out, self._names = out, names
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except OSError as cause:
            raise DatasetInvalid(f"{self.folder}: cannot be written: {cause.strerror}") from cause
        if not _locked(self._lock, patience_s):
            os.close(self._lock)
            raise DatasetInvalid(f"{out}: another process is making this set")
        remove_parts(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def path(self, job: VideoJob) -> Path:
        """Where the skeletons of a video lie: under a name that changes with the video and with how it is looked at."""
        stat = job.path.stat()
        key = [
            _VERSION, os.fsencode(job.path.absolute()).hex(), stat.st_size, stat.st_mtime_ns, job.min_s, job.stop_s,
            self._names,
        ]  # fmt: skip
        return self.folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.npz"

    def get(self, path: Path) -> list[Annotation] | None:
        """The skeletons that were kept under a path; None where there are none, or no whole ones."""
        if not path.is_file():
            return None
        try:
            return list(load_set(path).annotations)
        except DatasetInvalid:
            return None

    def finish(self, skeletons: SkeletonSet) -> None:
        """Write the set, whole or not at all, and remove the parts."""
        whole = self.folder / f"whole{self._out.suffix}"
        save_set(skeletons, whole)
        try:
            whole.replace(self._out)
        except OSError as cause:
            raise SinkError(f"{self._out}: cannot be written: {cause.strerror}") from cause
        shutil.rmtree(self.folder, ignore_errors=True)


def _locked(lock: int, patience_s: float) -> bool:
    """Whether the lock could be had in time."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.1)
        else:
            return True


def keep(tracks: list[Annotation], path: Path) -> None:
    """Keep the skeletons of one video; raises SinkError where they cannot be written."""
    save_set(SkeletonSet(printable(path.stem), (), {}, tuple(tracks)), path)
