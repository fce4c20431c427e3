"""A process that hands one message to Apprise, and can do nothing else.

Apprise knows over a hundred services and their own ways of speaking to them. Here an audit hook (PEP 578) watches all
of it: a connection goes only where the address policy lets it, whatever a name resolves to; nothing is started, no file
is written, and none is read but Python's own and the machine's certificates. A hook cannot be taken back, so the
process ends with its one message.

Reads one JSON object from standard input, writes one to standard output.
"""

import json
import logging
import os
import re
import socket
import sys
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from pipelines.addresses.networks import network_of

_READABLE = ("/etc/ssl", "/etc/pki", "/usr/share", "/usr/lib", "/usr/local", "/etc/mime.types", "/etc/localtime")
_FORBIDDEN = (
    "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "os.remove", "os.rename",
    "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate", "shutil.", "ctypes.dlopen",
    "pty.", "webbrowser.", "ftplib.", "socket.bind",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_SECRET_CHARS = 4
_DETAIL_CHARS = 300


class Refused(PermissionError):
    """What a message to somebody needs not do."""


class Guard:
    """The audit hook: raises Refused before something happens that may not.

    networks: where connections may lead: public, private, loopback.
    """

    def __init__(self, networks: frozenset[str]) -> None:
        self._networks = networks
        roots = (*_READABLE, sys.prefix, sys.base_prefix, *(path for path in sys.path if path))
        self._readable = tuple(os.path.realpath(root) for root in roots)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """Judge one event."""
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            self._require_network(arguments)
        elif event == "open":
            self._require_readable(arguments)
        elif event.startswith(_FORBIDDEN):
            raise Refused(f"{event}: not for a message")

    def _require_network(self, arguments: tuple[object, ...]) -> None:
        address = arguments[1] if len(arguments) > 1 else None
        host = address[0] if isinstance(address, tuple) and address else None
        try:
            network = network_of(host) if isinstance(host, str) else None
        except ValueError:  # a name: only what it resolved to may be connected to
            network = None
        if network is None or network not in self._networks:
            raise Refused("an address that the settings do not allow")

    def _require_readable(self, arguments: tuple[object, ...]) -> None:
        path, mode, flags = (*arguments, None, None, None)[:3]
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a descriptor that is open already
        text = os.fsdecode(path)
        is_writing = (isinstance(mode, str) and any(letter in mode for letter in "wax+")) or (
            isinstance(flags, int) and bool(flags & _WRITES)
        )
        if text == os.devnull:
            return
        if is_writing or not self._is_readable(os.path.realpath(text)):
            raise Refused("a file")

    def _is_readable(self, path: str) -> bool:
        return any(path == root or path.startswith(f"{root.rstrip(os.sep)}{os.sep}") for root in self._readable)


def run(wanted: dict[str, object]) -> dict[str, object]:
    """Check an address, or send one message; says `delivered`, `is_final` and, where it failed, `detail`."""
    import apprise

    url = str(wanted["url"])
    heard = _Heard()
    logging.getLogger("apprise").addHandler(heard)
    server = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if server is None:
        return {"delivered": False, "is_final": True, "detail": "Apprise cannot read this address"}
    if wanted.get("only_check"):
        return {"delivered": True, "is_final": True, "detail": ""}
    kinds = {"alarm": apprise.NotifyType.FAILURE, "warning": apprise.NotifyType.WARNING}
    is_sent = server.notify(
        body=str(wanted["body"]), title=str(wanted["title"]),
        notify_type=kinds.get(str(wanted.get("severity")), apprise.NotifyType.INFO),
    )  # fmt: skip
    return {"delivered": bool(is_sent), "is_final": False, "detail": "" if is_sent else scrub(heard.last, url)}


def scrub(text: str, url: str) -> str:
    """A text without any part of an address that could be a secret."""
    parts = {part for piece in re.split(r"[/@:?&=#,;\s]+", url) for part in (piece, unquote(piece))}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SECRET_CHARS:
            text = text.replace(part, "***")
    return text[:_DETAIL_CHARS]


class _Heard(logging.Handler):
    """Keeps the last thing that was complained of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def main(source: IO[str], target: IO[str]) -> None:
    """One message."""
    wanted = json.load(source)
    import apprise

    # Its plugins are loaded at the first address; that must be before the door closes.
    apprise.Apprise.instantiate("json://localhost")
    socket.setdefaulttimeout(float(wanted["timeout_s"]))
    sys.addaudithook(Guard(frozenset(wanted["networks"])))
    json.dump(run(wanted), target)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    assert Path(__file__).is_file()
    main(sys.stdin, sys.stdout)
