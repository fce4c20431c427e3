"""Which store the settings name: a folder of the home, or an object store."""

import os

from service.blob_s3 import S3Store
from service.blob_store import BlobStore, FileStore, read_text
from service.errors import BlobsForeign
from service.settings import Settings

_OWNER = "owner"


def require_own(store: BlobStore, owner: str) -> None:
    """Mark a place as ours, or raise BlobsForeign where it is somebody else's: retention removes what no row knows.

    owner: tells installations apart and is no secret. Raises BlobsUnavailable.
    """
    if isinstance(store, FileStore):
        return
    found = read_text(store, _OWNER)
    if found is None:
        store.write(_OWNER, owner.encode())
    elif found != owner:
        raise BlobsForeign(
            "ACTOGRAM_BLOBS_URL: an installation with another ACTOGRAM_SECRET_KEY keeps its blobs there; name another "
            "prefix, or remove the blob `owner` there when that installation is gone"
        )


def open_store(settings: Settings) -> BlobStore:
    """The store in force; raises BlobsUnavailable where what it needs is not installed."""
    if settings.blobs_url is None:
        return FileStore(settings.blobs)
    return S3Store(settings.blobs_url, os.environ)
