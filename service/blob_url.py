"""The address of an object store: `s3://bucket/prefix`."""

import re
from urllib.parse import urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LEVEL = re.compile(r"[A-Za-z0-9._=-]+")


def parse_blobs_url(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`; raises ValueError, which names what is wrong and no secret."""
    parts = urlsplit(url)
    bucket = parts.netloc
    if parts.scheme != "s3" or parts.query or parts.fragment:
        raise ValueError("expected s3://bucket/prefix")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("expected s3://bucket/prefix, the bucket in small letters; credentials go into AWS_ variables")
    levels = [level for level in parts.path.split("/") if level]
    if any(not _LEVEL.fullmatch(level) or set(level) == {"."} for level in levels):
        raise ValueError("expected s3://bucket/prefix with a plain prefix: letters, digits and ._=-")
    return bucket, "/".join(levels)
