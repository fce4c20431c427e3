"""The home: whether it can be written, whether others can read it, and whether there is room where it is."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.doctor.findings import Finding
from service.settings import Settings

_GIB = 2**30
_SCARCE_BYTES = 2 * _GIB
_PROBE_BYTES = 4096


def check_home(settings: Settings) -> Iterator[Finding]:
    """Whether the home can be made and written, and whether others can read it."""
    home = settings.home
    try:
        found = home.stat()
    except FileNotFoundError:
        yield _unmade(home)
        return
    except OSError as error:
        yield Finding("home", "bad", f"{home}: {error.strerror}", "name another folder with ACTOGRAM_HOME")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield Finding("home", "bad", f"{home} is no folder", "name a folder with ACTOGRAM_HOME")
        return
    yield _written(home)
    yield _closed(home, found)


def _unmade(home: Path) -> Finding:
    parent = _nearest(home)
    if os.access(parent, os.W_OK | os.X_OK) and parent.is_dir():
        return Finding("home", "ok", f"{home} is made at the first start")
    advice = f"make it writable for this user (id {os.geteuid()}), or name another folder with ACTOGRAM_HOME"
    return Finding("home", "bad", f"{home} is not there, and {parent} cannot be written", advice)


def _written(home: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=home, prefix=".doctor-") as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        advice = {
            errno.ENOSPC: "free space on that disk",
            errno.EDQUOT: "free space, or have the quota raised",
            errno.EROFS: "mount it writable, or name another folder with ACTOGRAM_HOME",
        }.get(error.errno or 0, f"give it to this user: chown -R {os.geteuid()} {home}")
        return Finding("home", "bad", f"{home} cannot be written: {error.strerror}", advice)
    return Finding("home", "ok", f"{home} can be written")


def _closed(home: Path, found: os.stat_result) -> Finding:
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        advice = f"chown -R {os.geteuid()} {home}, or run as its owner"
        return Finding("permissions", "warn", f"{home} belongs to user {found.st_uid}, not to {os.geteuid()}", advice)
    if mode & 0o077:
        return Finding("permissions", "warn", f"{home} has mode {mode:04o}: others may read it", f"chmod 700 {home}")
    return Finding("permissions", "ok", f"{home} has mode {mode:04o}")


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Space and file entries where the home is, or will be."""
    folder = _nearest(settings.home)
    try:
        usage, entries = shutil.disk_usage(folder), os.statvfs(folder)
    except OSError as error:
        yield Finding("disk", "bad", f"{folder}: {error.strerror}", "name another folder with ACTOGRAM_HOME")
        return
    yield judge_disk(DiskRoom(folder, usage.free, usage.total, entries.f_favail if entries.f_files else None), settings)


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """What is left where a folder is. entries: files that can still be made; None where nobody counts them."""

    folder: Path
    free_bytes: int
    total_bytes: int
    entries: int | None


def judge_disk(room: DiskRoom, settings: Settings) -> Finding:
    """What is said of so much room."""
    found = f"{room.free_bytes / _GIB:.1f} of {room.total_bytes / _GIB:.1f} GiB free at {room.folder}"
    advice = "free space, or lower ACTOGRAM_RETENTION_EVIDENCE_BYTES and ACTOGRAM_RETENTION_BLOBS_BYTES"
    if room.entries is not None and room.entries < 1000:
        return Finding("disk", "bad", f"{found}, but only {room.entries} more files fit", "remove small files")
    if room.free_bytes < settings.disk_reserve_bytes:
        reserve = f"less than the {settings.disk_reserve_bytes / _GIB:.1f} that uploads must leave"
        return Finding("disk", "bad", f"{found}: {reserve}", advice)
    if room.free_bytes < settings.disk_reserve_bytes + _SCARCE_BYTES:
        return Finding("disk", "warn", f"{found}: clips and uploads will soon be refused", advice)
    return Finding("disk", "ok", found)


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    for folder in (path, *path.parents):
        try:
            if folder.exists():
                return folder
        except OSError:
            continue
    return Path("/")
