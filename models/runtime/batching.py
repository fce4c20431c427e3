"""Gathers the calls of many streams into batches for one network: what is ready by the deadline goes."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
AnswerT = TypeVar("AnswerT")


class BatcherClosed(RuntimeError):
    """A call to a batcher that was closed, or that was waiting in it when it was closed."""


class BatcherStuck(RuntimeError):
    """A call that no answer came to: the network behind the batcher does not return."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """How a batcher gathers.

    max_batch:  items in one run.
    deadline_s: how long the first call of a batch waits for others; nothing waits for a source that is absent.
    present_s:  a caller that has called within this time is present, and when all who are present wait, the batch goes
                before its deadline. None: it goes when it is full or late.
    patience_s: how long a call waits for its answer; longer than the supervisor lets a task stand still.
    """

    max_batch: int
    deadline_s: float
    present_s: float | None = None
    patience_s: float = 120.0


@dataclass(frozen=True, slots=True)
class _Call(Generic[ItemT, AnswerT]):
    items: Sequence[ItemT]
    future: "Future[list[AnswerT]]"


class Batcher(Generic[ItemT, AnswerT]):
    """A network that many threads call and that runs in one thread, with at most `max_batch` items a run.

    network: answers a list of items with one answer each, same order.
    A batch that fails is run again call by call, so that a call gets the network's exception for its own items only.
    """

    def __init__(
        self,
        network: Callable[[Sequence[ItemT]], Sequence[AnswerT]],
        gathering: Gathering,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._network = network
        self._gathering = gathering
        self._max_batch = gathering.max_batch
        self._clock = clock
        self._called_s: dict[int, float] = {}
        # Each caller waits for its answer before it calls again, so there are never more calls than callers.
        self._calls: queue.SimpleQueue[_Call[ItemT, AnswerT] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    def __call__(self, items: Sequence[ItemT]) -> list[AnswerT]:
        """The network's answers to these items. Raises what the network raises, BatcherClosed and BatcherStuck."""
        if not items:
            return []
        call: _Call[ItemT, AnswerT] = _Call(items, Future())
        with self._lock:
            if self._closed:
                raise BatcherClosed("the batcher is closed")
            self._called_s[threading.get_ident()] = self._clock()
            self._calls.put(call)
        try:
            return call.future.result(self._gathering.patience_s)
        except TimeoutError as error:
            if call.future.done():
                raise  # the network's own
            raise BatcherStuck(f"no answer within {self._gathering.patience_s:g} s") from error

    def close(self) -> None:
        """Wake every waiting call with BatcherClosed and end the thread; a batch that runs is finished first."""
        self.end()
        self._thread.join()

    def end(self) -> None:
        """The same, without waiting for the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._calls.put(None)

    def _run(self) -> None:
        held: _Call[ItemT, AnswerT] | None = None
        while True:
            call = held if held is not None else self._calls.get()
            if call is None:
                break
            batch, held, ended = self._gather(call)
            self._answer(batch)
            if ended:
                break
        self._refuse(held)

    def _gather(
        self, first: _Call[ItemT, AnswerT]
    ) -> tuple[list[_Call[ItemT, AnswerT]], _Call[ItemT, AnswerT] | None, bool]:
        """Calls until the batch is full or late; a call that does not fit is held back; whether the end was met."""
        batch, size = [first], len(first.items)
        late_s = self._clock() + self._gathering.deadline_s
        while size < self._max_batch:
            wait_s = 0.0 if self._is_everyone_here(len(batch)) else max(late_s - self._clock(), 0)
            try:
                call = self._calls.get(timeout=wait_s)
            except queue.Empty:
                break
            if call is None:
                return batch, None, True
            if size + len(call.items) > self._max_batch:
                return batch, call, False
            batch.append(call)
            size += len(call.items)
        return batch, None, False

    def _is_everyone_here(self, num_waiting: int) -> bool:
        """Whether as many calls wait as there are callers: each waits for its answer before it calls again."""
        if self._gathering.present_s is None:
            return False
        horizon_s = self._clock() - self._gathering.present_s
        with self._lock:
            self._called_s = {caller: at_s for caller, at_s in self._called_s.items() if at_s >= horizon_s}
            return num_waiting >= len(self._called_s)

    def _answer(self, batch: Sequence[_Call[ItemT, AnswerT]]) -> None:
        try:
            answers = self._ask([item for call in batch for item in call.items])
        except BaseException as error:  # noqa: BLE001 - a thread's edge: the callers raise it
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for call in batch:
                self._answer([call])
            return
        at = 0
        for call in batch:
            call.future.set_result(answers[at : at + len(call.items)])
            at += len(call.items)

    def _ask(self, items: Sequence[ItemT]) -> list[AnswerT]:
        answers: list[AnswerT] = []
        for at in range(0, len(items), self._max_batch):
            answers += self._network(items[at : at + self._max_batch])
        if len(answers) != len(items):
            raise RuntimeError(f"the network gave {len(answers)} answers to {len(items)} items")
        return answers

    def _refuse(self, held: "_Call[ItemT, AnswerT] | None") -> None:
        if held is not None:
            held.future.set_exception(BatcherClosed("the batcher was closed"))
        while True:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return
            if call is not None:
                call.future.set_exception(BatcherClosed("the batcher was closed"))
