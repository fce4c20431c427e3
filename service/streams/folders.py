"""The folder that each stream has on this machine: the socket for pushed frames lies in it."""

import shutil
from pathlib import Path

from service.protocol.push_socket import socket_path


class StreamFolders:
    """One folder per stream below a root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self) -> None:
        """Remove what an earlier server left: dead sockets, and the pictures that earlier versions wrote."""
        shutil.rmtree(self._root, ignore_errors=True)

    def folder(self, stream_id: str) -> Path:
        """The folder of a stream, there or not; its worker makes it."""
        return self._root / stream_id

    def socket(self, stream_id: str) -> Path:
        """Where the worker of a pushed stream listens."""
        return socket_path(self.folder(stream_id))

    def remove(self, stream_id: str) -> None:
        """Remove the folder of a stream; harmless when there is none."""
        shutil.rmtree(self.folder(stream_id), ignore_errors=True)
