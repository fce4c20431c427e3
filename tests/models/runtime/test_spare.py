"""Spare threads: a call that is alone gets them all, one among others its own, and the answers are the same."""

from pathlib import Path

import numpy as np
import pytest

from models.runtime.session import Session
from models.runtime.spare import SpareThreads
from tests.models.runtime.networks import write_random


def test_a_call_gets_all_threads_only_while_it_is_alone() -> None:
    spare = SpareThreads(4)

    with spare.borrow() as first, spare.borrow() as second:
        pass
    with spare.borrow() as third:
        pass

    assert (first, second, third) == (4, 1, 4)


def test_threads_come_back_when_a_call_fails() -> None:
    spare = SpareThreads(2)

    with pytest.raises(ValueError, match="in vain"), spare.borrow():
        raise ValueError("in vain")

    with spare.borrow() as threads:
        assert threads == 2


def test_session_answers_alike_alone_and_among_others(tmp_path: Path) -> None:
    path = write_random(tmp_path / "net.onnx", ("batch", 3, 64, 64), {"dets": (4, 5)})
    spare = SpareThreads(2)
    session = Session(path, spare=spare)
    feeds = {"input": np.random.default_rng(0).uniform(0, 1, (2, 3, 64, 64)).astype(np.float32)}

    alone = session.run(feeds)
    with spare.borrow():
        among = session.run(feeds)

    np.testing.assert_array_equal(alone["dets"], among["dets"])
    np.testing.assert_array_equal(alone["dets"], Session(path).run(feeds)["dets"])
