"""Every metric that is declared is also told somewhere, and documented by its own words."""

import re
from pathlib import Path

import pytest

from service.protocol import metrics

ROOT = Path(metrics.__file__).parents[1]
NAMES = sorted(name for name, value in vars(metrics).items() if value in metrics.METRICS)
CODE = "\n".join(path.read_text() for path in sorted(ROOT.rglob("*.py")) if path != Path(metrics.__file__))


@pytest.mark.parametrize("name", NAMES)
def test_declared_metric_is_told_somewhere(name: str) -> None:
    assert re.search(rf"\b{name}\.(add|set|observe)\(", CODE), f"{name} is declared and never told"


def test_names_are_those_of_the_interface() -> None:
    assert len(NAMES) == len(metrics.METRICS)
    assert {"persons_skipped_total", "batch_size", "gpu_memory_bytes"} <= {one.name for one in metrics.METRICS}
