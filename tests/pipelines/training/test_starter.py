import os
import signal
import subprocess
import sys
from pathlib import Path

_CHILD = "from pipelines.training.starter import end_with_starter; end_with_starter(); print('up', flush=True); input()"
_PARENT = f"""
import os, subprocess, sys
child = [sys.executable, "-c", {_CHILD!r}]
subprocess.run(child, env=os.environ | {{"HANDED_OVER_BY": str(os.getpid())}}, check=False)
"""


def test_a_command_ends_when_the_process_that_handed_it_over_is_killed() -> None:
    root = Path(__file__).parents[3]
    reading, writing = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT], cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, stdin=reading,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"

    parent.send_signal(signal.SIGKILL)
    parent.wait()
    rest = parent.stdout.read()  # ends when the child, which has the same output, has ended

    assert rest == b""
    parent.stdout.close()
    os.close(reading)
    os.close(writing)
