"""Fetches an http(s) video to a job's folder: every hop is checked and connected to the address that was checked."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from models.atomic_file import remove_parts, replacing
from pipelines.addresses.client import Deadline, build_client, fault_of
from pipelines.addresses.policy import AddressPolicy
from pipelines.addresses.redact import redact
from pipelines.errors import (
    AnalysisCancelled,
    DiskFull,
    HostUnknown,
    SourceForbidden,
    SourceTooLarge,
    SourceTruncated,
    SourceUnavailable,
)
from service.blobs import is_full, source_name
from service.errors import StorageFull
from service.worker.channel import Channel

_HOPS_MAX = 5
_CHUNK_BYTES = 256 * 1024
_SPACE_CHECK_BYTES = 16 * 2**20
_CONNECT_S = 10.0
_HEAD_S = 60.0
"""Seconds until the headers of an answer are there, however slowly they trickle."""
_DURATION_MAX_S = 6 * 3600.0
_DIGITS_MAX = 20
_CODES = {401: "auth_failed", 403: "auth_failed", 404: "not_found", 410: "not_found"}


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bounds of a fetch.

    require_disk_space: raises StorageFull when so many bytes do not fit.
    """

    bytes_max: int
    idle_s: float
    require_disk_space: Callable[[int], None]


def fetch(uri: str, folder: Path, policy: AddressPolicy, bounds: Fetch, channel: Channel) -> Path:
    """The video's file, complete.

    Raises SourceForbidden, SourceUnavailable, SourceTooLarge, SourceTruncated, DiskFull, AnalysisCancelled.
    """
    timeout = httpx.Timeout(bounds.idle_s, connect=_CONNECT_S)
    with build_client(policy, timeout, lambda: Deadline(_DURATION_MAX_S)) as client:
        for _ in range(_HOPS_MAX):
            with _get(client, uri, policy) as response:
                if response.has_redirect_location:
                    uri = urljoin(uri, response.headers["location"])
                    continue
                _require_success(response, uri)
                return _save(response, uri, folder, bounds, channel)
    raise SourceUnavailable(f"{redact(uri)}: more than {_HOPS_MAX} redirects")


@contextmanager
def _get(client: httpx.Client, uri: str, policy: AddressPolicy) -> Iterator[httpx.Response]:
    """One request, whose address the client checks where it connects; raises SourceForbidden, SourceUnavailable."""
    address = policy.require(uri)
    if address.scheme.opening != "fetch":
        raise SourceForbidden(f"{address.shown}: only http and https are fetched")
    try:
        request = client.build_request("GET", address.text, headers={"Accept-Encoding": "identity"})
        response = client.send(request, stream=True)
    except HostUnknown as error:
        raise SourceUnavailable(f"{address.shown}: {error}", "not_found") from error
    except httpx.TransportError as error:
        raise _lost(uri, error) from error
    except httpx.InvalidURL as error:
        raise SourceForbidden(f"{address.shown}: not an address") from error
    with closing(response):
        yield response


def _lost(uri: str, error: httpx.TransportError) -> SourceUnavailable:
    code, reason = fault_of(error)
    return SourceUnavailable(f"{redact(uri)}: {reason}", code)


def _require_success(response: httpx.Response, uri: str) -> None:
    if response.status_code != HTTPStatus.OK:
        code = _CODES.get(response.status_code, "connection_failed")
        raise SourceUnavailable(f"{redact(uri)} answered {response.status_code}, expected 200", code)
    # A few hundred bytes may unfold to half a gigabyte.
    if response.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        text = "answered with a compressed body, which was not asked for"
        raise SourceUnavailable(f"{redact(uri)} {text}", "codec_unsupported")


def _save(response: httpx.Response, uri: str, folder: Path, bounds: Fetch, channel: Channel) -> Path:
    path = folder / source_name(urlsplit(uri).path)
    declared = response.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and len(declared) < _DIGITS_MAX:
        _require_small(int(declared), bounds, uri)
    remove_parts(folder)
    try:
        with replacing(path) as part:
            if _write(response, uri, part, bounds, channel) == 0:
                raise SourceTruncated(f"{redact(uri)} is empty")
    except StorageFull as error:
        raise DiskFull(str(error)) from error
    except OSError as error:
        if is_full(error):
            raise DiskFull("the blob disk is full") from error
        raise
    except httpx.TransportError as error:
        raise _lost(uri, error) from error
    return path


def _write(response: httpx.Response, uri: str, part: Path, bounds: Fetch, channel: Channel) -> int:
    begun_s, size_bytes, unchecked = time.monotonic(), 0, _SPACE_CHECK_BYTES
    with part.open("wb") as file:
        for chunk in response.iter_raw(_CHUNK_BYTES):
            size_bytes += len(chunk)
            unchecked += len(chunk)
            _require_small(size_bytes, bounds, uri)
            if channel.stop_reason is not None:
                raise AnalysisCancelled("stopped while the video was fetched")
            if time.monotonic() - begun_s > _DURATION_MAX_S:
                raise SourceUnavailable(f"{redact(uri)}: not fetched within {_DURATION_MAX_S:.0f} s", "timeout")
            if unchecked >= _SPACE_CHECK_BYTES:
                unchecked = 0
                bounds.require_disk_space(0)
            file.write(chunk)
            channel.beat()
    return size_bytes


def _require_small(size_bytes: int, bounds: Fetch, uri: str) -> None:
    if size_bytes > bounds.bytes_max:
        raise SourceTooLarge(f"{redact(uri)} is over the limit of {bounds.bytes_max} bytes")
