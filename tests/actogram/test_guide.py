"""docs/python.md: every block runs as it stands there."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.conftest import Running, running

GUIDE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
LOCAL = [block for block in BLOCKS if "import actogram\n" in block]
REMOTE = [block for block in BLOCKS if "actogram.client" in block]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "home") as found:
        yield found


def test_every_block_of_the_guide_is_of_a_kind_that_is_run() -> None:
    assert len(LOCAL) == 4
    assert len(REMOTE) == 1
    assert len(BLOCKS) == len(LOCAL) + len(REMOTE)


@pytest.mark.parametrize("index", range(len(LOCAL)))
def test_block_about_a_video_or_a_camera_runs(
    index: int, data_dir: Path, weights_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    shutil.copy(data_dir / "video" / "upfall_a1_t1_c1.mp4", tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTOGRAM_WEIGHTS", str(weights_dir))

    exec(compile(LOCAL[index], str(GUIDE), "exec"), {})

    assert re.search(r"fall|coco17|confirmed", capsys.readouterr().out)


def test_block_about_a_server_runs(
    service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clip.mp4").write_text("script frames 5 ok")
    monkeypatch.chdir(tmp_path)
    (block,) = REMOTE

    exec(compile(block.replace("http://127.0.0.1:8000", service.url), str(GUIDE), "exec"), {})

    assert "wave" in capsys.readouterr().out
