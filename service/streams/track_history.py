"""Asks the worker of a stream for the last seconds of a person, and waits a moment for the answer."""

import queue
import secrets
import threading
from collections.abc import Callable, Sequence

from service.protocol.messages import TaskCommand
from service.protocol.track_history import AskTrack, TrackHistory


class TrackHistories:
    """The questions that are open now.

    tell: passes a command to the worker that has the stream; False when none has it.
    timeout_s: how long whoever asks is kept waiting.  questions_max: one more is not asked.
    """

    def __init__(self, tell: Callable[[TaskCommand], bool], timeout_s: float = 1.5, questions_max: int = 64) -> None:
        self._tell = tell
        self._timeout_s = timeout_s
        self._questions_max = questions_max
        self._lock = threading.Lock()
        self._open: dict[str, queue.Queue[Sequence[str]]] = {}

    def ask(self, stream_id: str, track_id: int) -> Sequence[str]:
        """What is remembered of a person, one JSON object a line; empty too when no worker answers in time."""
        question = AskTrack(stream_id, secrets.token_hex(8), track_id)
        answer: queue.Queue[Sequence[str]] = queue.Queue(1)
        with self._lock:
            if len(self._open) >= self._questions_max:
                return ()
            self._open[question.question_id] = answer
        try:
            return answer.get(timeout=self._timeout_s) if self._tell(question) else ()
        except queue.Empty:
            return ()
        finally:
            with self._lock:
                self._open.pop(question.question_id, None)

    def take(self, history: TrackHistory) -> None:
        """Hand an answer to whoever asked; one that comes too late is dropped."""
        with self._lock:
            waiting = self._open.pop(history.question_id, None)
        if waiting is not None:
            waiting.put_nowait(history.lines)
