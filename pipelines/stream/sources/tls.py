"""Whether a server's certificate can be trusted, asked before FFmpeg connects: its own answer is one error for all."""

import socket
import ssl

from pipelines.addresses.policy import Address
from pipelines.errors import SourceUnavailable


def require_trusted(address: Address, timeout_s: float, verify: bool) -> None:
    """Shake hands once; raises SourceUnavailable: tls_failed, timeout or connection_failed.

    verify: whether the certificate must be trusted by this machine and name the host; otherwise any will do.
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(address.where, timeout=timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=address.host),
        ):
            return
    except TimeoutError as error:
        raise SourceUnavailable(f"{address.shown}: no TLS handshake within {timeout_s:g} s", code="timeout") from error
    except ssl.SSLCertVerificationError as error:
        text = f"{address.shown}: its certificate is not trusted: {error.verify_message}"
        raise SourceUnavailable(text, code="tls_failed") from error
    except ssl.SSLError as error:
        raise SourceUnavailable(f"{address.shown}: does not speak TLS", code="tls_failed") from error
    except OSError as error:
        raise SourceUnavailable(f"{address.shown}: the connection failed", code="connection_failed") from error
