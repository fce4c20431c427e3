"""The lines of a text file, one after the other, each known by its number in what is said of it."""

from collections.abc import Sequence

from pipelines.errors import DatasetInvalid


class Lines:
    """Where a reader stands in a file; each format adds how it takes the next line."""

    def __init__(self, lines: Sequence[str], name: str) -> None:
        self._lines, self._name, self._at = lines, name, 0

    @property
    def where(self) -> str:
        """The line that was read last."""
        return f"{self._name}: line {self._at}"

    def require_end(self) -> None:
        """Raise DatasetInvalid where anything follows."""
        if any(line.strip() for line in self._lines[self._at :]):
            raise DatasetInvalid(f"{self._name}: line {self._at + 1}: more follows than the frames that were announced")
