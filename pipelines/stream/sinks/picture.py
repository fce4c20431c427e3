"""The timeline as a PNG picture."""

from pathlib import Path

from pipelines.results import Header, Summary
from pipelines.stream.render.actogram import draw_actogram
from pipelines.stream.sinks.output import OutputFile, told
from pipelines.types import Event, FrameResult


class TimelineSink:
    """Draws the actogram when the analysis is over."""

    wants_pictures = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._output = OutputFile(path)
        self._place: Path | None = None

    def open(self, header: Header) -> None:  # noqa: ARG002 - the summary holds it
        """See that the file can be written. Raises SinkError, DiskFull."""
        self._place = self._output.open()

    def write(self, result: FrameResult) -> None:
        """Nothing to draw of a single frame."""

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:  # noqa: ARG002 - the summary holds them
        """Draw it."""
        assert self._place is not None, "open comes first"
        with told(self._path):
            draw_actogram(summary).save(self._place, format="PNG")
        self._output.commit()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._output.abort()
