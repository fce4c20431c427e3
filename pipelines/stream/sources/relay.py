"""A relay on loopback between FFmpeg and a camera: FFmpeg resolves no name and dials no address but the relay's."""

import contextlib
import select
import socket
import ssl
import threading
from typing import Protocol

from pipelines.addresses.dial import dial
from pipelines.addresses.policy import Address, AddressPolicy
from pipelines.errors import SourceError, SourceUnavailable
from pipelines.stream.sources.tls import secure

_CHUNK_BYTES = 65536
_POLL_MS = 1000
_FAREWELL_S = 0.2
_CONNECTIONS_MAX = 4  # RTMP's login takes a second connection


class Filter(Protocol):
    """Looks at what passes through a relay; either method may raise a SourceError, which ends the connection."""

    def to_camera(self, data: bytes) -> bytes:
        """What the camera gets for these bytes of FFmpeg's."""

    def to_reader(self, data: bytes) -> bytes:
        """What FFmpeg gets for these bytes of the camera's."""


class Redirected(SourceError):
    """The camera says that its pictures are elsewhere: `uri`."""

    def __init__(self, uri: str) -> None:
        super().__init__("redirected")
        self.uri = uri


class Upstream:
    """Dials the camera, at an address that the policy has checked, and shakes hands where its scheme wants it.

    timeouts_s: for connecting, and for each wait after that.
    """

    def __init__(
        self, address: Address, policy: AddressPolicy, timeouts_s: tuple[float, float], verify_tls: bool
    ) -> None:
        self.address = address
        self._policy = policy
        self._timeouts_s = timeouts_s
        self._verify_tls = verify_tls

    def connect(self) -> socket.socket:
        """A connection; raises SourceForbidden and SourceUnavailable."""
        address = self.address
        try:
            found = dial(self._policy, *address.where, self._timeouts_s[0])
        except TimeoutError as error:
            raise SourceUnavailable(f"{address.shown}: cannot be opened: no answer in time", "timeout") from error
        except OSError as error:
            raise SourceUnavailable(f"{address.shown}: cannot be opened: the connection failed") from error
        if address.scheme.is_tls:
            try:
                found = secure(found, address.where[0], address.shown, self._verify_tls)
            except BaseException:
                found.close()
                raise
        found.settimeout(self._timeouts_s[1])
        return found


class Relay:
    """Listens on a port of its own until it is closed, and carries one connection at a time.

    first: a connection to the camera that is open already; further ones are dialled, to checked addresses again.
    """

    def __init__(self, upstream: Upstream, first: socket.socket) -> None:
        self._upstream = upstream
        self._first: socket.socket | None = first
        # Of the camera's family: where pictures travel by UDP, FFmpeg opens its ports in the family of its peer.
        family = socket.AF_INET6 if first.family == socket.AF_INET6 else socket.AF_INET
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        self._listener = socket.create_server((host, 0), family=family, backlog=1)
        port = int(self._listener.getsockname()[1])
        self.netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.fault: SourceError | None = None
        self._filter: Filter | None = None
        self._open: list[socket.socket] = []
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self, passing: Filter | None) -> None:
        """Begin to listen; `passing` looks at what passes."""
        self._filter = passing
        self._thread.start()

    def close(self) -> None:
        """End every connection, after what FFmpeg said last has reached the camera; may be called twice."""
        _shut(self._listener)
        if self._thread.ident is not None:
            self._thread.join(_FAREWELL_S)
        self._is_closed.set()
        for each in (self._first, *self._open):
            if each is not None:
                _shut(each)
        if self._thread.ident is not None:
            self._thread.join(5.0)
        self._listener.close()
        if self._first is not None:
            self._first.close()

    def _run(self) -> None:
        """The thread's edge: what goes wrong here is kept for whoever waits for FFmpeg."""
        for _ in range(_CONNECTIONS_MAX):
            try:
                client = self._listener.accept()[0]
            except OSError:  # closed
                return
            with client:
                try:
                    self._carry(client)
                except SourceError as error:
                    self.fault = error
                    return
                except OSError:  # either side hung up
                    continue
                finally:
                    self._open.clear()

    def _carry(self, client: socket.socket) -> None:
        camera, self._first = self._first or self._upstream.connect(), None
        with camera:
            self._open.extend((client, camera))
            poll = select.poll()  # not select, which knows no descriptor above 1023
            poll.register(client, select.POLLIN)
            poll.register(camera, select.POLLIN)
            while not self._is_closed.is_set():
                waiting = isinstance(camera, ssl.SSLSocket) and camera.pending() > 0
                ready = {camera.fileno()} if waiting else {number for number, _ in poll.poll(_POLL_MS)}
                if client.fileno() in ready and not self._pass_on(client, camera):
                    return
                if camera.fileno() in ready and not self._pass_on(camera, client):
                    return

    def _pass_on(self, source: socket.socket, target: socket.socket) -> bool:
        """Carry one piece; False at the end of the source."""
        data = source.recv(_CHUNK_BYTES)
        if not data:
            return False
        if self._filter is not None:
            is_answer = self._open[1] is source
            data = self._filter.to_reader(data) if is_answer else self._filter.to_camera(data)
        if data:
            target.sendall(data)
        return True


def _shut(connection: socket.socket) -> None:
    """Wake whoever waits for a connection. Not SSLSocket's own way, which takes the keys from under its reader."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
