"""Metrics: only those that are declared, with their labels; what a worker of another version says is dropped aloud."""

import ast
import logging
from pathlib import Path

import pytest

import service
from service.protocol.messages import Sample
from service.protocol.metrics import FRAMES, METRICS, STAGE_TIME, WORKER_MEMORY, WORKER_RESTARTS
from service.telemetry import Metrics


def test_every_declared_metric_is_told_once() -> None:
    told = Metrics().render().decode()

    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert [metric.name for metric in METRICS if told.count(f"# HELP actogram_{metric.name} ") != 1] == []


def test_recorded_samples_are_told() -> None:
    metrics = Metrics()

    metrics.record(FRAMES.add(2, stream="dock", stage="analysed"))
    metrics.record(FRAMES.add(stream="dock", stage="analysed"))
    metrics.record(STAGE_TIME.observe(0.02, stage="pose"))

    told = metrics.render().decode()
    assert 'actogram_frames_total{stage="analysed",stream="dock"} 3.0' in told
    assert 'actogram_stage_seconds_count{stage="pose"} 1.0' in told


def test_worker_is_named_by_who_hears_it() -> None:
    metrics = Metrics()

    metrics.apply("w0", WORKER_RESTARTS.add())

    assert 'actogram_worker_restarts_total{worker="w0"} 1.0' in metrics.render().decode()


def test_labels_that_a_metric_does_not_have_are_an_error() -> None:
    with pytest.raises(AssertionError, match=r"frames_total: found labels \['stage'\], expected \['stage', 'stream'\]"):
        FRAMES.add(stage="analysed")
    with pytest.raises(AssertionError, match="worker_memory_bytes"):
        WORKER_MEMORY.set(1, worker="w0", device="cuda:0")
    with pytest.raises(AssertionError, match="stage_seconds"):
        STAGE_TIME.observe(1, stage="pose", worker="w0")


@pytest.mark.parametrize(
    "sample",
    [Sample("frames_totall", "add", (1.0,)), Sample("frames_total", "add", (1.0,), {"camera": "dock"})],
    ids=["name", "label"],
)
def test_unknown_sample_of_a_worker_is_dropped_with_one_warning(
    sample: Sample, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    before = metrics.render().count(b"\n")

    with caplog.at_level(logging.WARNING):
        metrics.apply("w0", sample)
        metrics.apply("w0", sample)

    assert len(caplog.records) == 1
    assert metrics.render().count(b"\n") == before


def test_samples_are_made_from_declared_metrics_alone() -> None:
    root = Path(service.__file__).parent
    made = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Sample"
    ]

    assert set(made) == {"protocol/metrics.py"}
