"""Files over HTTP for FFmpeg: a video, a playlist and all that it names, each checked first and fetched by us."""

import io
from collections.abc import Callable, Generator, Mapping
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote, urljoin

import httpx

from pipelines.addresses.client import Deadline, build_client, fault_of
from pipelines.addresses.policy import Address, AddressPolicy
from pipelines.addresses.redact import redact
from pipelines.errors import SourceForbidden, SourceUnavailable
from pipelines.stream.sources.crypto import decrypt
from pipelines.stream.sources.status import LiveOptions

_HOPS_MAX = 5
_SEGMENT_BYTES_MAX = 128 * 2**20
_CODES = {401: "auth_failed", 403: "auth_failed", 404: "not_found", 410: "not_found"}
_REASONS = {"auth_failed": "the login was refused", "not_found": "nothing there by this name"}
_CRYPTO = ("crypto+", "crypto:")
_FLAG_WRITE = 2


class ReadableFile(Protocol):
    """What FFmpeg reads from."""

    def read(self, num_bytes: int, /) -> bytes:
        """At most so many bytes, as soon as there are any; none at the end."""

    def close(self) -> None:
        """Free what is held; may be called twice."""


class WebFiles:
    """The files of one connection, with one client and its cookies."""

    def __init__(
        self, address: Address, policy: AddressPolicy, options: LiveOptions, is_stopped: Callable[[], bool]
    ) -> None:
        self._address = address
        self._policy = policy
        self._is_stopped = is_stopped
        self._read_s = options.read_timeout_s
        self._deadline = Deadline(options.open_timeout_s)
        timeout = httpx.Timeout(options.open_timeout_s)  # the deadline is shorter
        self._client = build_client(policy, timeout, lambda: self._deadline, verify=options.verify_tls)
        self._client.headers.update({"User-Agent": "actogram", "Accept-Encoding": "identity"})

    def renew(self) -> None:
        """Give the next packet its time."""
        self._deadline.renew(self._read_s)

    def open_first(self) -> "WebFile":
        """The file that the address names; raises SourceForbidden and SourceUnavailable."""
        return self._get(self._address.text, 0, None)

    def open(self, url: str, flags: int, options: Mapping[str, str]) -> ReadableFile:
        """A file that another one names, as FFmpeg asks for it; raises SourceForbidden.

        One that cannot be had is empty: a playlist goes on after a segment that is missing.
        """
        if flags & _FLAG_WRITE:
            raise SourceForbidden(f"{redact(url)}: FFmpeg wants to write")
        is_encrypted = url.startswith(_CRYPTO)
        plain = url[len(_CRYPTO[0]) :] if is_encrypted else url
        end = int(options["end_offset"]) if "end_offset" in options else None
        try:
            file = self._get(plain, int(options.get("offset", "0")), end)
            return self._decrypt(file, options) if is_encrypted else _Patient(file)
        except SourceUnavailable:
            return io.BytesIO()

    def close(self) -> None:
        """End every exchange; may be called twice."""
        self._client.close()

    def _decrypt(self, file: "WebFile", options: Mapping[str, str]) -> ReadableFile:
        data = bytearray()
        try:
            while piece := file.read(65536):
                data += piece
                if len(data) > _SEGMENT_BYTES_MAX:
                    raise SourceUnavailable(
                        f"{self._address.shown}: an encrypted segment of more than {_SEGMENT_BYTES_MAX} bytes"
                    )
        finally:
            file.close()
        return io.BytesIO(decrypt(bytes(data), options.get("key", ""), options.get("iv", "")))

    def _get(self, url: str, start: int, end: int | None) -> "WebFile":
        for _ in range(_HOPS_MAX):
            address = self._policy.require(url)
            if address.scheme.opening != "fetch":
                raise SourceForbidden(f"{address.shown}: only http and https lead on from {self._address.shown}")
            response = self._send(address, start, end)
            if not response.has_redirect_location:
                return WebFile(self, address, response, start)
            response.close()
            url = urljoin(address.text, response.headers["location"])
        raise SourceUnavailable(f"{self._address.shown}: cannot be opened: more than {_HOPS_MAX} redirects")

    def _send(self, address: Address, start: int, end: int | None) -> httpx.Response:
        self.require_running()
        headers = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        try:
            request = self._client.build_request("GET", address.text, headers=headers)
            response = self._client.send(request, stream=True, auth=_Login(address))
        except httpx.TransportError as error:
            code, reason = fault_of(error)
            raise SourceUnavailable(f"{address.shown}: cannot be opened: {reason}", code) from error
        except (httpx.InvalidURL, ValueError) as error:
            raise SourceForbidden(f"{address.shown}: not an address") from error
        try:
            _require_success(response, address, is_part=bool(headers))
        except SourceUnavailable:
            response.close()
            raise
        return response

    def reopen(self, address: Address, start: int) -> httpx.Response:
        """The rest of a file, from a byte on; raises SourceUnavailable."""
        return self._send(address, start, None)

    def require_running(self) -> None:
        """Raises SourceUnavailable once the reader is stopped or the packet is overdue."""
        if self._is_stopped():
            raise SourceUnavailable(f"{self._address.shown}: stopped", code="ended")
        if self._deadline.left_s() <= 0:
            raise SourceUnavailable(f"{self._address.shown}: was lost: no answer in time", code="timeout")


class WebFile:
    """One file over HTTP, read as it comes; can be read from elsewhere where its server sends parts."""

    def __init__(self, files: WebFiles, address: Address, response: httpx.Response, start: int) -> None:
        self.name = address.text  # FFmpeg's base for the addresses in a playlist
        self.is_playlist = "mpegurl" in response.headers.get("content-type", "").lower()
        self._files = files
        self._address = address
        self._response = response
        self._chunks = response.iter_raw()
        self._held = b""
        self._at = start
        length = response.headers.get("content-length", "")
        takes_ranges = "bytes" in response.headers.get("accept-ranges", "").lower()
        self._num_bytes = int(length) if takes_ranges and length.isascii() and length.isdecimal() else None

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Whether its server sends parts of it."""
        return self._num_bytes is not None

    def read(self, num_bytes: int, /) -> bytes:
        """At most so many bytes, as soon as there are any; none at the end; raises SourceUnavailable."""
        if self._response.is_closed and not self._held:
            self._resume()
        try:
            while not self._held:
                self._files.require_running()
                piece = next(self._chunks, None)
                if piece is None:
                    return b""
                self._held = piece
        except httpx.TransportError as error:
            code, reason = fault_of(error)
            raise SourceUnavailable(f"{self._address.shown}: was lost: {reason}", code) from error
        taken, self._held = self._held[:num_bytes], self._held[num_bytes:]
        self._at += len(taken)
        return taken

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Read on from elsewhere; the request goes out with the next read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._num_bytes or 0}[whence]
        if base + offset != self._at:
            self._at = max(0, base + offset)
            self._held = b""
            self._response.close()
        return self._at

    def tell(self) -> int:
        """Where the next byte is read from."""
        return self._at

    def close(self) -> None:
        """End the exchange; may be called twice."""
        self._response.close()

    def _resume(self) -> None:
        if self._num_bytes is None or self._at >= self._num_bytes:
            self._chunks = iter(())
            return
        self._response = self._files.reopen(self._address, self._at)
        self._chunks = self._response.iter_raw()


class _Patient:
    """A file of a playlist: where it breaks off, it ends, and FFmpeg goes on with the next one."""

    def __init__(self, file: WebFile) -> None:
        self._file = file

    def read(self, num_bytes: int, /) -> bytes:
        try:
            return self._file.read(num_bytes)
        except SourceUnavailable:
            self._file.close()
            return b""

    def close(self) -> None:
        self._file.close()


class _Login(httpx.Auth):
    """Answers whichever challenge the server makes; says nothing where it makes none."""

    def __init__(self, address: Address) -> None:
        self._login = unquote(address.user or ""), unquote(address.password or "")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield request
        challenges = response.headers.get_list("www-authenticate")
        if response.status_code != HTTPStatus.UNAUTHORIZED or not any(self._login):
            return
        if any(each.lower().startswith("digest") for each in challenges):
            flow = httpx.DigestAuth(*self._login).auth_flow(request)
            next(flow)
            yield flow.send(response)
        else:
            yield next(httpx.BasicAuth(*self._login).auth_flow(request))


def _require_success(response: httpx.Response, address: Address, is_part: bool) -> None:
    status = response.status_code
    wanted = HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK
    if response.has_redirect_location:
        return
    if status != wanted:
        code = _CODES.get(status, "connection_failed")
        reason = _REASONS.get(code, f"it answers {status}, expected {int(wanted)}")
        raise SourceUnavailable(f"{address.shown}: cannot be opened: {reason}", code)
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise SourceUnavailable(f"{address.shown}: cannot be opened: it is compressed, which was not asked for")
