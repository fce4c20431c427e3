"""The alert rules name metrics and labels that exist; promtool reads them where it is installed."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from service.events.timed.rules import RuleState
from service.protocol.metrics import METRICS
from service.streams.store import StreamState

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docker" / "prometheus-rules.yml"
LABELS = {f"actogram_{metric.name}": set(metric.labels) for metric in METRICS}


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load(RULES.read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_alert_asks_for_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    asked = re.findall(r"(actogram_\w+)(?:\{([^}]*)\})?", rule["expr"])

    assert asked or 'up{job="actogram"}' in rule["expr"]
    for name, matchers in asked:
        assert set(re.findall(r"(\w+)=", matchers)) <= LABELS[name], name
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert set(rule["annotations"]) == {"summary", "description"}


def test_alerts_ask_for_states_that_exist() -> None:
    known = {"actogram_stream_state": set(get_args(StreamState)), "actogram_timed_rules": set(get_args(RuleState))}

    for name, states in re.findall(r'(actogram_\w+)\{state=~?"([^"]*)"\}', RULES.read_text()):
        assert set(states.split("|")) <= known[name]


def test_rules_lie_where_prometheus_looks_for_them() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    settings = yaml.safe_load((ROOT / "docker" / "prometheus.yml").read_text())

    volumes = compose["services"]["prometheus"]["volumes"]
    assert f"./docker/{RULES.name}:{settings['rule_files'][0]}:ro" in volumes


def test_rules_are_read_by_promtool() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")

    done = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
