"""The socket of pushed frames: reachable in a folder that exists, and only there."""

import shutil
from pathlib import Path

import pytest

from service.protocol.push_socket import reachable


def test_folder_that_is_gone_is_no_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("n" * 120)
    deep.mkdir()
    shutil.rmtree(deep)

    with pytest.raises(FileNotFoundError), reachable(deep / "push.sock"):
        pass
