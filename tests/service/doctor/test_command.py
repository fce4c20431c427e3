"""`actogram doctor` as its user calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from service.commands.doctor import command, lines
from service.doctor.findings import Finding

_NAMES = {
    "settings", "version", "home", "disk", "database", "blobs", "broker", "weights: pose", "own models", "onnxruntime",
    "processor", "codecs", "port", "clock", "time zone", "proxy",
}  # fmt: skip


def test_broken_installation_is_told_in_full_and_ends_with_status_1(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    environment = {
        "ACTOGRAM_HOME": str(tmp_path / "home"),
        "ACTOGRAM_WORKERS": "many",
        "ACTOGRAM_OFFLINE": "1",
        "ACTOGRAM_MQTT_URL": "mqtt://me:hunter2@127.0.0.1:1",
        "ACTOGRAM_DATABASE_URL": "mysql://me:hunter3@db/x",
        "HTTPS_PROXY": "http://me:hunter4@127.0.0.1:1",
    }

    result = CliRunner(env=environment).invoke(command, ["--json", "--port", "9"])

    found = json.loads(result.stdout)
    bad = {one["name"] for one in found["checks"] if one["state"] == "bad"}
    assert result.exit_code == 1
    assert found["state"] == "bad"
    assert {one["name"] for one in found["checks"]} >= _NAMES
    assert bad >= {"settings", "home", "database", "broker"}
    assert all(one["advice"] for one in found["checks"] if one["state"] != "ok")
    assert "hunter" not in result.output


def test_doctor_needs_neither_torch_nor_a_home_nor_weights(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None; from service.cli import main; "
        "sys.argv = ['actogram', 'doctor', '--port', '9']; main()"
    )
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", str(Path.cwd())),
        "HOME": str(tmp_path / "none"), "ACTOGRAM_OFFLINE": "1",
    }  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1, done.stderr
    assert "bad   weights: pose" in done.stdout
    assert "the check itself failed" not in done.stdout
    assert not (tmp_path / "none").exists()


def test_lines_say_what_to_do_and_count() -> None:
    text = lines(
        [Finding("home", "ok", "fine"), Finding("clock", "bad", "1970", "set it"), Finding("disk", "warn", "x", "y")]
    )

    assert text.splitlines() == [
        "ok    home   fine",
        "bad   clock  1970",
        "             -> set it",
        "warn  disk   x",
        "             -> y",
        "",
        "1 bad, 1 to look at, 1 ok",
    ]
