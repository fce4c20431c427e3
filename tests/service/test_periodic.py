"""A thread that looks again and again: woken, patient with faults, and gone when it is stopped."""

import logging
import queue

import pytest

from service.periodic import Rounds


def test_rounds_do_their_work_when_they_are_woken() -> None:
    done: queue.Queue[int] = queue.Queue()
    rounds = Rounds("test", lambda: done.put(1), tick_s=60)
    rounds.start()

    rounds.wake()

    assert done.get(timeout=10) == 1
    rounds.stop()


def test_rounds_go_on_after_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    done: queue.Queue[int] = queue.Queue()

    def fail() -> None:
        done.put(1)
        raise OSError("the database is away")

    rounds = Rounds("test", fail, tick_s=0.01)
    with caplog.at_level(logging.ERROR):
        rounds.start()
        found = [done.get(timeout=10) for _ in range(2)]
        rounds.stop()

    assert found == [1, 1]
    assert "test: this round failed" in caplog.text


def test_rounds_may_be_stopped_twice_and_before_they_began() -> None:
    rounds = Rounds("test", lambda: None)

    rounds.stop()
    rounds.stop()

    assert rounds.is_over
