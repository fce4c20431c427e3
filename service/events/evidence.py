"""The evidence of events: for each event its clip, the skeletons, and why it was announced."""

import contextlib
import datetime as dt
import json
import secrets
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from models.atomic_file import replacing
from service.blob_store import BlobInfo, BlobStore, RemoteBlob, fetch, read_text
from service.blobs import safe_name
from service.database import now

_EVIDENCE = "evidence"


class EvidenceFolder:
    """One folder per event: `clip.mp4`, `thumbnail.jpg`, `skeletons.jsonl`, `evidence.json`.

    The worker writes, the service reads. Every call may raise BlobsUnavailable.

    store: where they lie.  scratch: a folder of this machine for what is put together.
    bytes_max: size of all evidence; the oldest goes first.
    recent: stream and track number → what its worker still remembers of that person, as JSON lines.
    """

    def __init__(
        self, store: BlobStore, scratch: Path, bytes_max: int,
        recent: Callable[[str, int], Sequence[str]] = lambda *_: (),
    ) -> None:  # fmt: skip
        self._store = store
        self._scratch = scratch
        self._bytes_max = bytes_max
        self._recent = recent

    def file(self, event_id: str, name: str) -> Path | RemoteBlob | None:
        """One of an event's files; None when there is none."""
        return self._store.get(_key(event_id, name))

    def clip(self, event_id: str) -> Path | RemoteBlob | None:
        """An event's clip; None when there is none."""
        return self.file(event_id, "clip.mp4")

    def thumbnail(self, event_id: str) -> Path | RemoteBlob | None:
        """An event's small picture; None when there is none."""
        return self.file(event_id, "thumbnail.jpg")

    def bundle(self, event_id: str, event: Mapping[str, JsonValue]) -> Path | None:
        """Everything about an event as one zip, which the caller removes; None when nothing was kept."""
        parts = [(name, self._store.get(_key(event_id, name))) for name in ("evidence.json", "skeletons.jsonl")]
        if parts[0][1] is None:
            return None
        parts.append(("clip.mp4", self.clip(event_id)))
        self._scratch.mkdir(parents=True, exist_ok=True)
        path = self._scratch / f"{secrets.token_hex(8)}.zip"
        with replacing(path) as whole:
            self._write_bundle(whole, event, [(name, one) for name, one in parts if one is not None])
        return path

    def keypoints(self, stream_id: str, track_id: int, event_ids: Sequence[str]) -> str | None:
        """The skeletons of a track in its events and its last seconds, without duplicates; None if there are none."""
        lines = {_time(line): line for line in self._recent(stream_id, track_id)}
        for event_id in event_ids:
            text = read_text(self._store, _key(event_id, "skeletons.jsonl")) or ""
            lines |= {_time(line): line for line in text.splitlines() if json.loads(line)["track_id"] == track_id}
        return "".join(f"{lines[time]}\n" for time in sorted(lines)) or None

    def forget_person(self, event_id: str, track_id: int) -> bool:
        """Leave nothing of a person in the evidence of somebody else's event; False when he is not in it.

        A clip or a picture that shows him goes as a whole; a picture of which nobody knows whom it shows goes too.
        """
        text = read_text(self._store, _key(event_id, "skeletons.jsonl"))
        if text is None:
            self._store.remove(_key(event_id, "thumbnail.jpg"))
            return False
        lines = text.splitlines()
        kept = [line for line in lines if json.loads(line)["track_id"] != track_id]
        if len(kept) == len(lines):
            return False
        for name in ("clip.mp4", "thumbnail.jpg"):
            self._store.remove(_key(event_id, name))
        self._store.write(_key(event_id, "skeletons.jsonl"), "".join(f"{line}\n" for line in kept).encode())
        return True

    def remove(self, event_id: str) -> None:
        """Remove the evidence of an event, if there is any."""
        self._store.remove(_key(event_id))

    def sweep(self, known: Callable[[Sequence[str]], set[str]], older_than_s: float) -> int:
        """Remove the evidence of events that are not known, where nobody can be writing it still, and then the oldest
        beyond the size limit; returns how many events lost theirs.
        """
        kept = sorted(self._iter_kept(), key=lambda one: one.modified, reverse=True)
        horizon = now() - dt.timedelta(seconds=older_than_s)
        old = [one.name for one in kept if one.modified < horizon]
        gone = set(old) - known(old)
        total_bytes = 0
        for one in kept:
            if one.name not in gone:
                total_bytes += one.size_bytes
                if total_bytes > self._bytes_max:
                    gone.add(one.name)
        for name in sorted(gone):
            self._store.remove(f"{_EVIDENCE}/{name}")
        self._remove_bundles(older_than_s)
        return len(gone)

    def _remove_bundles(self, older_than_s: float) -> None:
        """Remove what was put together for clients that went away before they had it."""
        for path in self._scratch.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_than_s:
                    path.unlink()

    def _iter_kept(self) -> Iterator["_Kept"]:
        found: dict[str, list[BlobInfo]] = {}
        for blob in self._store.list(_EVIDENCE):
            found.setdefault(blob.key.split("/")[1], []).append(blob)
        for name, blobs in found.items():
            yield _Kept(name, sum(one.size_bytes for one in blobs), max(one.modified for one in blobs))

    def _write_bundle(
        self, path: Path, event: Mapping[str, JsonValue], parts: Sequence[tuple[str, Path | RemoteBlob]]
    ) -> None:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path, "w") as archive:
            archive.writestr("event.json", json.dumps(dict(event), indent=1), zipfile.ZIP_DEFLATED)
            for name, found in parts:
                file = found if isinstance(found, Path) else Path(folder, name)
                if isinstance(found, RemoteBlob):
                    fetch(found.store, found.info.key, file)
                archive.write(file, name, zipfile.ZIP_STORED if name == "clip.mp4" else zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The evidence of one event. modified: when its newest file was written, UTC."""

    name: str
    size_bytes: int
    modified: dt.datetime


def _key(event_id: str, name: str = "") -> str:
    return "/".join(filter(None, (_EVIDENCE, safe_name(event_id), name)))


def _time(line: str) -> float:
    return float(json.loads(line)["media_time_s"])
