"""Where frames come from: files, cameras, and code that hands pictures in."""

from pipelines.stream.sources.file import FileSource
from pipelines.stream.sources.info import SourceCounts, SourceInfo, SourceLimits

__all__ = ["FileSource", "SourceCounts", "SourceInfo", "SourceLimits"]
