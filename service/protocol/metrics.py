"""Every metric of the product, declared once: a sample can only be made from what stands here.

`add`, `set` and `observe` refuse labels that a metric does not have; mypy refuses a metric that does not exist, and
`set` on a counter. A metric with the label `worker` gets it in the web process, which knows who speaks.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from service.protocol.messages import Sample

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class _Series:
    name: str
    text: str
    labels: tuple[str, ...] = ()

    def _require_labels(self, labels: dict[str, str]) -> None:
        wrong = set(self.labels) ^ set(labels) if "worker" in labels else set(self.labels) - {"worker"} ^ set(labels)
        assert not wrong, f"{self.name}: found labels {sorted(labels)}, expected {sorted(self.labels)}"


@dataclass(frozen=True, slots=True)
class Counter(_Series):
    """Only grows."""

    def add(self, amount: float = 1.0, **labels: str) -> Sample:
        """A sample that counts `amount` more."""
        self._require_labels(labels)
        return Sample(self.name, "add", (float(amount),), labels)


@dataclass(frozen=True, slots=True)
class Gauge(_Series):
    """Goes up and down."""

    def set(self, value: float, **labels: str) -> Sample:
        """A sample that says the present value."""
        self._require_labels(labels)
        return Sample(self.name, "set", (float(value),), labels)


@dataclass(frozen=True, slots=True)
class Histogram(_Series):
    """How often values were how large.

    buckets: upper bounds.
    """

    buckets: tuple[float, ...] = field(default=_SECONDS)

    def observe(self, value: float, **labels: str) -> Sample:
        """A sample with one more value."""
        self._require_labels(labels)
        return Sample(self.name, "observe", (float(value),), labels)


Metric: TypeAlias = Counter | Gauge | Histogram

FRAMES = Counter("frames_total", "Frames that a stage has worked on", ("stream", "stage"))
FRAMES_DROPPED = Counter("frames_dropped_total", "Frames that were not analysed, by reason", ("stream", "reason"))
STREAM_RECONNECTS = Counter("stream_reconnects_total", "Reconnections, by the code of what was wrong", ("code",))
PERSONS_SKIPPED = Counter(
    "persons_skipped_total", "People in frames who were not judged: `budget`, or why they could not be", ("reason",)
)
ACTIONS = Counter("actions_total", "Changes of actions' events", ("action", "state"))
LABEL_FLIPS = Counter("label_flips_total", "Changes of a person's shown label")
SINK_DELIVERIES = Counter("sink_deliveries_total", "Deliveries to sinks", ("sink", "result"))
WORKER_RESTARTS = Counter("worker_restarts_total", "Workers started again after they went", ("worker",))

FRAME_AGE = Gauge("frame_age_seconds", "Age of the newest analysed frame", ("stream",))
STREAM_STATE = Gauge("stream_state", "1 for the state a stream is in", ("stream", "state"))
TRACKS_ACTIVE = Gauge("tracks_active", "People tracked now", ("stream",))
OUTBOX_PENDING = Gauge("outbox_pending", "Messages that sinks have not taken yet", ("sink",))
GPU_MEMORY = Gauge("gpu_memory_bytes", "Device memory in use, by whichever process", ("worker", "device"))
WORKER_MEMORY = Gauge("worker_memory_bytes", "Resident memory of a worker", ("worker",))
WS_CLIENTS = Gauge("ws_clients", "Clients of the live channel")
TIMED_RULES = Gauge("timed_rules", "Rules over time in a state", ("state",))
CAPACITY_USE = Gauge(
    "capacity_use", "Frames a second that enabled streams ask for, by what the ready workers measured; for autoscaling"
)
DISK_FREE = Gauge("disk_free_bytes", "Free bytes on the disk of the home")
DISK_SIZE = Gauge("disk_size_bytes", "Size of the disk of the home")
JOBS = Gauge("jobs", "Jobs in a state", ("state",))

STAGE_TIME = Histogram("stage_seconds", "Time that a stage took for one frame", ("stage",))
EVENT_LATENCY = Histogram("event_latency_seconds", "From a frame's arrival to the announcement of its event")
QUEUE_WAIT = Histogram("queue_wait_seconds", "Time that a frame waited for a stage", ("stage",))
BATCH_SIZE = Histogram(
    "batch_size", "Inputs that the detector, the pose or the action network took at once", ("stage",), _SIZES
)

METRICS: tuple[Metric, ...] = tuple(
    found for found in list(globals().values()) if isinstance(found, (Counter, Gauge, Histogram))
)
"""All of the above."""
