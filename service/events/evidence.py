"""The evidence of events on disk: for each event its clip, the skeletons, and why it was announced."""

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from models.atomic_file import replacing
from service.blobs import safe_name


class EvidenceFolder:
    """One folder per event: `clip.mp4`, `thumbnail.jpg`, `skeletons.jsonl`, `evidence.json`.

    The worker writes, the service reads.

    bytes_max: size of all evidence; the oldest goes first.
    recent: stream and track number → what its worker still remembers of that person, as JSON lines.
    """

    def __init__(self, root: Path, bytes_max: int, recent: Callable[[str, int], Sequence[str]] = lambda *_: ()) -> None:
        self._root = root
        self._bytes_max = bytes_max
        self._recent = recent

    @property
    def root(self) -> Path:
        """Where workers write."""
        return self._root

    def open(self) -> None:
        """Create the folder."""
        self._root.mkdir(parents=True, exist_ok=True)

    def folder(self, event_id: str) -> Path:
        """The folder of an event, whether or not it exists."""
        return self._root / safe_name(event_id)

    def clip(self, event_id: str) -> Path:
        """The path of an event's clip, whether or not it exists."""
        return self.folder(event_id) / "clip.mp4"

    def thumbnail(self, event_id: str) -> Path:
        """The path of an event's small picture, whether or not it exists."""
        return self.folder(event_id) / "thumbnail.jpg"

    def bundle(self, event_id: str, event: Mapping[str, JsonValue]) -> Path | None:
        """Everything about an event as one zip; None when nothing was kept."""
        folder = self.folder(event_id)
        if not (folder / "evidence.json").is_file():
            return None
        path = folder / "evidence.zip"
        with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("event.json", json.dumps(dict(event), indent=1))
            for name in ("evidence.json", "skeletons.jsonl"):
                if (folder / name).is_file():
                    archive.write(folder / name, name)
            if (folder / "clip.mp4").is_file():
                archive.write(folder / "clip.mp4", "clip.mp4", zipfile.ZIP_STORED)
        return path

    def keypoints(self, stream_id: str, track_id: int, event_ids: Sequence[str]) -> str | None:
        """The skeletons of a track in its events and its last seconds, without duplicates; None if there are none."""
        lines = {_time(line): line for line in self._recent(stream_id, track_id)}
        for event_id in event_ids:
            path = self.folder(event_id) / "skeletons.jsonl"
            if not path.is_file():
                continue
            with path.open(encoding="utf-8") as file:
                lines |= {_time(line): line.rstrip() for line in file if json.loads(line)["track_id"] == track_id}
        return "".join(f"{lines[time]}\n" for time in sorted(lines)) or None

    def forget_person(self, event_id: str, track_id: int) -> bool:
        """Leave nothing of a person in the evidence of somebody else's event; False when he is not in it.

        A clip or a picture that shows him goes as a whole; a picture of which nobody knows whom it shows goes too.
        """
        folder = self.folder(event_id)
        path = folder / "skeletons.jsonl"
        if not path.is_file():
            self.thumbnail(event_id).unlink(missing_ok=True)
            return False
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["track_id"] != track_id]
        if len(kept) == len(lines):
            return False
        for name in ("clip.mp4", "thumbnail.jpg", "evidence.zip"):
            (folder / name).unlink(missing_ok=True)
        with replacing(path) as part:
            part.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        return True

    def remove(self, event_id: str) -> None:
        """Remove the evidence of an event, if there is any."""
        shutil.rmtree(self.folder(event_id), ignore_errors=True)

    def remove_orphans(self, known: Callable[[Sequence[str]], set[str]], older_than_s: float) -> int:
        """Remove the evidence of events that are not known, where nobody can be writing it still; returns how many."""
        old = [folder.name for folder in self._root.iterdir() if _age_s(folder) > older_than_s]
        left = set(old) - known(old)
        for name in left:
            shutil.rmtree(self._root / name, ignore_errors=True)
        return len(left)

    def trim(self) -> int:
        """Remove the oldest evidence beyond the size limit; returns how many events lost theirs."""
        sized = sorted((found for folder in self._root.iterdir() if (found := _sized(folder))), reverse=True)
        total, removed = 0, 0
        for _, size, folder in sized:
            total += size
            if total > self._bytes_max:
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        return removed


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _time(line: str) -> float:
    return float(json.loads(line)["media_time_s"])


def _sized(folder: Path) -> tuple[float, int, Path] | None:
    """Age and size of one event's folder; None if it is being removed, or is not a folder."""
    try:
        return folder.stat().st_mtime, sum(path.stat().st_size for path in folder.iterdir()), folder
    except (FileNotFoundError, NotADirectoryError):
        return None
