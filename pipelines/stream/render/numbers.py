"""Numbers people as they are shown: 1, 2, 3 in order of appearance; track ids skip those who proved to be nobody."""

from collections.abc import Iterable


class Numbers:
    """One video's people; the numbers are those of `Summary.numbered`, known while frames go by."""

    def __init__(self) -> None:
        self._of: dict[int, int] = {}

    def see(self, track_ids: Iterable[int]) -> None:
        """Take the people of the next frame in; of those who come at once, the lower track id first."""
        for track_id in sorted(track_ids):
            self._of.setdefault(track_id, len(self._of) + 1)

    def of(self, track_id: int) -> int:
        """The number of a person who was seen."""
        return self._of[track_id]
