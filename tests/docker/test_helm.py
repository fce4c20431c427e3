"""The Helm chart: its values by its schema, and, where Helm is at hand, what it makes of them."""

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
import yaml

from service.settings import Settings, variable

CHART = Path(__file__).resolve().parents[2] / "docker" / "helm" / "actogram"
Manifest = dict[str, object]


@pytest.fixture(scope="module")
def schema() -> Mapping[str, object]:
    found: Mapping[str, object] = json.loads((CHART / "values.schema.json").read_text())
    return found


def _values(**changes: object) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found | changes


def test_values_of_the_chart_keep_its_schema(schema: Mapping[str, object]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.validate(_values(), schema)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"replicas": 2}, id="a name that is none"),
        pytest.param({"api": {"replicas": 0}}, id="no server"),
        pytest.param({"api": {"replicas": "2"}}, id="a text for a number"),
        pytest.param({"blobsUrl": "https://bucket"}, id="blobs that are no bucket"),
        pytest.param({"settings": {"ACTOGRAM_WORKERS": 2}}, id="a setting that is no text"),
        pytest.param({"settings": {"RAY_AUTH_TOKEN": "x"}}, id="no setting of ours"),
        pytest.param({"home": {"size": "much"}}, id="an amount that is none"),
        pytest.param({"workers": {"cpus": 0}}, id="workers without a core"),
        pytest.param({"secretName": ""}, id="no secret"),
        pytest.param({"autoscaling": {"enabled": True}}, id="autoscaling that asks nobody"),
    ],
)
def test_values_that_cannot_work_are_refused(schema: Mapping[str, object], changes: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_values(**changes), schema)


def test_every_value_that_a_template_reads_is_in_the_schema(schema: Mapping[str, object]) -> None:
    read = set()
    for path in (CHART / "templates").iterdir():
        read |= set(re.findall(r"\.Values\.([A-Za-z.]+)", path.read_text()))

    assert read
    for name in read:
        at = schema
        for part in name.split("."):
            properties = at["properties"]
            assert isinstance(properties, dict)
            assert part in properties, name
            at = _resolved(properties[part], schema)


def test_variables_that_the_chart_sets_are_settings() -> None:
    text = (CHART / "templates" / "api.yaml").read_text()
    of_several_servers = {"ACTOGRAM_REPLICA_URL"}

    named = set(re.findall(r"name: (ACTOGRAM_[A-Z_]+)", text))

    assert named - of_several_servers <= {variable(name) for name in Settings.model_fields}


@pytest.mark.parametrize("values", [{}, {"workers": {"gpu": True}, "blobsUrl": "s3://bucket/site"}])
def test_rendered_manifests_hold_what_a_cluster_needs(tmp_path: Path, values: dict[str, object]) -> None:
    found = _render(values, tmp_path)

    kinds = {str(one["kind"]) for one in found}
    assert kinds >= {
        "StatefulSet", "Service", "RayCluster", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount",
        "PersistentVolumeClaim",
    }  # fmt: skip
    containers = [one for manifest in found for one in _containers(manifest)]
    assert len(containers) == 4
    for container in containers:
        assert container["resources"]["requests"], container["name"]  # type: ignore[index]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False  # type: ignore[index]
    server = next(one for one in containers if one["name"] == "api")
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(server)
    secret = {"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": {"name": "actogram", "key": "RAY_AUTH_TOKEN"}}}
    assert all(secret in one["env"] for one in containers)  # type: ignore[operator]


def test_workers_get_the_secrets_of_the_bucket_and_no_others(tmp_path: Path) -> None:
    found = _render({"blobsUrl": "s3://bucket/site"}, tmp_path)

    worker = next(one for manifest in found for one in _containers(manifest) if one["name"] == "ray-worker")
    names = {variable["name"] for variable in worker["env"]}  # type: ignore[attr-defined]
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= names
    assert "envFrom" not in worker
    assert not {name for name in names if "DATABASE" in name or name.startswith("ACTOGRAM_")}


def test_autoscaling_leaves_the_number_of_servers_to_it(tmp_path: Path) -> None:
    found = _render({"autoscaling": {"enabled": True, "prometheusUrl": "http://prometheus:9090"}}, tmp_path)

    scaled = next(one for one in found if one["kind"] == "ScaledObject")
    servers = next(one for one in found if one["kind"] == "StatefulSet")
    assert "actogram_capacity_use" in json.dumps(scaled)
    assert "replicas" not in servers["spec"]  # type: ignore[operator]


def _resolved(part: Mapping[str, object], schema: Mapping[str, object]) -> Mapping[str, object]:
    """What a reference stands for."""
    reference = part.get("$ref")
    if reference is None:
        return part
    known = schema["$defs"]
    assert isinstance(known, dict)
    found: Mapping[str, object] = known[str(reference).rpartition("/")[2]]
    return found


def _render(values: Mapping[str, object], folder: Path) -> list[Manifest]:
    """By the program `helm` or by the package helm-python-sdk; skips without both."""
    if shutil.which("helm"):
        path = folder / "values.json"
        path.write_text(json.dumps(values))
        command = ["helm", "template", "demo", str(CHART), "--values", str(path)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    elif find_spec("helm_python"):
        helm = importlib.import_module("helm_python")
        with helm.Chart.load(str(CHART)) as chart:
            rendered: dict[str, str] = chart.render(dict(values), name="demo", namespace="prod")
        text = "\n---\n".join(part for name, part in rendered.items() if name.endswith(".yaml"))
    else:
        pytest.skip("neither helm nor helm-python-sdk is installed")
    return [one for one in yaml.safe_load_all(text) if one]


def _containers(at: object) -> list[Manifest]:
    """Containers anywhere in a manifest, those included that run beside and before."""
    if isinstance(at, list):
        return [found for one in at for found in _containers(one)]
    if not isinstance(at, dict):
        return []
    here = [one for name in ("containers", "initContainers") for one in at.get(name, [])]
    return here + [found for one in at.values() for found in _containers(one)]
