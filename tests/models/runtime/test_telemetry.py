"""onnxruntime's own reports stay switched off in whatever loads it through us."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def leaves_identifier(home: Path, statement: str) -> bool:
    """Whether a fresh process in that home folder writes the device identifier that reports carry."""
    # Nothing else of this environment: variables can switch the reports off or say that this is a test machine.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, env=environment, check=True, timeout=60)
    return any(home.rglob("deviceid"))


def test_loading_onnxruntime_leaves_no_identifier(tmp_path: Path) -> None:
    if not leaves_identifier(tmp_path / "bare", "import onnxruntime"):
        pytest.skip("this build of onnxruntime reports nothing by itself")

    found = leaves_identifier(tmp_path / "ours", "import models.runtime.session")

    assert not found
