"""The wall clock that chaos moves: a server under it is told another time, and nothing else changes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.clock import WallClock

_DAY_S = 86_400
_PROGRAM = """
import sqlite3, time
began = time.monotonic()
input()
time.sleep(0.05)
shown = sqlite3.connect(":memory:").execute("select cast(strftime('%s') as integer)").fetchone()[0]
print(time.time(), shown, time.monotonic() - began)
"""


def test_clock_jumps_in_a_process_that_runs_and_leaves_its_waits_alone(tmp_path: Path) -> None:
    clock = WallClock(tmp_path)
    if not clock.is_there:
        pytest.skip("no C compiler to make the clock with")
    environment = {**os.environ, **clock.environment}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    now_s = float(subprocess.check_output(["date", "+%s"]))

    clock.shift(-_DAY_S)
    told, _ = process.communicate("\n", timeout=60)

    wall_s, database_s, waited_s = map(float, told.split())
    assert wall_s == pytest.approx(now_s - _DAY_S, abs=60)
    assert database_s == pytest.approx(now_s - _DAY_S, abs=60)
    assert 0.05 <= waited_s < 60
