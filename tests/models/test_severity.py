"""The scale of urgency."""

import pytest

from models.severity import Severity, is_at_least


@pytest.mark.parametrize(
    ("severity", "least", "expected"),
    [("info", "info", True), ("info", "warning", False), ("alarm", "warning", True), ("warning", "alarm", False)],
)
def test_severity_is_compared_by_urgency_not_by_name(severity: Severity, least: Severity, expected: bool) -> None:
    assert is_at_least(severity, least) is expected
