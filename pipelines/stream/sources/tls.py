"""TLS with a camera: the certificate is checked on the very connection that then carries the pictures."""

import socket
import ssl

from pipelines.errors import SourceUnavailable


def secure(plain: socket.socket, host: str, shown: str, verify: bool) -> ssl.SSLSocket:
    """Shake hands over a connection, within its timeout; raises SourceUnavailable: tls_failed, timeout or
    connection_failed.

    shown: the address for messages.
    verify: whether the certificate must be trusted by this machine and name the host; otherwise any will do.
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except TimeoutError as error:
        raise SourceUnavailable(f"{shown}: no TLS handshake within {plain.gettimeout():g} s", code="timeout") from error
    except ssl.SSLCertVerificationError as error:
        text = f"{shown}: its certificate is not trusted: {error.verify_message}"
        raise SourceUnavailable(text, code="tls_failed") from error
    except ssl.SSLError as error:
        raise SourceUnavailable(f"{shown}: does not speak TLS", code="tls_failed") from error
    except OSError as error:
        raise SourceUnavailable(f"{shown}: the connection failed", code="connection_failed") from error
