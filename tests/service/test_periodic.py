"""A periodic thread can be woken, survives faults, and is gone when it is stopped."""

import logging
import queue

import pytest

from service.periodic import Periodic


def test_periodic_thread_does_its_work_when_it_is_woken() -> None:
    done: queue.Queue[int] = queue.Queue()
    rounds = Periodic("test", lambda: done.put(1), period_s=60)
    rounds.start()

    rounds.wake()

    assert done.get(timeout=10) == 1
    rounds.stop()


def test_periodic_thread_goes_on_after_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    done: queue.Queue[int] = queue.Queue()

    def fail() -> None:
        done.put(1)
        raise OSError("the database is away")

    rounds = Periodic("test", fail, period_s=0.01)
    with caplog.at_level(logging.ERROR):
        rounds.start()
        found = [done.get(timeout=10) for _ in range(2)]
        rounds.stop()

    assert found == [1, 1]
    assert "test: this round failed" in caplog.text


def test_periodic_thread_may_be_stopped_twice_and_before_it_began() -> None:
    rounds = Periodic("test", lambda: None)

    rounds.stop()
    rounds.stop()

    assert rounds.is_over
