"""When a worker counts as lost, and why."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from service.protocol.listener import LossReason
from service.protocol.messages import FromWorker, Heartbeat, ToWorker
from service.supervision.diagnosis import WorkerLost, autopsy, check_heartbeat, check_time
from service.supervision.types import Limits, WorkerState
from service.supervision.worker_record import WorkerRecord

LIMITS = Limits(start_s=100.0, silence_s=10.0, stall_s={"job": 30.0}, memory_bytes=1000)


@dataclass
class Dead:
    """A worker that has ended with a status."""

    status: int | None
    pid: int = 7

    def send(self, command: ToWorker) -> None:
        raise AssertionError(command)

    def receive(self, timeout_s: float) -> FromWorker | None:
        raise AssertionError(timeout_s)

    def kill(self) -> None: ...

    def wait(self, timeout_s: float) -> int | None:
        assert timeout_s > 0
        return self.status

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("state", "beat_s", "now_s", "drain_until_s", "expected"),
    [
        pytest.param("ready", 0.0, 9.0, None, None, id="heard of lately"),
        pytest.param("ready", 0.0, 11.0, None, "stalled", id="silent"),
        pytest.param("starting", 0.0, 39.0, None, None, id="silent while it loads its libraries"),
        pytest.param("starting", 0.0, 41.0, None, "stalled", id="silent too long even for that"),
        pytest.param("starting", 100.0, 101.0, None, "stalled", id="never ready"),
        pytest.param("draining", 20.0, 21.0, 22.0, None, id="drains in time"),
        pytest.param("draining", 20.0, 23.0, 22.0, "ended", id="does not drain in time"),
    ],
)
def test_worker_is_lost_by_the_clock(
    state: WorkerState, beat_s: float, now_s: float, drain_until_s: float | None, expected: LossReason | None
) -> None:
    record = WorkerRecord(state=state, beat_s=beat_s)

    try:
        check_time(record, LIMITS, now_s, drain_until_s)
        reason = None
    except WorkerLost as lost:
        reason = lost.reason

    assert reason == expected


@pytest.mark.parametrize(
    ("rss_bytes", "ages_s", "expected"),
    [
        pytest.param(1000, {"job_1": 30.0}, None, id="at its limits"),
        pytest.param(1001, {}, ("out_of_memory", None), id="too large"),
        pytest.param(0, {"job_1": 31.0}, ("stalled", "job_1"), id="a task stands still"),
        pytest.param(0, {"yard": 999.0}, None, id="a kind without a limit"),
        pytest.param(0, {"gone": 999.0}, None, id="a task that has ended meanwhile"),
    ],
)
def test_worker_is_lost_by_what_it_says(
    rss_bytes: int, ages_s: Mapping[str, float], expected: tuple[LossReason, str | None] | None
) -> None:
    beat = Heartbeat(rss_bytes, dict(ages_s))

    try:
        check_heartbeat(beat, LIMITS, {"job_1": "job", "yard": "stream"})
        found = None
    except WorkerLost as lost:
        found = (lost.reason, lost.culprit)

    assert found == expected


@pytest.mark.parametrize(
    ("status", "error", "is_wanted", "expected"),
    [
        pytest.param(-signal.SIGSEGV, None, False, "crashed", id="a decoder crashed"),
        pytest.param(0, None, False, "crashed", id="went without a word"),
        pytest.param(None, None, False, "crashed", id="hangs without a pipe"),
        pytest.param(-signal.SIGTERM, None, False, "ended", id="somebody ended it"),
        pytest.param(0, ("weights_missing", "no file"), False, "ended", id="said that it cannot start"),
        pytest.param(-signal.SIGKILL, None, True, "ended", id="was told to end"),
    ],
)
def test_process_that_is_gone_has_a_reason(
    status: int | None, error: tuple[str, str] | None, is_wanted: bool, expected: LossReason
) -> None:
    record = WorkerRecord(handle=Dead(status), error=error)

    assert autopsy(record, "worker 7 has ended", is_wanted=is_wanted).reason == expected
