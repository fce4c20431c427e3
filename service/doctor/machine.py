"""What the machine gives: a home that can be written and that others cannot read, disk, a port, a clock, a proxy."""

import datetime as dt
import errno
import os
import shutil
import socket
import stat
import tempfile
import time
import urllib.error
import urllib.request
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.addresses.redact import redact
from service.doctor.findings import Finding, one_line
from service.doctor.secrets import PROXY_VARIABLES
from service.settings import Settings

_GIB = 2**30
_SCARCE_BYTES = 2 * _GIB
_PROBE_BYTES = 4096
_FIRST_YEAR, _LAST_YEAR = 2024, 2100
_WATCH_S = 0.2
_JUMP_S = 0.1
_AHEAD_S = 120.0
_DIAL_S = 2.0


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


def check_port(host: str, port: int) -> Iterator[Finding]:
    """Whether the server can listen there, or does."""
    shown = f"{host}:{port}"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        yield Finding("port", "ok", f"{shown} is free")
    except PermissionError:
        advice = "take a port from 1024 on (`--port`), or a reverse proxy for the others"
        yield Finding("port", "bad", f"{shown}: this user may not listen there", advice)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            yield Finding(
                "port", "bad", f"{shown}: {error.strerror or error}", "name an address of this machine: `--host`"
            )
        elif _is_ours(port, "127.0.0.1" if host in ("0.0.0.0", "::") else host):  # noqa: S104 - compared, not bound
            yield Finding("port", "ok", f"{shown}: Actogram listens there")
        else:
            yield Finding("port", "bad", f"{shown} is taken by another program", "stop it, or take another: `--port`")


def _is_ours(port: int, host: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    shown = f"[{host}]" if ":" in host else host
    try:
        with opener.open(f"http://{shown}:{port}/healthz", timeout=_DIAL_S) as answer:
            return b'"status"' in answer.read(4096)
    except urllib.error.HTTPError as error:
        return error.code == 503  # its workers are not well
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where the time comes from. wall: seconds since 1970; steady: seconds that never jump."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


def check_clock(settings: Settings, environment: Mapping[str, str], clocks: Clocks | None = None) -> Iterator[Finding]:
    """The year, jumps, the time zone, and files from the future."""
    clocks = clocks or Clocks()
    now_s, advice = clocks.wall(), "let the machine keep its time by NTP (`timedatectl set-ntp true`)"
    shown = dt.datetime.fromtimestamp(now_s, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    year = dt.datetime.fromtimestamp(now_s, dt.UTC).year
    jumped_s, ahead = _jump(clocks), _from_the_future(settings, now_s)
    if not _FIRST_YEAR <= year < _LAST_YEAR:
        found = f"{shown}: certificates do not hold, and events get wrong times"
        yield Finding("clock", "bad", found, advice)
    elif abs(jumped_s) > _JUMP_S:
        yield Finding("clock", "warn", f"{shown}; it jumped by {jumped_s:+.1f} s while it was watched", advice)
    elif ahead is not None:
        found = f"{shown}; {ahead.name} was changed later than that: the clock went back"
        yield Finding("clock", "warn", found, advice)
    else:
        yield Finding("clock", "ok", shown)
    yield _zone(environment)


def _jump(clocks: Clocks) -> float:
    """How much more the wall clock moved than the steady one, in seconds."""
    wall_s, steady_s = clocks.wall(), clocks.steady()
    clocks.pause(_WATCH_S)
    return (clocks.wall() - wall_s) - (clocks.steady() - steady_s)


def _from_the_future(settings: Settings, now_s: float) -> Path | None:
    """A file of the home that was changed after now."""
    try:
        paths = list(settings.home.glob("actogram.sqlite3*"))
        return next((path for path in paths if path.stat().st_mtime > now_s + _AHEAD_S), None)
    except OSError:
        return None


def _zone(environment: Mapping[str, str]) -> Finding:
    name = environment.get("TZ", "")
    # A rule such as CET-1CEST,M3.5.0,M10.5.0/3 is no name.
    if "/" in name and "," not in name and not _is_zone(name.lstrip(":")):
        advice = "name one of /usr/share/zoneinfo, such as Europe/Berlin, or install the package tzdata"
        return Finding("time zone", "warn", f"TZ={one_line(name, 60)} is not known here; UTC is used", advice)
    local = dt.datetime.now().astimezone()
    return Finding("time zone", "ok", f"{name or local.tzname()}, now UTC{local.strftime('%z')}")


def _is_zone(name: str) -> bool:
    if name.startswith("/"):
        return Path(name).is_file()
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def check_proxy(environment: Mapping[str, str], *, is_offline: bool) -> Iterator[Finding]:
    """Variables that send requests elsewhere: whether they are addresses, are reached, and spare this machine."""
    named = {name: environment[name] for name in PROXY_VARIABLES if environment.get(name)}
    if not named:
        yield Finding("proxy", "ok", "none")
        return
    for name, url in {name.upper(): url for name, url in named.items()}.items():
        yield _proxy(name, url, is_offline=is_offline)
    spared = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if "*" not in spared and not {"localhost", "127.0.0.1"} & {part.strip() for part in spared.split(",")}:
        advice = "set NO_PROXY=localhost,127.0.0.1 and the addresses of cameras, brokers and receivers"
        yield Finding("proxy", "warn", "requests to this machine go through it too", advice)


def _proxy(name: str, url: str, *, is_offline: bool) -> Finding:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or (1080 if parts.scheme.startswith("socks") else 80)
    except ValueError:
        host, port = None, 0
    if host is None:
        return Finding("proxy", "bad", f"{name} is no address", "expected http://host:port; escape @, :, / and # in it")
    shown = f"{name} {redact(f'{parts.scheme}://{host}:{port}')}"
    if is_offline:
        return Finding("proxy", "ok", f"{shown}; not asked, since ACTOGRAM_OFFLINE is set")
    try:
        socket.create_connection((host, port), timeout=_DIAL_S).close()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Finding("proxy", "warn", f"{shown} does not answer: {reason}", "weights cannot be fetched until it does")
    return Finding("proxy", "ok", f"{shown} answers")


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    for folder in (path, *path.parents):
        try:
            if folder.exists():
                return folder
        except OSError:
            continue
    return Path("/")
