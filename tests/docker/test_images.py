"""What we take from others: every image pinned or with its reason, no password that everybody knows."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from tests.docker.test_setup_scripts import script

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (
    "docker-compose.yml", "docker/compose.gpu.yml", "docker/compose.proxy.yml", "docker/compose.cluster.yml",
)  # fmt: skip
OURS = ("ACTOGRAM_IMAGE", "ACTOGRAM_GPU_IMAGE", "ACTOGRAM_DEMO_IMAGE")
DIGEST = f"sha256:{'a' * 64}"


def listed() -> dict[str, tuple[str, str]]:
    """Variable → the image, and the line above it."""
    lines = (ROOT / "docker/images.env").read_text().splitlines()
    pairs = zip(["", *lines], lines, strict=False)
    return {line.split("=")[0]: (line.split("=")[1], above) for above, line in pairs if not line.startswith("#")}


def test_every_image_is_pinned_or_listed_with_its_reason() -> None:
    for name, (image, above) in listed().items():
        is_pinned = re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", image)
        assert is_pinned or re.match(r"# unpinned: \w+", above), f"{name}: {image} has neither a digest nor a reason"


def test_every_image_of_others_is_listed() -> None:
    text = "".join((ROOT / name).read_text() for name in COMPOSE)
    args = re.findall(r"^ARG (\w*BASE)=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    known = {name: image.split("@")[0] for name, (image, _) in listed().items()}

    defaults = {name: image for name, image in re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", text) if name not in OURS}

    assert defaults == known
    assert sorted(image for _, image in args) == sorted(known[name] for name in known if name.endswith("BASE_IMAGE"))


def test_no_stage_begins_with_an_image_that_cannot_be_chosen() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))

    bases = {base for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE) if base not in stages}

    assert bases == {"${BASE}", "${GPU_BASE}"}
    images = [line.strip() for name in COMPOSE for line in (ROOT / name).read_text().splitlines() if " image:" in line]
    assert [line for line in images if not line.startswith("image: ${")] == []


@pytest.mark.parametrize(
    "digests", [[f"docker.io/library/python@{DIGEST}"], [f"python@{DIGEST}"]], ids=["full", "short"]
)
def test_pinning_writes_what_the_engine_says(
    digests: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, env = tmp_path / "images.env", tmp_path / ".env"
    lock.write_text("# About.\n# unpinned: why\nBASE=python:3.11\n# unpinned: why not\nOTHER=other:2\n")
    env.write_text("KEPT=1\n")

    def run(command: Sequence[str]) -> str:
        if command[-1] != "python:3.11":
            raise subprocess.CalledProcessError(1, list(command))
        return json.dumps(digests)

    ended = script("pin_images", monkeypatch).main([], run, lock, env)

    assert ended == 1
    assert lock.read_text() == f"# About.\nBASE=python:3.11@{DIGEST}\n# unpinned: why not\nOTHER=other:2\n"
    assert env.read_text() == f"KEPT=1\nBASE=python:3.11@{DIGEST}\n"


def test_image_that_was_made_here_is_not_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "images.env"
    lock.write_text("# unpinned: why\nBASE=python:3.11\n")

    ended = script("pin_images", monkeypatch).main([], lambda _: "null\n", lock, tmp_path / ".env")

    assert ended == 1
    assert lock.read_text() == "# unpinned: why\nBASE=python:3.11\n"


def test_compose_knows_no_password() -> None:
    text = "".join((ROOT / name).read_text() for name in (*COMPOSE, ".env.example", "docs/deploy.md"))

    defaults = re.findall(r"(\w*(?:PASSWORD|SECRET|TOKEN)\w*)(?::-|=)([^}\s#]*)", text)

    assert {"POSTGRES_PASSWORD", "MQTT_PASSWORD", "GRAFANA_PASSWORD"} <= {name for name, _ in defaults}
    assert [(name, value) for name, value in defaults if value and not value.startswith("${")] == []
    assert re.findall(r"://\w+:\w+@", text) == []


def test_grafana_does_not_start_without_a_password() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    shell, options, line = (
        part.replace("$$", "$").replace("/run.sh", "echo started") for part in service["entrypoint"]
    )

    ended = {
        password: subprocess.run(
            [shell, options, line],
            env={"GF_SECURITY_ADMIN_PASSWORD": password},
            check=False,
            capture_output=True,
            text=True,
        )
        for password in ("", "given")
    }

    assert ended[""].returncode != 0
    assert "make secrets" in ended[""].stderr
    assert ended["given"].stdout == "started\n"


def test_secrets_are_made_once_and_shown_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    secrets = script("make_secrets", monkeypatch)

    secrets.main(tmp_path)
    first = (tmp_path / ".env").read_text()
    secrets.main(tmp_path)

    made = dict(re.findall(r"^(\w+_PASSWORD|\w+_KEY)=(.*)$", first, re.MULTILINE))
    names = {"POSTGRES_PASSWORD", "MQTT_PASSWORD", "GRAFANA_PASSWORD", "STORE_PASSWORD", "CLUSTER_SECRET_KEY"}
    assert set(made) == names
    assert all(re.fullmatch(r"[\w-]{32}", value) for value in made.values())
    assert len(set(made.values())) == len(names)
    assert (tmp_path / ".env").read_text() == first
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert not any(value in capsys.readouterr().out for value in made.values())


@pytest.fixture
def broker_config(tmp_path: Path) -> tuple[Path, int]:
    """The broker's settings, on a free port and with folders of this test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    text = (ROOT / "docker/mosquitto/mosquitto.conf").read_text()
    text = text.replace("listener 1883", f"listener {port} 127.0.0.1").replace("/run/mosquitto", str(tmp_path))
    config = tmp_path / "mosquitto.conf"
    config.write_text(text.replace("/mosquitto/data/", f"{tmp_path}/") + "user root\n")
    return config, port


def start_broker(config: Path, password: str) -> "subprocess.Popen[str]":
    path = "/usr/sbin:/usr/bin:/bin:/usr/local/bin"
    if shutil.which("mosquitto", path=path) is None or shutil.which("mosquitto_passwd", path=path) is None:
        pytest.skip("mosquitto is not installed")
    environment = {"PATH": path, "MQTT_PASSWORD": password, "MOSQUITTO_RUN": str(config.parent)}
    command = ["/bin/sh", str(ROOT / "docker/mosquitto/start.sh"), str(config)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_broker_does_not_start_without_a_password(broker_config: tuple[Path, int]) -> None:
    said, _ = start_broker(broker_config[0], "").communicate(timeout=10)

    assert "make secrets" in said


def test_broker_lets_in_only_who_knows_the_password(broker_config: tuple[Path, int], tmp_path: Path) -> None:
    config, port = broker_config
    broker = start_broker(config, "let-me-in")
    try:
        answers = [answer_to(port, user, password) for user, password in (("actogram", "let-me-in"), ("actogram", "x"))]
        answers.append(answer_to(port, None, None))
    finally:
        broker.terminate()
        broker.communicate(timeout=10)

    assert answers == ["Success", "Not authorized", "Not authorized"]
    assert "let-me-in" not in (tmp_path / "passwords").read_text()


def answer_to(port: int, user: str | None, password: str | None) -> str:
    """What the broker answers to a client."""
    said: list[str] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(user, password)
    client.on_connect = lambda _, __, ___, reason, ____: said.append(str(reason))
    deadline = time.monotonic() + 10
    while not said and time.monotonic() < deadline:
        try:
            client.connect("127.0.0.1", port)
        except OSError:
            time.sleep(0.1)
            continue
        client.loop_start()
        while not said and time.monotonic() < deadline:
            time.sleep(0.02)
        client.loop_stop()
    client.disconnect()
    return said[0] if said else "no answer"


def test_serving_images_carry_their_bill_of_materials() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = {
        stage.splitlines()[0].split(" AS ")[-1]: stage for stage in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    }

    for kind in ("cpu", "gpu"):
        assert "cyclonedx-py environment" in stages[f"sbom-{kind}"]
        assert f"COPY --from=sbom-{kind} /sbom.cdx.json /opt/actogram/share/sbom.cdx.json" in stages[f"serve-{kind}"]
        assert "tools.txt" not in stages[f"serve-{kind}"]


def test_everything_that_the_dockerfile_copies_is_in_its_context() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    lines = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {one for line in lines for one in line.split()[:-1] if not one.startswith("--")}

    assert "docker/requirements/cpu.txt" in sources
    for source in sources - {"weight[s]"}:
        assert (ROOT / source).exists(), source
        assert any(source == one or source.startswith(f"{one}/") for one in let_in), source
