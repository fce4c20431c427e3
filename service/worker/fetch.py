"""Fetches an http(s) video to a job's folder: every hop is checked and connected to the address that was checked."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from pipelines.errors import AnalysisCancelled, DiskFull, SourceTooLarge, SourceTruncated, SourceUnavailable
from service.blobs import is_full, source_name
from service.deadline import Deadline
from service.errors import StorageFull
from service.sources import SourcePolicy, redact_uri
from service.worker.channel import Channel

_HOPS_MAX = 5
_CHUNK_BYTES = 256 * 1024
_ROOM_CHECK_BYTES = 16 * 2**20
_CONNECT_S = 10.0
_HEAD_S = 60.0
"""Seconds until the headers of an answer are there, however slowly they trickle."""
_DURATION_MAX_S = 6 * 3600.0
_DIGITS_MAX = 20
_CODES = {401: "auth_failed", 403: "auth_failed", 404: "not_found", 410: "not_found"}


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bounds of a fetch.

    require_room: raises StorageFull when so many bytes do not fit.
    """

    bytes_max: int
    idle_s: float
    require_room: Callable[[int], None]


def fetch(uri: str, folder: Path, policy: SourcePolicy, bounds: Fetch, channel: Channel) -> Path:
    """The video's file, complete.

    Raises SourceForbidden, SourceUnavailable, SourceTooLarge, SourceTruncated, DiskFull, AnalysisCancelled.
    """
    timeout = httpx.Timeout(bounds.idle_s, connect=_CONNECT_S)
    # No proxy and no .netrc of the environment: the address that was checked is the one to connect to.
    with httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False) as client:
        for _ in range(_HOPS_MAX):
            with _get(client, uri, policy) as response:
                if response.has_redirect_location:
                    uri = urljoin(uri, response.headers["location"])
                    continue
                _require_success(response, uri)
                return _save(response, uri, folder, bounds, channel)
    raise SourceUnavailable(f"{redact_uri(uri)}: more than {_HOPS_MAX} redirects")


class _get:  # noqa: N801 - used as a function that gives a context
    """One checked request; turns what httpx raises into SourceUnavailable."""

    def __init__(self, client: httpx.Client, uri: str, policy: SourcePolicy) -> None:
        target = policy.require_target(uri)
        url = httpx.URL(uri).copy_with(host=target.address, fragment=None)
        headers = {"Host": httpx.URL(uri).netloc.decode().rpartition("@")[2]}
        # As it is: a few compressed bytes may stand for gigabytes. And on a connection that the deadline can shut.
        headers |= {"Accept-Encoding": "identity", "Connection": "close"}
        deadline = Deadline(_HEAD_S)
        extensions = {"sni_hostname": target.host, "trace": deadline.trace}
        request = client.build_request("GET", url, headers=headers, extensions=extensions)
        try:
            with deadline:
                self._response = client.send(request, stream=True)
        except httpx.TransportError as error:
            raise SourceUnavailable(f"{redact_uri(uri)}: {error}", _code(error)) from error

    def __enter__(self) -> httpx.Response:
        return self._response

    def __exit__(self, *_: object) -> None:
        self._response.close()


def _code(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    return "tls_failed" if "CERTIFICATE" in str(error).upper() or "SSL" in str(error).upper() else "connection_failed"


def _require_success(response: httpx.Response, uri: str) -> None:
    if response.status_code != HTTPStatus.OK:
        code = _CODES.get(response.status_code, "connection_failed")
        raise SourceUnavailable(f"{redact_uri(uri)} answered {response.status_code}, expected 200", code)
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise SourceUnavailable(
            f"{redact_uri(uri)} answered in {coding[:40]!r}, asked for as it is", "codec_unsupported"
        )


def _save(response: httpx.Response, uri: str, folder: Path, bounds: Fetch, channel: Channel) -> Path:
    path = folder / source_name(urlsplit(uri).path)
    # Not source.*: a file of that name is complete.
    part = folder / "fetch.part"
    declared = response.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and len(declared) < _DIGITS_MAX:
        _require_small(int(declared), bounds, uri)
    try:
        size_bytes = _write(response, uri, part, bounds, channel)
    except StorageFull as error:
        raise DiskFull(str(error)) from error
    except OSError as error:
        if is_full(error):
            raise DiskFull("the blob disk is full") from error
        raise
    except httpx.TransportError as error:
        raise SourceUnavailable(f"{redact_uri(uri)}: {error}", _code(error)) from error
    if size_bytes == 0:
        raise SourceTruncated(f"{redact_uri(uri)} is empty")
    return part.replace(path)


def _write(response: httpx.Response, uri: str, part: Path, bounds: Fetch, channel: Channel) -> int:
    begun_s, size_bytes, unchecked = time.monotonic(), 0, _ROOM_CHECK_BYTES
    with part.open("wb") as file:
        for chunk in response.iter_raw(_CHUNK_BYTES):
            size_bytes += len(chunk)
            unchecked += len(chunk)
            _require_small(size_bytes, bounds, uri)
            if channel.stop_reason is not None:
                raise AnalysisCancelled("stopped while the video was fetched")
            if time.monotonic() - begun_s > _DURATION_MAX_S:
                raise SourceUnavailable(f"{redact_uri(uri)}: not fetched within {_DURATION_MAX_S:.0f} s", "timeout")
            if unchecked >= _ROOM_CHECK_BYTES:
                unchecked = 0
                bounds.require_room(0)
            file.write(chunk)
            channel.beat()
    return size_bytes


def _require_small(size_bytes: int, bounds: Fetch, uri: str) -> None:
    if size_bytes > bounds.bytes_max:
        raise SourceTooLarge(f"{redact_uri(uri)} is over the limit of {bounds.bytes_max} bytes")
