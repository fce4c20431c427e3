"""Which store the settings name: a folder of the home, or an object store."""

import os

from service.blob_s3 import S3Store
from service.blob_store import BlobStore, FileStore
from service.settings import Settings


def open_store(settings: Settings) -> BlobStore:
    """The store in force; raises BlobsUnavailable where what it needs is not installed."""
    if settings.blobs_url is None:
        return FileStore(settings.blobs)
    return S3Store(settings.blobs_url, os.environ)
