"""Connects to hosts that somebody else named: resolved once, checked, and dialled at the address that was checked."""

import socket

from pipelines.addresses.policy import AddressPolicy


def dial(policy: AddressPolicy, host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to the first of a host's addresses that answers.

    Raises SourceForbidden and HostUnknown as the policy does, OSError where nobody answers.
    """
    failure: OSError | None = None
    for address in policy.require_addresses(host, port):
        try:
            connection = socket.create_connection((address, port), timeout=timeout_s)
        except OSError as error:
            failure = error
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    assert failure is not None
    raise failure
