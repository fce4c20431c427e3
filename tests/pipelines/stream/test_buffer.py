"""FrameBuffer: bounded, every frame comes out or is counted, every wait ends."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipelines.errors import SourceUnavailable
from pipelines.stream.buffer import DropPolicy, FrameBuffer
from pipelines.types import Frame


def frame(index: int) -> Frame:
    return Frame(index, index / 10, np.zeros((2, 2, 3), np.uint8))


def taken(buffer: FrameBuffer) -> list[int]:
    indexes = []
    while (each := buffer.get(timeout_s=0)) is not None:
        indexes.append(each.index)
    return indexes


class Background:
    """Runs a call in a thread; `result` waits for it, at most five seconds."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._results: list[object] = []
        self._thread = threading.Thread(target=lambda: self._results.append(call()))
        self._thread.start()

    def is_waiting(self, settle_s: float = 0.05) -> bool:
        self._thread.join(settle_s)
        return self._thread.is_alive()

    def result(self) -> object:
        self._thread.join(5)
        assert not self._thread.is_alive()
        return self._results[0]


def test_buffer_drops_oldest_when_full() -> None:
    buffer = FrameBuffer(capacity=1, policy="drop_oldest")

    buffer.put(frame(0))
    buffer.put(frame(1))

    assert taken(buffer) == [1]
    assert buffer.dropped == 1


@pytest.mark.parametrize(
    ("policy", "capacity", "out", "dropped"),
    [
        ("drop_oldest", 3, [2, 3, 4], {"buffer_full": 2}),
        ("drop_oldest", 5, [0, 1, 2, 3, 4], {}),
        ("latest_only", 3, [4], {"superseded": 4}),
    ],
)
def test_buffer_keeps_what_its_policy_says_and_counts_the_rest(
    policy: DropPolicy, capacity: int, out: list[int], dropped: dict[str, int]
) -> None:
    buffer = FrameBuffer(capacity, policy)

    assert all(buffer.put(frame(index)) for index in range(5))

    assert taken(buffer) == out
    assert buffer.dropped_by_reason == dropped


@pytest.mark.parametrize("policy", ["drop_oldest", "latest_only"])
@pytest.mark.parametrize("capacity", [1, 2])
def test_buffer_hands_a_dropped_break_on_to_the_next_frame(policy: DropPolicy, capacity: int) -> None:
    buffer = FrameBuffer(capacity, policy)

    for index in range(5):
        buffer.put(replace(frame(index), break_reason="reconnect" if index == 1 else None))

    first = buffer.get(timeout_s=0)
    second = buffer.get(timeout_s=0)
    assert first is not None
    assert first.break_reason == "reconnect"
    assert second is None or not second.is_break


def test_buffer_makes_the_producer_wait_when_full() -> None:
    buffer = FrameBuffer(capacity=1, policy="wait")
    buffer.put(frame(0))

    putting = Background(lambda: buffer.put(frame(1)))

    assert putting.is_waiting()
    assert taken(buffer)[:1] == [0]
    assert putting.result() is True
    assert buffer.dropped == 0


def test_buffer_gives_up_waiting_for_room_in_time() -> None:
    buffer = FrameBuffer(capacity=1, policy="wait")
    buffer.put(frame(0))

    assert buffer.put(frame(1), timeout_s=0.01) is False
    assert taken(buffer) == [0]


def test_buffer_gives_nothing_when_nothing_comes_in_time() -> None:
    buffer = FrameBuffer()

    assert buffer.get(timeout_s=0.01) is None
    assert not buffer.is_done


@pytest.mark.parametrize("wake", [FrameBuffer.stop, FrameBuffer.end], ids=["stop", "end"])
def test_buffer_wakes_a_waiting_consumer_when_closed(wake: Callable[[FrameBuffer], None]) -> None:
    buffer = FrameBuffer()
    getting = Background(buffer.get)
    assert getting.is_waiting()

    wake(buffer)

    assert getting.result() is None
    assert buffer.is_done


@pytest.mark.parametrize("wake", [FrameBuffer.stop, FrameBuffer.end], ids=["stop", "end"])
def test_buffer_wakes_a_waiting_producer_when_closed(wake: Callable[[FrameBuffer], None]) -> None:
    buffer = FrameBuffer(capacity=1, policy="wait")
    buffer.put(frame(0))
    putting = Background(lambda: buffer.put(frame(1)))
    assert putting.is_waiting()

    wake(buffer)

    assert putting.result() is False


def test_buffer_hands_out_what_it_holds_after_the_end() -> None:
    buffer = FrameBuffer()
    buffer.put(frame(0))
    buffer.put(frame(1))

    buffer.end()

    assert buffer.put(frame(2)) is False
    assert not buffer.is_done
    assert [each.index for each in buffer] == [0, 1]
    assert buffer.is_done


def test_buffer_raises_the_producers_error_after_the_last_frame() -> None:
    buffer = FrameBuffer()
    buffer.put(frame(0))

    buffer.end(SourceUnavailable("cam: gone", code="ended"))

    assert buffer.get() is not None
    with pytest.raises(SourceUnavailable, match="gone"):
        buffer.get()


def test_buffer_counts_what_it_held_when_stopped_twice() -> None:
    buffer = FrameBuffer()
    buffer.put(frame(0))

    buffer.stop()
    buffer.stop()

    assert buffer.put(frame(1)) is False
    assert taken(buffer) == []
    assert buffer.dropped_by_reason == {"stopped": 1}


def test_buffer_tells_a_consumer_of_many_buffers() -> None:
    news: list[str] = []
    buffer = FrameBuffer(on_put=lambda: news.append("news"))

    buffer.put(frame(0))
    buffer.end()

    assert news == ["news", "news"]


def test_buffer_loses_no_frame_between_two_threads() -> None:
    buffer = FrameBuffer(capacity=2, policy="wait")

    def produce() -> None:
        for index in range(500):
            buffer.put(frame(index))
        buffer.end()

    producing = Background(produce)

    assert [each.index for each in buffer] == list(range(500))
    assert producing.result() is None
    assert buffer.dropped == 0


def test_buffer_refuses_to_hold_nothing() -> None:
    with pytest.raises(ValueError, match="capacity"):
        FrameBuffer(capacity=0)


def test_buffer_that_shrinks_drops_the_oldest_with_the_next_frame() -> None:
    buffer = FrameBuffer(capacity=3, policy="drop_oldest")
    for index in range(3):
        buffer.put(frame(index))

    buffer.resize(1)
    buffer.put(frame(3))

    assert taken(buffer) == [3]
    assert buffer.dropped_by_reason == {"buffer_full": 3}


def test_buffer_that_shrinks_keeps_the_break_of_what_it_drops() -> None:
    buffer = FrameBuffer(capacity=3, policy="drop_oldest")
    buffer.put(replace(frame(0), break_reason="gap"))
    buffer.put(frame(1))

    buffer.resize(1)
    buffer.put(frame(2))

    found = buffer.get(timeout_s=0)
    assert found is not None
    assert (found.index, found.break_reason) == (2, "gap")


def test_buffer_that_grows_holds_more_at_once() -> None:
    buffer = FrameBuffer(capacity=1, policy="drop_oldest")

    buffer.resize(2)
    for index in range(3):
        buffer.put(frame(index))

    assert taken(buffer) == [1, 2]


@pytest.mark.parametrize(("policy", "out"), [("wait", [0, 1]), ("latest_only", [1])])
def test_buffer_of_another_policy_keeps_its_size(policy: DropPolicy, out: list[int]) -> None:
    buffer = FrameBuffer(capacity=2, policy=policy)

    buffer.resize(1)
    for index in range(2):
        buffer.put(frame(index), timeout_s=0)

    assert taken(buffer) == out
