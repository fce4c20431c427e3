"""Where frames come from: files, cameras, and code that hands pictures in."""

from pipelines.stream.sources.decoder_limits import DecoderLimits
from pipelines.stream.sources.file import FileSource
from pipelines.stream.sources.info import SourceCounts, SourceInfo, SourceLimits
from pipelines.stream.sources.isolated import IsolatedFileSource
from pipelines.stream.sources.live import FrameSink, LiveReader, ReaderHooks
from pipelines.stream.sources.open import build_reader
from pipelines.stream.sources.push import PushFeed
from pipelines.stream.sources.status import LiveOptions, SourceFault, SourceStatus, StreamState

__all__ = [
    "DecoderLimits",
    "FileSource",
    "FrameSink",
    "IsolatedFileSource",
    "LiveOptions",
    "LiveReader",
    "PushFeed",
    "ReaderHooks",
    "SourceCounts",
    "SourceFault",
    "SourceInfo",
    "SourceLimits",
    "SourceStatus",
    "StreamState",
    "build_reader",
]
