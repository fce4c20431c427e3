"""The batcher: who shares a run, who gets which answer, and that nobody waits for ever."""

import gc
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from models.arrays import AnyArray, FloatArray, Image
from models.runtime.batched import BatchedDetector, BatchedNetwork, BatchedPose
from models.runtime.batching import Batcher, BatcherClosed, BatcherStuck, Gathering
from models.runtime.detector import DetectedPeople
from models.runtime.pose import Landmarks
from pipelines.stream.people.boxes import square_region
from pipelines.stream.people.pose_hypothesis import estimate
from pipelines.stream.people.rotation import QUARTERS

_WAIT_S = 20.0
_NEVER_S = 60.0
"""A deadline that no test reaches: batches go because they are full."""


class GatedNetwork:
    """Doubles numbers; holds its first run until told, so that calls pile up behind it."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.entered = threading.Event()
        self.gate = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.runs.append(list(items))
        if len(self.runs) == 1:
            self.entered.set()
            assert self.gate.wait(_WAIT_S)
        return [2 * item for item in items]


def _together(*calls: Callable[[], list[int]]) -> list[list[int]]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(_WAIT_S) for future in [pool.submit(call) for call in calls]]


def test_batcher_runs_calls_together_when_the_batch_is_full() -> None:
    runs: list[list[int]] = []

    def network(items: Sequence[int]) -> list[int]:
        runs.append(sorted(items))
        return [2 * item for item in items]

    batcher = Batcher(network, Gathering(max_batch=3, deadline_s=_NEVER_S))

    answers = _together(lambda: batcher([1]), lambda: batcher([2]), lambda: batcher([3]))
    batcher.close()

    assert answers == [[2], [4], [6]]
    assert runs == [[1, 2, 3]]


def test_batcher_runs_what_is_ready_when_the_deadline_has_passed() -> None:
    network = GatedNetwork()
    network.gate.set()
    batcher = Batcher(network, Gathering(max_batch=8, deadline_s=0.0))

    answer = batcher([5])
    batcher.close()

    assert answer == [10]


def test_batcher_holds_a_call_back_when_it_does_not_fit() -> None:
    network = GatedNetwork()
    batcher = Batcher(network, Gathering(max_batch=3, deadline_s=0.0))
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(batcher, [0])]
        assert network.entered.wait(_WAIT_S)
        futures += [pool.submit(batcher, [1, 2]), pool.submit(batcher, [3, 4])]
        network.gate.set()

        answers = [future.result(_WAIT_S) for future in futures]
    batcher.close()

    assert answers == [[0], [2, 4], [6, 8]]
    assert sorted(network.runs[1:]) == [[1, 2], [3, 4]]


def test_batcher_splits_a_call_when_it_is_larger_than_a_batch() -> None:
    network = GatedNetwork()
    network.gate.set()
    batcher = Batcher(network, Gathering(max_batch=2, deadline_s=0.0))

    answer = batcher([1, 2, 3, 4, 5])
    batcher.close()

    assert answer == [2, 4, 6, 8, 10]
    assert network.runs == [[1, 2], [3, 4], [5]]


def test_batcher_answers_nothing_with_nothing() -> None:
    network = GatedNetwork()
    batcher = Batcher(network, Gathering(max_batch=2, deadline_s=0.0))

    assert batcher([]) == []
    batcher.close()
    assert network.runs == []


def test_batcher_gives_the_exception_to_whose_items_it_is_and_goes_on() -> None:
    def network(items: Sequence[int]) -> list[int]:
        if 13 in items:
            raise ValueError("unlucky")
        return list(items)

    batcher = Batcher(network, Gathering(max_batch=2, deadline_s=_NEVER_S))
    with ThreadPoolExecutor(2) as pool:
        failing, fine = pool.submit(batcher, [13]), pool.submit(batcher, [1])
        error, beside = failing.exception(_WAIT_S), fine.result(_WAIT_S)

    answer = batcher([1, 2])
    batcher.close()

    assert str(error) == "unlucky"
    assert beside == [1]
    assert answer == [1, 2]


def test_batcher_says_so_when_the_network_gives_too_few_answers() -> None:
    batcher: Batcher[int, int] = Batcher(lambda items: [], Gathering(max_batch=2, deadline_s=0.0))

    with pytest.raises(RuntimeError, match="0 answers to 2 items"):
        batcher([1, 2])
    batcher.close()


def test_close_wakes_every_waiter_and_finishes_the_batch_that_runs() -> None:
    network = GatedNetwork()
    batcher = Batcher(network, Gathering(max_batch=1, deadline_s=0.0))
    with ThreadPoolExecutor(4) as pool:
        running = pool.submit(batcher, [1])
        assert network.entered.wait(_WAIT_S)
        waiting: list[Future[list[int]]] = [pool.submit(batcher, [item]) for item in (2, 3)]
        closing = pool.submit(batcher.close)
        network.gate.set()

        closing.result(_WAIT_S)
        answer = running.result(_WAIT_S)
        ends = [future.exception(_WAIT_S) or future.result() for future in waiting]

    assert answer == [2]
    assert all(isinstance(end, BatcherClosed) or end in ([4], [6]) for end in ends)


def test_close_wakes_a_call_that_waits_for_others() -> None:
    network = GatedNetwork()
    network.gate.set()
    batcher = Batcher(network, Gathering(max_batch=2, deadline_s=_NEVER_S))
    with ThreadPoolExecutor(2) as pool:
        alone = pool.submit(batcher, [1])
        pool.submit(batcher.close).result(_WAIT_S)
        ended = alone.exception(_WAIT_S)

    assert ended is None or isinstance(ended, BatcherClosed)


def test_close_twice_is_legal_and_calls_afterwards_are_refused() -> None:
    batcher = Batcher(GatedNetwork(), Gathering(max_batch=2, deadline_s=0.0))
    batcher.close()
    batcher.close()

    with pytest.raises(BatcherClosed):
        batcher([1])


class CountingPose:
    """Says that every joint is at the region's centre; remembers the batch sizes."""

    layout = "coco17"

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        self.sizes.append(len(images))
        points = np.repeat(regions[:, None, :3], 17, axis=1)
        return Landmarks(points, regions[:, 3], regions, follows_region=True)


def test_batched_pose_gives_each_stream_its_own_people() -> None:
    pose = CountingPose()
    batched = BatchedPose(pose, Gathering(max_batch=3, deadline_s=_NEVER_S))
    image = np.zeros((8, 8, 3), np.uint8)
    regions = np.arange(12, dtype=np.float32).reshape(3, 4)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(batched, [image], regions[:1])
        second = pool.submit(batched, [image] * 2, regions[1:])
        found = first.result(_WAIT_S), second.result(_WAIT_S)
    none = batched([], regions[:0])
    batched.close()

    np.testing.assert_array_equal(found[0].next_region, regions[:1])
    np.testing.assert_array_equal(found[1].keypoints[:, 4], regions[1:, :3])
    assert (found[0].follows_region, batched.layout, len(none)) == (True, "coco17", 0)
    assert pose.sizes == [3, 0]


def test_batched_detector_gives_each_stream_its_own_answer() -> None:
    def detector(images: Sequence[Image]) -> list[DetectedPeople]:
        widths = [float(image.shape[1]) for image in images]
        return [DetectedPeople(np.array([[0, 0, w, 1]], np.float32), np.ones(1, np.float32)) for w in widths]

    batched = BatchedDetector(detector, Gathering(max_batch=2, deadline_s=_NEVER_S))
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(batched, [np.zeros((4, width, 3), np.uint8)]) for width in (10, 20)]
        widths = [float(future.result(_WAIT_S)[0].xyxy[0, 2]) for future in futures]
    batched.close()

    assert widths == [10, 20]


def test_batcher_waits_for_nobody_when_all_who_are_present_wait() -> None:
    network = GatedNetwork()
    batcher = Batcher(network, Gathering(max_batch=8, deadline_s=_NEVER_S, present_s=_NEVER_S))
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(batcher, [0])]
        assert network.entered.wait(_WAIT_S)
        futures += [pool.submit(batcher, [item]) for item in (1, 2)]
        network.gate.set()
        first = futures[0].result(_WAIT_S)
        again = pool.submit(batcher, [3]).result(_WAIT_S)

        answers = [future.result(_WAIT_S) for future in futures[1:]]
    batcher.close()

    assert (first, again, answers) == ([0], [6], [[2], [4]])
    assert sorted(item for run in network.runs for item in run) == [0, 1, 2, 3]


def test_batcher_says_so_when_the_network_does_not_return() -> None:
    network = GatedNetwork()
    batcher = Batcher(network, Gathering(max_batch=2, deadline_s=0.0, patience_s=0.05))

    with pytest.raises(BatcherStuck, match=r"no answer within 0\.05 s"):
        batcher([1])
    network.gate.set()
    batcher.close()


def test_batcher_passes_on_a_timeout_of_the_network_itself() -> None:
    def network(items: Sequence[int]) -> list[int]:
        raise TimeoutError("the device is late")

    batcher = Batcher(network, Gathering(max_batch=2, deadline_s=0.0))

    with pytest.raises(TimeoutError, match="the device is late"):
        batcher([1])
    batcher.close()


class SummingNetwork:
    """Sums each row of `x`, and says which rows of `y` came with it; remembers its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, feeds: Mapping[str, AnyArray]) -> Mapping[str, AnyArray]:
        self.sizes.append(len(feeds["x"]))
        if (feeds["x"] < 0).any():
            raise ValueError("below zero")
        return {"sum": feeds["x"].sum(axis=1), "y": feeds["y"]}


def _feeds(*rows: float) -> dict[str, AnyArray]:
    values = np.array(rows, np.float32)
    return {"x": np.stack([values, values], axis=1), "y": values}


def test_batched_network_gives_each_stream_its_own_rows() -> None:
    network = SummingNetwork()
    batched = BatchedNetwork(network, Gathering(max_batch=3, deadline_s=_NEVER_S))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(batched.run, _feeds(1)), pool.submit(batched.run, _feeds(2, 3))
        found = first.result(_WAIT_S), second.result(_WAIT_S)
    batched.close()

    np.testing.assert_array_equal(found[0]["sum"], [2])
    np.testing.assert_array_equal(found[1]["sum"], [4, 6])
    np.testing.assert_array_equal(found[1]["y"], [2, 3])
    assert network.sizes == [3]


def test_batched_network_leaves_other_streams_alone_when_one_feeds_what_fails() -> None:
    batched = BatchedNetwork(SummingNetwork(), Gathering(max_batch=2, deadline_s=_NEVER_S))

    with ThreadPoolExecutor(2) as pool:
        bad, good = pool.submit(batched.run, _feeds(-1)), pool.submit(batched.run, _feeds(4))
        error, found = bad.exception(_WAIT_S), good.result(_WAIT_S)
    batched.close()

    assert str(error) == "below zero"
    np.testing.assert_array_equal(found["sum"], [8])


def test_batched_network_ends_its_thread_when_nobody_holds_it() -> None:
    before = threading.active_count()
    batched = BatchedNetwork(SummingNetwork(), Gathering(max_batch=2, deadline_s=0.0))
    batched.run(_feeds(1))
    (thread,) = [one for one in threading.enumerate() if one.name == "batcher"]

    del batched
    gc.collect()
    thread.join(_WAIT_S)

    assert threading.active_count() == before


def test_trials_of_one_stream_ride_in_one_batch_with_the_joints_of_another() -> None:
    pose = CountingPose()
    batched = BatchedPose(pose, Gathering(max_batch=5, deadline_s=_NEVER_S))
    image = np.zeros((8, 8, 3), np.uint8)
    trials = [square_region(np.array([10, 10, 30, 60], np.float32), angle) for angle in QUARTERS]
    follow = square_region(np.array([40, 40, 60, 90], np.float32))

    with ThreadPoolExecutor(2) as pool:
        tried = pool.submit(estimate, batched, image, trials)
        followed = pool.submit(estimate, batched, image, [follow])
        found = tried.result(_WAIT_S), followed.result(_WAIT_S)
    batched.close()

    assert pose.sizes == [5]
    np.testing.assert_array_equal(found[0][2].region, trials[2])
    np.testing.assert_array_equal(found[1][0].region, follow)
