"""The local socket by which pushed frames go from the web process to a worker of the same machine.

The worker listens in the stream's folder; each message is its length (4 bytes, big endian) and then the
bytes: one JPEG, or a piece of MPEG-TS with H.264. The socket's own buffer is the queue: a full one holds the client up.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MESSAGE_BYTES_MAX = 4 * 2**20
_PATH_BYTES_MAX = 100


def socket_path(folder: Path) -> Path:
    """The socket file of the stream whose folder this is."""
    return folder / "push.sock"


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of a socket file that fits into the 108 bytes which the system has for one, however deep it lies.

    Raises FileNotFoundError when its folder is not there.
    """
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
