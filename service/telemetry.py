"""The metrics under /metrics: what the web process counts and what the workers report."""

import logging
from collections.abc import Callable, Collection, Iterator
from typing import TypeAlias

import prometheus_client as prometheus
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.samples import Sample as PrometheusSample

from service.protocol.messages import Sample
from service.protocol.metrics import METRICS, Counter, Gauge, Metric

logger = logging.getLogger(__name__)

_Collector: TypeAlias = prometheus.Counter | prometheus.Gauge | prometheus.Histogram


class Metrics:
    """One registry per application, so that two applications in one process do not share their numbers."""

    def __init__(self) -> None:
        self._registry = prometheus.CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._labels = {metric.name: metric.labels for metric in METRICS}
        self._collectors = {metric.name: _collector(metric, self._registry) for metric in METRICS}
        self._refreshers: list[Callable[[], None]] = []
        self._unknown: set[str] = set()

    def refresh_with(self, refresher: Callable[[], None]) -> None:
        """Call this before every answer: for gauges that must be asked."""
        self._refreshers.append(refresher)

    def record(self, sample: Sample) -> None:
        """Take one change that this process counted."""
        self._apply(sample, sample.labels)

    def apply(self, worker: str, sample: Sample) -> None:
        """Take one change that a worker reports; one that is not ours is dropped: the worker may be another version."""
        labels = self._labels.get(sample.metric)
        told = {"worker": worker, **sample.labels} if labels is not None and "worker" in labels else sample.labels
        if labels is None or set(told) != set(labels):
            if sample.metric not in self._unknown:
                self._unknown.add(sample.metric)
                logger.warning("worker %s reports %s%s, which is no metric", worker, sample.metric, sorted(told))
            return
        self._apply(sample, told)

    def _apply(self, sample: Sample, labels: dict[str, str]) -> None:
        collector = self._collectors[sample.metric]
        series = collector.labels(**labels) if labels else collector
        for value in sample.values:
            if isinstance(series, prometheus.Histogram) and sample.action == "observe":
                series.observe(value)
            elif isinstance(series, prometheus.Gauge) and sample.action == "set":
                series.set(value)
            elif isinstance(series, (prometheus.Counter, prometheus.Gauge)) and sample.action == "add":
                series.inc(value)

    def keep_streams(self, streams: Collection[str]) -> None:
        """Remove the series of every other stream: those of a removed one must not stay for ever."""
        for name, labels in self._labels.items():
            if "stream" not in labels:
                continue
            at = labels.index("stream")
            collector = self._collectors[name]
            found = {tuple(sample.labels[label] for label in labels) for sample in _samples(collector)}
            for values in found:
                if values[at] not in streams:
                    collector.remove(*values)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        for refresh in self._refreshers:
            refresh()
        return prometheus.generate_latest(self._registry)


def _collector(metric: Metric, registry: prometheus.CollectorRegistry) -> _Collector:
    name = f"actogram_{metric.name}"
    if isinstance(metric, Counter):
        return prometheus.Counter(name, metric.text, metric.labels, registry=registry)
    if isinstance(metric, Gauge):
        return prometheus.Gauge(name, metric.text, metric.labels, registry=registry)
    return prometheus.Histogram(name, metric.text, metric.labels, registry=registry, buckets=metric.buckets)


def _samples(collector: _Collector) -> Iterator[PrometheusSample]:
    for family in collector.collect():
        yield from family.samples
