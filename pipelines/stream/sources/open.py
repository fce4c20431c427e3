"""From an address to a reader: the one place that joins policy, connection and supervision."""

import contextlib

from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceForbidden, SourceUnavailable
from pipelines.stream.sources.connection import AvConnector, Connector
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.live import FrameSink, LiveReader, ReaderHooks
from pipelines.stream.sources.push import PushFeed
from pipelines.stream.sources.status import LiveOptions


def build_reader(
    source: str | PushFeed,
    sink: FrameSink,
    policy: AddressPolicy,
    options: LiveOptions | None = None,
    limits: SourceLimits | None = None,
    hooks: ReaderHooks | None = None,
) -> LiveReader:
    """A reader of a live address or of a feed, not yet started.

    Raises SourceForbidden at once for an address that the policy refuses; a host that cannot be found now is no reason
    to refuse it: the camera may be off. Where it leads is asked again at every connection.
    """
    options, limits = options or LiveOptions(), limits or SourceLimits()
    if isinstance(source, PushFeed):
        return LiveReader(source, sink, options, limits, hooks)
    address = policy.require(source)
    scheme = address.scheme
    if scheme.opening == "push":
        raise SourceForbidden("push: is fed by code: hand a PushFeed over")
    if scheme.has_host:
        with contextlib.suppress(SourceUnavailable):
            policy.require_addresses(*address.where)
    connect: Connector = AvConnector(source, policy, options, limits)
    return LiveReader(connect, sink, options, limits, hooks, follows_wall=scheme.is_live)
