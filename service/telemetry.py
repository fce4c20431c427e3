"""The metrics under /metrics: what the web process counts and what the workers report."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.samples import Sample as PrometheusSample

from service.protocol.messages import Sample

logger = logging.getLogger(__name__)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)

# name → help, labels
_COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "frames_total": ("Frames that a stage has worked on", ("stream", "stage")),
    "frames_dropped_total": ("Frames that were not analysed, by reason", ("stream", "reason")),
    "stream_reconnects_total": ("Reconnections, by the code of what was wrong", ("code",)),
    "persons_skipped_total": ("People beyond a stream's budget or not assessable, by reason", ("reason",)),
    "actions_total": ("Changes of actions' events", ("action", "state")),
    "label_flips_total": ("Changes of a person's shown label", ()),
    "sink_deliveries_total": ("Deliveries to sinks", ("sink", "result")),
    "worker_restarts_total": ("Workers started again after they went", ("worker",)),
}
_GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "frame_age_seconds": ("Age of the newest analysed frame", ("stream",)),
    "stream_state": ("1 for the state a stream is in", ("stream", "state")),
    "tracks_active": ("People tracked now", ("stream",)),
    "outbox_pending": ("Messages that sinks have not taken yet", ("sink",)),
    "gpu_memory_bytes": ("Device memory in use", ("worker", "device")),
    "worker_memory_bytes": ("Resident memory of a worker", ("worker",)),
    "ws_clients": ("Clients of the live channel", ()),
    "jobs": ("Jobs in a state", ("state",)),
}
_HISTOGRAMS: Mapping[str, tuple[str, tuple[str, ...], tuple[float, ...]]] = {
    "stage_seconds": ("Time that a stage took for one frame", ("stage",), _SECONDS),
    "event_latency_seconds": ("From a frame's arrival to the announcement of its event", (), _SECONDS),
    "queue_wait_seconds": ("Time that a frame waited for a stage", ("stage",), _SECONDS),
    "batch_size": ("Inputs that a network took at once", ("stage",), _SIZES),
}
Metric: TypeAlias = Counter | Gauge | Histogram


class Metrics:
    """One registry per application, so that two of them in one process do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._metrics: dict[str, Metric] = {}
        self._labels: dict[str, tuple[str, ...]] = {}
        self._refreshers: list[Callable[[], None]] = []
        for name, (text, labels) in _COUNTERS.items():
            self._metrics[name] = Counter(f"actogram_{name}", text, labels, registry=self._registry)
            self._labels[name] = labels
        for name, (text, labels) in _GAUGES.items():
            self._metrics[name] = Gauge(f"actogram_{name}", text, labels, registry=self._registry)
            self._labels[name] = labels
        for name, (text, labels, buckets) in _HISTOGRAMS.items():
            self._metrics[name] = Histogram(f"actogram_{name}", text, labels, registry=self._registry, buckets=buckets)
            self._labels[name] = labels

    def refresh_with(self, refresher: Callable[[], None]) -> None:
        """Call this before every answer: for gauges that are asked, not told."""
        self._refreshers.append(refresher)

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Count."""
        self.apply("", Sample(name, "add", (amount,), labels))

    def set(self, name: str, value: float, **labels: str) -> None:
        """Say a gauge's value."""
        self.apply("", Sample(name, "set", (value,), labels))

    def apply(self, worker: str, sample: Sample) -> None:
        """Take one change; a metric or labels that are not ours are dropped, a worker may be an older version."""
        metric = self._metrics.get(sample.metric)
        is_per_worker = "worker" in self._labels.get(sample.metric, ())
        labels = {"worker": worker, **sample.labels} if is_per_worker else sample.labels
        if metric is None or set(labels) != set(self._labels[sample.metric]):
            logger.debug("unknown metric %s %s", sample.metric, sorted(sample.labels))
            return
        series = metric.labels(**labels) if labels else metric
        for value in sample.values:
            if isinstance(series, Histogram) and sample.action == "observe":
                series.observe(value)
            elif isinstance(series, Gauge) and sample.action == "set":
                series.set(value)
            elif isinstance(series, (Counter, Gauge)) and sample.action == "add":
                series.inc(value)

    def keep_streams(self, streams: Collection[str]) -> None:
        """Remove the series of every other stream: removed ones must not be told, or kept, for ever."""
        for name, labels in self._labels.items():
            if "stream" not in labels:
                continue
            at = labels.index("stream")
            metric = self._metrics[name]
            found = {tuple(sample.labels[label] for label in labels) for sample in _samples(metric)}
            for values in found:
                if values[at] not in streams:
                    metric.remove(*values)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        for refresh in self._refreshers:
            refresh()
        return generate_latest(self._registry)


def _samples(metric: Metric) -> Iterator[PrometheusSample]:
    for family in metric.collect():
        yield from family.samples
