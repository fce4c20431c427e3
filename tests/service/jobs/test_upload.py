"""An upload goes to disk chunk by chunk, however it is cut, and leaves nothing behind when it is not whole."""

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import pytest
from starlette.requests import ClientDisconnect

from service.blobs import BlobFolder
from service.errors import InvalidRequest, ServiceError, StorageFull, TooLarge, UnsupportedBody, UploadIncomplete
from service.jobs.upload import Upload, UploadReader

TYPE = "multipart/form-data; boundary=XX"
VIDEO = bytes(range(256)) * 4 + b"\r\n--XY\r\n--X"


def _form(video: bytes = VIDEO, name: str = "clip.mp4", extra: bytes = b"") -> bytes:
    head = f'--XX\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: video/mp4\r\n\r\n'
    return extra + head.encode() + video + b"\r\n--XX--\r\n"


def _field(name: str, value: bytes) -> bytes:
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"


async def _chunks(body: bytes, size: int, end: Exception | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]
    if end is not None:
        raise end


async def _stall(body: bytes) -> AsyncIterator[bytes]:
    yield body
    await asyncio.sleep(3600)


class Reading:
    """Reads one upload into an empty blob folder."""

    def __init__(self, folder: Path, free_bytes: int = 2**40, reserve_bytes: int = 0) -> None:
        self.blobs = BlobFolder(folder, reserve_bytes, lambda _: free_bytes)
        self.blobs.open()
        self.path = self.blobs.incoming("job_1")

    def read(self, chunks: AsyncIterator[bytes], bytes_max: int = 2**30, content_type: str = TYPE) -> Upload:
        async def read() -> Upload:
            with UploadReader(self.path, self.blobs, bytes_max, 0.05) as reader:
                return await reader.read(content_type, chunks)

        return asyncio.run(read())


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000, 10**6])
def test_upload_is_the_same_however_it_is_cut(reading: Reading, size: int) -> None:
    body = _form(extra=_field("model", b"tcn") + _field("video", b"true"))

    upload = reading.read(_chunks(body, size))

    assert upload.path.read_bytes() == VIDEO
    assert (upload.size_bytes, upload.name, upload.fields) == (
        len(VIDEO),
        "clip.mp4",
        {"model": "tcn", "video": "true"},
    )


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Fällt vom Stuhl 落ちる.mp4", "Fällt vom Stuhl 落ちる.mp4"), ("../../etc/passwd", "passwd"),
        (r"C:\\videos\\a.mp4", "a.mp4"), ("x" * 400 + ".mp4", "x" * 255), ("", None),
    ],
)  # fmt: skip
def test_upload_name_is_only_a_name(reading: Reading, sent: str, shown: str | None) -> None:
    upload = reading.read(_chunks(_form(name=sent), 100))

    assert upload.name == (shown or "upload")
    assert upload.path == reading.path


@pytest.mark.parametrize(
    ("chunks", "error"),
    [
        (_chunks(_form()[:900], 512, ClientDisconnect()), UploadIncomplete),
        (_chunks(_form()[:900], 512), UploadIncomplete),
        (_stall(_form()[:900]), UploadIncomplete),
        (_chunks(_form(video=b"x" * 20_001), 512), TooLarge),
        (_chunks(_form(extra=_field("model", b"x" * 70_000)), 512), TooLarge),
        (_chunks(_field("model", b"x") + b"--XX--\r\n", 512), InvalidRequest),
        (_chunks(b"this is no form at all", 512), InvalidRequest),
        (_chunks(_form()[: -len("--XX--\r\n")] + _form(), 512), InvalidRequest),
        (_chunks(_form(extra=_field("a", b"1") * 20), 512), InvalidRequest),
        (_chunks(b"", 1), UploadIncomplete),
    ],
    ids=["connection closed", "body ends", "stands still", "too large", "field too large", "no file", "no form",
         "two files", "too many parts", "empty"],
)  # fmt: skip
def test_upload_that_is_not_whole_leaves_nothing(
    reading: Reading, chunks: AsyncIterator[bytes], error: type[ServiceError]
) -> None:
    with pytest.raises(error):
        reading.read(chunks, bytes_max=20_000)

    assert not reading.path.exists()


@pytest.mark.parametrize(
    ("content_type", "error"),
    [("text/plain", UnsupportedBody), ("", UnsupportedBody), ("multipart/form-data", InvalidRequest)],
)
def test_upload_needs_a_form(reading: Reading, content_type: str, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        reading.read(_chunks(_form(), 100), content_type=content_type)


def test_upload_is_refused_when_the_reserve_is_touched(tmp_path: Path) -> None:
    reading = Reading(tmp_path, free_bytes=999, reserve_bytes=1000)

    with pytest.raises(StorageFull, match="999 bytes free"):
        reading.read(_chunks(_form(), 100))

    assert not reading.path.exists()


class _FullDisk:
    """A file on a disk that is full after the first bytes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")

    def write(self, data: bytes) -> int:
        self._file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        self._file.close()


def test_upload_says_so_when_the_disk_fills_while_it_comes(tmp_path: Path) -> None:
    reading = Reading(tmp_path)

    def opener(path: Path) -> BinaryIO:
        return _FullDisk(path)  # type: ignore[return-value]

    async def read() -> Upload:
        with UploadReader(reading.path, reading.blobs, 2**30, 1.0, opener) as reader:
            return await reader.read(TYPE, _chunks(_form(), 1000))

    with pytest.raises(StorageFull, match="the blob disk is full after"):
        asyncio.run(read())

    assert not reading.path.exists()


def test_upload_that_trickles_is_given_up(reading: Reading) -> None:
    time_s = iter(range(0, 100_000, 10))

    async def read() -> Upload:
        with UploadReader(reading.path, reading.blobs, 2**30, 60, clock=lambda: next(time_s)) as reader:
            return await reader.read(TYPE, _chunks(_form(bytes(100_000)), 100))

    with pytest.raises(UploadIncomplete, match="at least 256 a second"):
        asyncio.run(read())

    assert not reading.path.exists()
