"""`actogram watch` against a real RTSP server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rtsp_server import Footage, RtspServer

pytestmark = pytest.mark.e2e

COMMAND = [sys.executable, "-c", "from service.cli import main; main()", "watch"]


@contextmanager
def _watching(weights: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACTOGRAM_")}
    environment = {**kept, "ACTOGRAM_WEIGHTS": str(weights), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*COMMAND, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_watch_prints_each_change_of_an_event_as_json_and_ends_when_told(data_dir: Path, weights_dir: Path) -> None:
    footage = Footage.load(data_dir / "video" / "upfall_a1_t1_c1.mp4")
    with (
        RtspServer(footage, auth="digest") as camera,
        _watching(weights_dir, camera.url_with_login, "--json") as process,
    ):
        assert process.stdout is not None
        events = []
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["action"] == "fall" and events[-1]["state"] == "confirmed":
                break
        process.send_signal(signal.SIGTERM)
        rest, said = process.communicate(timeout=120)

    events += [json.loads(line) for line in rest.splitlines()]
    assert process.returncode == 0, said
    assert {"event_id", "track_id", "action", "state", "start_s", "end_s", "score"} <= set(events[0])
    assert "running" in said.splitlines()
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("words", "status"), [(("gopher://camera/1", "--json"), 2), ((__file__, "--json", "--no-realtime"), 2)]
)
def test_watch_refuses_what_is_no_camera(weights_dir: Path, words: tuple[str, ...], status: int) -> None:
    with _watching(weights_dir, *words) as process:
        out, said = process.communicate(timeout=200)

    assert (process.returncode, out) == (status, "")
    assert "Traceback" not in said
