"""The object store: whether blobs can be written to it, read back and removed with the credentials that are set."""

import secrets
from collections.abc import Iterator

from service.blob_choice import open_store
from service.blob_store import BlobStore
from service.doctor.findings import Finding, one_line
from service.errors import BlobsBucketMissing, BlobsDenied, BlobsUnavailable
from service.settings import Settings

_ADVICE = {
    BlobsDenied.code: "see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and what they may do in this bucket",
    BlobsBucketMissing.code: "make the bucket, or name another one with ACTOGRAM_BLOBS_URL",
    BlobsUnavailable.code: "see that it runs, AWS_ENDPOINT_URL, and that its port is open to this machine",
}


def check_blobs(settings: Settings) -> Iterator[Finding]:
    """Whether the store does what a server needs; one small blob is written and removed again."""
    if settings.blobs_url is None:
        yield Finding("blobs", "ok", f"files below {settings.blobs}")
        return
    try:
        _try(open_store(settings))
    except BlobsUnavailable as error:
        yield Finding("blobs", "bad", one_line(f"{settings.blobs_url}: {error}"), _ADVICE[error.code])
        return
    yield Finding("blobs", "ok", f"{settings.blobs_url} can be written, read and listed")


def _try(store: BlobStore) -> None:
    """Raise BlobsUnavailable where a blob does not come back as it was."""
    key, data = f"probes/{secrets.token_hex(8)}", secrets.token_bytes(32)
    store.write(key, data)
    try:
        store.check()
        if b"".join(store.read(key)) != data:
            raise BlobsUnavailable("what was written does not come back as it was")
    except FileNotFoundError:
        raise BlobsUnavailable("what was written cannot be found") from None
    finally:
        store.remove(key)
