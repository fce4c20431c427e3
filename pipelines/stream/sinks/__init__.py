"""Where the results of a file go: lines, tables, an annotated video, a picture of the timeline."""

from pipelines.stream.sinks.picture import TimelineSink
from pipelines.stream.sinks.text import CsvSink, JsonlSink, JsonSink
from pipelines.stream.sinks.video import VideoSink

__all__ = ["CsvSink", "JsonSink", "JsonlSink", "TimelineSink", "VideoSink"]
