"""Writes a multipart upload to disk chunk by chunk; the video is never held in memory."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email.message import Message as Header
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from service.blobs import BlobFolder, is_full
from service.errors import InvalidRequest, StorageFull, TooLarge, UnsupportedBody, UploadIncomplete

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FIELD_BYTES_MAX = 64 * 1024
_PARTS_MAX = 16
_SPACE_CHECK_BYTES = 16 * 2**20
_BYTES_PER_S_MIN = 256


class Opener(Protocol):
    """Opens a file for writing."""

    def __call__(self, path: Path) -> BinaryIO:
        """A new file at `path`."""
        ...


@dataclass(frozen=True, slots=True)
class Upload:
    """A complete upload.

    fields: the form's other fields.  sha256: of the file's bytes, hexadecimal.
    """

    path: Path
    name: str
    size_bytes: int
    sha256: str
    fields: dict[str, str]


def _open(path: Path) -> BinaryIO:
    return path.open("xb")


class UploadReader:
    """Writes the `file` part of a form to `path`; used as a context manager, which removes the file on any error."""

    def __init__(
        self, path: Path, blobs: BlobFolder, bytes_max: int, idle_s: float, opener: Opener = _open,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._path = path
        self._blobs = blobs
        self._bytes_max = bytes_max
        self._idle_s = idle_s
        self._opener = opener
        self._clock = clock
        self._began_s = clock()
        self._num_bytes = 0
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._fields: dict[str, str] = {}
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._disposition: Header = Header()
        self._field: bytearray | None = None
        self._pending = bytearray()
        self._name = ""
        self._size_bytes = 0
        self._unchecked_bytes = 0
        self._num_parts = 0
        self._is_complete = False

    def __enter__(self) -> "UploadReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        if kind is not None:
            self._path.unlink(missing_ok=True)

    async def read(self, content_type: str, chunks: AsyncIterator[bytes]) -> Upload:
        """Receive a whole form.

        Raises UnsupportedBody, InvalidRequest, TooLarge, UploadIncomplete, StorageFull.
        """
        parser = self._parser(content_type)
        self._blobs.require_disk_space()
        try:
            async for chunk in self._timed(chunks):
                parser.write(chunk)
                await self._flush()
        except ClientDisconnect as error:
            raise UploadIncomplete(f"the connection closed after {self._size_bytes} bytes of the file") from error
        except MultipartParseError as error:
            raise InvalidRequest(
                f"the body is not multipart/form-data with the boundary that it names: {error}"
            ) from error
        if not self._is_complete:
            raise UploadIncomplete(
                f"the body ends after {self._size_bytes} bytes of the file, before its last boundary"
            )
        if self._file is None:
            raise InvalidRequest("the form has no part `file` with a file name")
        await run_in_threadpool(self._file.close)
        return Upload(self._path, self._name, self._size_bytes, self._digest.hexdigest(), self._fields)

    async def _timed(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        iterator = aiter(chunks)
        while True:
            try:
                chunk = await asyncio.wait_for(anext(iterator), self._idle_s)
                self._require_pace(len(chunk))
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise UploadIncomplete(f"nothing was received for {self._idle_s:.0f} s") from error
            yield chunk

    def _require_pace(self, more_bytes: int) -> None:
        """Raise UploadIncomplete for an upload that trickles: it would keep its place for ever."""
        self._num_bytes += more_bytes
        taken_s = self._clock() - self._began_s
        if taken_s > self._idle_s and self._num_bytes < taken_s * _BYTES_PER_S_MIN:
            raise UploadIncomplete(f"{self._num_bytes} bytes in {taken_s:.0f} s; at least {_BYTES_PER_S_MIN} a second")

    def _parser(self, content_type: str) -> MultipartParser:
        header = Header()
        header["Content-Type"] = content_type
        try:
            boundary = header.get_param("boundary")
        except (ValueError, LookupError) as error:
            raise InvalidRequest(f"content type {content_type[:200]!r} cannot be read: {error}") from error
        if header.get_content_type() != "multipart/form-data":
            raise UnsupportedBody(f"content type {content_type!r}; expected multipart/form-data or application/json")
        if not isinstance(boundary, str) or not boundary:
            raise InvalidRequest("multipart/form-data without a boundary")
        try:
            return MultipartParser(boundary, self._callbacks())
        except FormParserError as error:
            raise InvalidRequest(f"the boundary of {len(boundary)} characters is none: {error}") from error

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": _collect(self._header_name),
            "on_header_value": _collect(self._header_value),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    async def _flush(self) -> None:
        if not self._pending:
            return
        data = bytes(self._pending)
        self._pending.clear()
        try:
            await run_in_threadpool(self._write, data)
        except OSError as error:
            if is_full(error):
                raise StorageFull(f"the blob disk is full after {self._size_bytes} bytes of the file") from error
            raise

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        self._unchecked_bytes += len(data)
        if self._unchecked_bytes >= _SPACE_CHECK_BYTES:
            self._unchecked_bytes = 0
            self._blobs.require_disk_space()
        self._digest.update(data)
        self._file.write(data)

    def _on_part_begin(self) -> None:
        self._num_parts += 1
        self._disposition = Header()
        if self._num_parts > _PARTS_MAX:
            raise InvalidRequest(f"the form has more than {_PARTS_MAX} parts")

    def _on_header_end(self) -> None:
        name = self._header_name.decode("latin-1").lower()
        if name == "content-disposition":
            # Browsers and curl send file names as bare UTF-8.
            self._disposition["Content-Disposition"] = self._header_value.decode("utf-8", "replace")
        self._header_name.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        if self._parameter("name") == "file":
            if self._file is not None:
                raise InvalidRequest("the form has more than one part `file`; send one video per job")
            self._name = (Path((self._disposition.get_filename() or "upload").replace("\\", "/")).name or "upload")[
                :255
            ]
            self._file = self._opener(self._path)
            self._field = None
        else:
            self._field = bytearray()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is not None:
            if len(self._field) + end - start > _FIELD_BYTES_MAX:
                raise TooLarge(f"a field of the form is larger than {_FIELD_BYTES_MAX} bytes")
            self._field += data[start:end]
            return
        self._size_bytes += end - start
        if self._size_bytes > self._bytes_max:
            raise TooLarge(f"the file is larger than the limit of {self._bytes_max} bytes")
        self._pending += data[start:end]

    def _on_part_end(self) -> None:
        if self._field is not None:
            self._fields[self._parameter("name")] = self._field.decode("utf-8", "replace")
            self._field = None

    def _on_end(self) -> None:
        self._is_complete = True

    def _parameter(self, name: str) -> str:
        found = self._disposition.get_param(name, "", "Content-Disposition")
        return found if isinstance(found, str) else found[2]


def _collect(into: bytearray) -> Callable[[bytes, int, int], None]:
    def collect(data: bytes, start: int, end: int) -> None:
        into.extend(data[start:end])

    return collect
