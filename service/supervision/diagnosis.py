"""Decides from what a watchdog knows whether its worker is lost, and why."""

import signal
from collections.abc import Mapping

from service.protocol.listener import LossReason
from service.protocol.messages import Heartbeat
from service.supervision.types import Limits
from service.supervision.worker_record import WorkerRecord

_EXIT_WAIT_S = 2.0
_START_PATIENCE = 4
"""Loading a large library may hold a starting process still for a while."""


class WorkerLost(Exception):
    """A worker must be replaced.

    culprit: the task that is why, where the worker itself showed it.
    """

    def __init__(self, reason: LossReason, message: str, culprit: str | None = None) -> None:
        super().__init__(message)
        self.reason: LossReason = reason
        self.culprit = culprit


def check_time(record: WorkerRecord, limits: Limits, now_s: float, drain_until_s: float | None) -> None:
    """Raises WorkerLost when a worker is not ready, not heard of or not drained in time."""
    if drain_until_s is not None and now_s > drain_until_s:
        raise WorkerLost("ended", f"did not drain within {limits.drain_s:.0f} s")
    if record.state == "starting" and now_s - record.launched_s > limits.start_s:
        raise WorkerLost("stalled", f"not ready {limits.start_s:.0f} s after its start")
    silence_s = limits.silence_s * (_START_PATIENCE if record.state == "starting" else 1)
    if now_s - record.beat_s > silence_s:
        raise WorkerLost("stalled", f"silent for {silence_s:.0f} s")


def check_heartbeat(beat: Heartbeat, limits: Limits, kinds: Mapping[str, str]) -> None:
    """Raises WorkerLost when a worker is too large or a task stands still; `kinds` names each task's kind."""
    if beat.rss_bytes > limits.memory_bytes:
        raise WorkerLost("out_of_memory", f"{beat.rss_bytes} bytes resident, {limits.memory_bytes} allowed")
    for task_id, age_s in beat.ages_s.items():
        limit_s = limits.stall_s.get(kinds.get(task_id, ""))
        if limit_s is not None and age_s > limit_s:
            raise WorkerLost("stalled", f"task {task_id} without progress for {age_s:.0f} s", task_id)


def autopsy(record: WorkerRecord, message: str, *, is_wanted: bool) -> WorkerLost:
    """Why a process is gone; `is_wanted` when it was told to end."""
    status = record.require_handle().wait(_EXIT_WAIT_S)
    if is_wanted or status == -signal.SIGTERM or (status == 0 and record.error is not None):
        return WorkerLost("ended", message)
    return WorkerLost("crashed", f"{message} with status {status}")
