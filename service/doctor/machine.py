"""What the machine gives: a port to listen on, a clock, a time zone, a way to the network."""

import datetime as dt
import errno
import socket
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

_FIRST_YEAR, _LAST_YEAR = 2024, 2100
_WATCH_S = 0.2
_JUMP_S = 0.1
_AHEAD_S = 120.0
_DIAL_S = 2.0


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
