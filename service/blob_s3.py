"""Blobs in an S3-compatible object store, by URL: `s3://bucket/prefix`.

obstore, and not boto3 or fsspec: half the weight of botocore and nothing below it, typed, and it sends a file in parts
by itself. Where the store is and who asks comes from the usual variables: AWS_ENDPOINT_URL, AWS_REGION,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
"""

import datetime as dt
import importlib.util
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from service.blob_store import BlobInfo, RemoteBlob
from service.blob_url import parse_blobs_url
from service.errors import BlobsBucketMissing, BlobsDenied, BlobsUnavailable

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import S3Store as Client

_CONNECT = dt.timedelta(seconds=4)
_REQUEST = dt.timedelta(seconds=30)
_RETRY = dt.timedelta(seconds=8)
_RETRIES = 2
_DELETED_AT_ONCE = 500
_PIECE_BYTES = 4 << 20
_PARTS_AT_ONCE = 3
_CODE = re.compile(r"<Code>([A-Za-z]+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_DENIED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthFailure"}
)
_REGION = "us-east-1"
"""What stores that know no regions expect."""


class S3Store:
    """Blobs of one bucket, below a prefix.

    url: `s3://bucket/prefix`.  environment: where the endpoint and the region are read from.
    Raises BlobsUnavailable where the library is not installed.
    """

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        if importlib.util.find_spec("obstore") is None:
            raise BlobsUnavailable(f"{url}: obstore is not installed; install 'actogram[s3]'")
        self._bucket, self._prefix = parse_blobs_url(url)
        self._endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or _REGION
        self._client = _connect(self._bucket, self._endpoint, region)

    @property
    def shown(self) -> str:
        """The store for messages: bucket and endpoint, and no credentials."""
        return f"bucket {self._bucket} at {_without_login(self._endpoint) or 'AWS'}"

    def get(self, key: str) -> RemoteBlob | None:
        """A blob; None when there is none."""
        try:
            return RemoteBlob(self._head(key), self)
        except FileNotFoundError:
            return None

    def list(self, folder: str) -> Iterator[BlobInfo]:
        """Every blob below a folder."""
        import obstore

        with self._telling():
            for page in obstore.list(self._client, self._path(folder), chunk_size=1000):
                yield from (self._info(one) for one in page)

    def folders(self, folder: str) -> Iterator[str]:
        """Names of folders."""
        import obstore

        with self._telling():
            found = obstore.list_with_delimiter(self._client, self._path(folder))["common_prefixes"]
        yield from (one.rstrip("/").rpartition("/")[2] for one in found)

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """A blob's bytes in pieces, each a request of its own: one that takes hours would meet its time limit."""
        import obstore

        size_bytes = self._head(key).size_bytes
        end = size_bytes if stop is None else min(stop, size_bytes)
        for begin in range(start, end, _PIECE_BYTES):
            with self._telling():
                piece = obstore.get_range(
                    self._client, self._path(key), start=begin, end=min(begin + _PIECE_BYTES, end)
                )
            yield bytes(piece)

    def put(self, key: str, path: Path) -> None:
        """Send a file in parts, of which a few are in memory."""
        import obstore

        with self._telling():
            obstore.put(self._client, self._path(key), path, max_concurrency=_PARTS_AT_ONCE)

    def write(self, key: str, data: bytes) -> None:
        """Send a few bytes."""
        import obstore

        with self._telling():
            obstore.put(self._client, self._path(key), data)

    def remove(self, key: str) -> None:
        """Remove a blob, or everything below a folder."""
        import obstore

        paths = [self._path(key), *(self._path(one.key) for one in self.list(key))]
        with self._telling():
            for begin in range(0, len(paths), _DELETED_AT_ONCE):
                obstore.delete(self._client, paths[begin : begin + _DELETED_AT_ONCE])

    def check(self) -> None:
        """Ask for a listing."""
        import obstore

        with self._telling():
            next(iter(obstore.list(self._client, self._path("jobs"), chunk_size=1)), None)

    def _head(self, key: str) -> BlobInfo:
        import obstore

        try:
            with self._telling():
                return self._info(obstore.head(self._client, self._path(key)))
        except FileNotFoundError:
            # An answer without a body does not tell a missing bucket from a missing blob.
            self.check()
            raise

    def _path(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def _info(self, found: "ObjectMeta") -> BlobInfo:
        key = found["path"].removeprefix(f"{self._prefix}/") if self._prefix else found["path"]
        return BlobInfo(key, found["size"], found["last_modified"], found["e_tag"] or "")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turns what the library says into errors of our own; its words hold whole requests and stay out of them."""
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket":
                raise self._told(error) from None
            raise FileNotFoundError("no such blob") from None
        except BaseError as error:
            raise self._told(error) from None

    def _told(self, error: Exception) -> BlobsUnavailable:
        code, status = _code(error), _STATUS.search(str(error))
        if code == "NoSuchBucket":
            return BlobsBucketMissing(f"{self.shown}: there is no such bucket; make it, or see ACTOGRAM_BLOBS_URL")
        if code in _DENIED or type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
            why = f" ({code})" if code else ""
            return BlobsDenied(f"{self.shown} refuses our credentials{why}; see AWS_ACCESS_KEY_ID and its secret")
        if status is None:
            return BlobsUnavailable(f"{self.shown} does not answer")
        return BlobsUnavailable(f"{self.shown} answered {status[1]}{f' ({code})' if code else ''}")


def _connect(bucket: str, endpoint: str, region: str) -> "Client":
    from obstore.store import S3Store as Client

    config = {"region": region, **({"endpoint": endpoint} if endpoint else {})}
    return Client(
        bucket,
        config=config,  # type: ignore[arg-type] # a plain dict, whose keys depend on what is set
        client_options={"connect_timeout": _CONNECT, "timeout": _REQUEST, "allow_http": endpoint.startswith("http://")},
        retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY},
    )


def _code(error: Exception) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""


def _without_login(endpoint: str) -> str:
    return endpoint.rpartition("@")[2] if "@" in endpoint else endpoint
