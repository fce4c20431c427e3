"""Finds which of many tasks kills its worker, by halving, so that the others do not pay for it."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Sequence


class CrashBlame:
    """Who may be why a worker died.

    A worker that dies with one task names its killer. One that dies with many leaves suspects: they are placed again
    half by half, one half at a time per worker, and a half that runs for `clear_s` is cleared. When the worker dies
    again only the half on trial is suspected, until one task is left.
    """

    def __init__(self, clear_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clear_s = clear_s
        self._clock = clock
        self._lock = threading.Lock()
        self._group_of: dict[str, int] = {}
        self._begun_s: dict[int, float] = {}
        self._numbers = itertools.count()

    def blame(self, task_ids: Sequence[str]) -> str | None:
        """A worker died with these tasks: the one that is to blame, or None while it may be several."""
        with self._lock:
            self._clear()
            on_trial = [task_id for task_id in task_ids if task_id in self._group_of]
            suspects = on_trial or list(task_ids)
            if len(suspects) <= 1:
                self._split(suspects)
                return suspects[0] if suspects else None
            middle = len(suspects) // 2
            self._split(suspects[:middle])
            self._split(suspects[middle:])
            return None

    def may_join(self, task_id: str, others: Iterable[str]) -> bool:
        """Whether a task may be placed beside others: never one suspected group beside another."""
        with self._lock:
            self._clear()
            group = self._group_of.get(task_id)
            if group is None:
                return True
            return all(self._group_of.get(other, group) == group for other in others)

    def begin(self, task_id: str) -> None:
        """A task was placed: its group's trial runs from now on."""
        with self._lock:
            group = self._group_of.get(task_id)
            if group is not None:
                self._begun_s.setdefault(group, self._clock())

    def forget(self, task_id: str) -> None:
        """A task ended in peace."""
        with self._lock:
            self._group_of.pop(task_id, None)

    def _split(self, task_ids: Sequence[str]) -> None:
        group = next(self._numbers)
        for task_id in task_ids:
            self._group_of[task_id] = group

    def _clear(self) -> None:
        horizon_s = self._clock() - self._clear_s
        cleared = {group for group, begun_s in self._begun_s.items() if begun_s < horizon_s}
        self._group_of = {task_id: group for task_id, group in self._group_of.items() if group not in cleared}
        alive = set(self._group_of.values())
        self._begun_s = {group: begun_s for group, begun_s in self._begun_s.items() if group in alive}
