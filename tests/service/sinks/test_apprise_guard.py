"""The process that speaks for Apprise can connect where it may, and do nothing else, whatever a plugin tries."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_TRY = """
import sys
from service.sinks.apprise_process import Guard, Refused
import os, socket, subprocess
sys.addaudithook(Guard(frozenset({"public"})))
try:
    exec(sys.argv[1])
except Refused:
    print("refused")
except Exception as error:
    print(type(error).__name__)
else:
    print("done")
"""


def attempt(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", _TRY, code], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "subprocess.run(['true'])",
        "os.system('true')",
        "os.execv('/bin/true', ['true'])",
        "os.fork()",
        "open('/etc/passwd').read()",
        "open('/tmp/actogram-guard', 'w')",
        "os.open('/tmp/actogram-guard', os.O_CREAT | os.O_WRONLY)",
        "os.remove('/tmp/actogram-guard')",
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.create_connection(('169.254.169.254', 80), 1)",
        "socket.create_connection(('10.0.0.1', 80), 1)",
        "socket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket')",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 514))",
        "socket.socket().connect(('localhost', 9))",
        "socket.socket().bind(('127.0.0.1', 0))",
    ],
)
def test_guard_refuses_what_a_message_does_not_need(code: str) -> None:
    assert attempt(code) == "refused"


def test_guard_lets_pass_what_a_message_needs() -> None:
    assert attempt("import email.mime.text, ssl; ssl.create_default_context(); open(os.__file__).read()") == "done"


def test_process_answers_one_object(tmp_path: Path) -> None:
    task = {"url": "json://localhost:9/x", "only_check": True, "networks": ["loopback"], "timeout_s": 5}

    done = subprocess.run(
        [sys.executable, "-m", "service.sinks.apprise_process"], input=json.dumps(task), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip

    assert json.loads(done.stdout) == {"delivered": True, "is_final": True, "detail": ""}
