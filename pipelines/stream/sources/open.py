"""From an address to a reader: the one place that joins policy, connection and supervision."""

import contextlib

from pipelines.errors import SourceForbidden, SourceUnavailable
from pipelines.stream.sources.connection import AvConnector, Connector
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.live import FrameSink, LiveReader, ReaderHooks
from pipelines.stream.sources.push import PushFeed
from pipelines.stream.sources.status import LiveOptions
from pipelines.stream.sources.uri import SourcePolicy, require_allowed


def build_reader(
    source: str | PushFeed,
    sink: FrameSink,
    policy: SourcePolicy,
    options: LiveOptions | None = None,
    limits: SourceLimits | None = None,
    hooks: ReaderHooks | None = None,
) -> LiveReader:
    """A reader of a live address or of a feed, not yet started.

    Raises SourceForbidden at once for an address that the policy refuses; a host that cannot be found now is no reason
    to refuse it: the camera may be off.
    """
    options, limits = options or LiveOptions(), limits or SourceLimits()
    if isinstance(source, PushFeed):
        return LiveReader(source, sink, options, limits, hooks)
    if source.startswith("push:"):
        raise SourceForbidden("push: is fed by code: hand a PushFeed over")
    with contextlib.suppress(SourceUnavailable):
        require_allowed(source, policy)
    connect: Connector = AvConnector(source, policy, options, limits)
    is_file = source.partition(":")[0].lower() == "file"
    return LiveReader(connect, sink, options, limits, hooks, follows_wall=not is_file)
