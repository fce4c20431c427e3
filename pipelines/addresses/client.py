"""An HTTP client that connects only where the policy lets it, at every request and every redirect."""

import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import httpcore
import httpx

from pipelines.addresses.policy import AddressPolicy

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Deadline:
    """A point in time by which an exchange must have ended; it can be put off."""

    def __init__(self, seconds: float) -> None:
        self._until_s = time.monotonic() + seconds

    def renew(self, seconds: float) -> None:
        """Put it off until `seconds` from now."""
        self._until_s = time.monotonic() + seconds

    def left_s(self) -> float:
        """Seconds that are left; negative once it has passed."""
        return self._until_s - time.monotonic()


def build_client(
    policy: AddressPolicy, timeout: httpx.Timeout, deadline: Callable[[], Deadline], *, verify: bool = True,
    keeps_alive: bool = True,
) -> httpx.Client:  # fmt: skip
    """A client without proxies, .netrc and redirects of its own; its requests also raise SourceForbidden.

    deadline: asked at each connection; past it, every wait is a timeout. A server that trickles holds nobody for ever.
    verify: whether certificates must be trusted by this machine and name the host.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # below that it logs every URL, logins and tokens included
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    pool = httpcore.ConnectionPool(
        ssl_context=context, max_connections=32, max_keepalive_connections=8 if keeps_alive else 0,
        network_backend=_CheckedBackend(policy, deadline),
    )  # fmt: skip
    return httpx.Client(transport=_Transport(pool), timeout=timeout, trust_env=False, follow_redirects=False)


def fault_of(error: httpx.TransportError) -> tuple[str, str]:
    """Code and reason of a failed request: timeout, tls_failed or connection_failed; the reason holds no address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "tls_failed", f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "tls_failed", "does not speak TLS"
        cause = cause.__cause__ or cause.__context__  # httpcore raises its errors again "from None"
    if isinstance(error, httpx.TimeoutException):
        return "timeout", "no answer in time"
    if isinstance(error, httpx.ProtocolError):
        return "connection_failed", "the connection ended early, or the answer is not HTTP"
    return "connection_failed", "the connection failed"


class _CheckedBackend(httpcore.NetworkBackend):
    """Resolves, checks and dials; TLS keeps the host's name, which httpcore hands on."""

    def __init__(self, policy: AddressPolicy, deadline: Callable[[], Deadline]) -> None:
        self._policy = policy
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in self._policy.require_addresses(host, port):
            try:
                stream = self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _TimedStream(stream, self._deadline())
        assert failure is not None
        raise failure

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _TimedStream(httpcore.NetworkStream):
    """A connection whose waits all end by a deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left_s = self._left(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left_s), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
        left_s = self._deadline.left_s()
        if left_s <= 0:
            raise error("the exchange took too long")
        return left_s if timeout is None else min(timeout, left_s)


class _Transport(httpx.BaseTransport):
    """httpx's own transport takes no network backend; this one does what that one does."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"{url.scheme}: only http and https are fetched", request=request)
        with _translated():
            answer = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=cast("Iterable[bytes]", request.stream),
                    extensions=request.extensions,
                )
            )
        body = _Body(cast("Iterable[bytes]", answer.stream))
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._stream

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """What httpcore raises, as the error of the same name that httpx documents."""
    try:
        yield
    except _ERRORS as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
