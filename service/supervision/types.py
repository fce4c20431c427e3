"""What a watchdog and those around it agree on: a worker's plan and limits, and how it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipelines.backoff import Backoff
from service.protocol.messages import Values

WorkerState = Literal["starting", "ready", "backing_off", "draining", "stopped"]


@dataclass(frozen=True, slots=True)
class Limits:
    """When a worker counts as lost; seconds.

    start_s: from launch to ready.  silence_s: without any message.  stall_s: kind of task → without progress.
    drain_s: from the wish to the end.  backoff: pauses before another start.
    healthy_s: how long a worker must have run for the back-off to begin anew.
    """

    start_s: float = 600.0
    silence_s: float = 15.0
    stall_s: Mapping[str, float] = field(default_factory=lambda: {"job": 120.0})
    drain_s: float = 14.0
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.5, longest_s=30.0, spread=(0.8, 1.2)))
    healthy_s: float = 60.0
    memory_bytes: int = 6 * 2**30


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """One worker as others see it.

    tasks: kind → how many run.  beat_age_s: seconds since it last said anything, None before the first word.
    """

    name: str
    state: WorkerState
    pid: int | None
    restarts: int
    tasks: Mapping[str, int]
    beat_age_s: float | None
    rss_bytes: int
    facts: Values
    error: tuple[str, str] | None


JOBS_WORKER = "jobs"
"""The name of the worker that takes jobs and no streams."""


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """One worker that is to be kept.

    slots: kind of task → how many it takes at once.
    """

    name: str
    slots: Mapping[str, int]
