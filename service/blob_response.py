"""Sends a blob to a client, whole or the bytes that `Range` asks for, from this machine or from the store."""

import re
from collections.abc import Mapping
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

from fastapi.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from service.blob_store import RemoteBlob

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_PARTIAL, _MALFORMED, _NO_SUCH_BYTES = 206, 400, 416


def send(
    found: Path | RemoteBlob, media_type: str, filename: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer that carries a blob. filename: under which browsers keep it; they show it all the same."""
    if isinstance(found, Path):
        return FileResponse(
            found, media_type=media_type, filename=filename, headers=headers, content_disposition_type="inline"
        )
    shown = {} if filename is None else {"content-disposition": f'inline; filename="{quote(filename)}"'}
    return RemoteResponse(found, media_type, {**shown, **(headers or {})})


class RemoteResponse(Response):
    """Passes a blob on from its store, piece by piece; answers `Range` and `If-Range` as a file does."""

    def __init__(self, blob: RemoteBlob, media_type: str, headers: Mapping[str, str]) -> None:
        self._blob = blob
        validators = {"last-modified": format_datetime(blob.info.modified, usegmt=True)}
        if blob.info.etag:
            validators["etag"] = blob.info.etag
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({"accept-ranges": "bytes", **validators, **headers})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._answer(Headers(scope=scope))(scope, receive, send)

    def _answer(self, asked: Headers) -> Response:
        size_bytes = self._blob.info.size_bytes
        text = asked.get("range")
        if text is None or not self._is_current(asked.get("if-range")):
            return self._part(200, 0, size_bytes, {})
        match = _RANGE.fullmatch(text.strip().lower())
        if match is None or match.groups() == ("", ""):
            # Of several ranges a server may send the whole instead.
            if "," in text:
                return self._part(200, 0, size_bytes, {})
            return PlainTextResponse("Range header: expected bytes=FIRST-LAST", _MALFORMED)
        start, stop = _bounds(match[1], match[2], size_bytes)
        if not start < min(stop, size_bytes):
            return PlainTextResponse("", _NO_SUCH_BYTES, {"Content-Range": f"bytes */{size_bytes}"})
        return self._part(_PARTIAL, start, stop, {"content-range": f"bytes {start}-{stop - 1}/{size_bytes}"})

    def _part(self, status: int, start: int, stop: int, more: Mapping[str, str]) -> Response:
        pieces = self._blob.store.read(self._blob.info.key, start, stop)
        return StreamingResponse(pieces, status, {**self.headers, **more, "content-length": str(stop - start)})

    def _is_current(self, validator: str | None) -> bool:
        """Whether a client that holds some bytes already may be sent others of the same blob."""
        return validator is None or validator in (self._blob.info.etag, self.headers["last-modified"])


def _bounds(first: str, last: str, size_bytes: int) -> tuple[int, int]:
    """First byte and the one after the last."""
    if not first:
        return max(0, size_bytes - int(last)), size_bytes
    return int(first), min(int(last) + 1, size_bytes) if last else size_bytes
