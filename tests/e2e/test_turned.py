"""A clip of a camera that hangs turned, once that is set, gives what the upright clip gives."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from models.arrays import Image
from pipelines.orientation import Orientation
from pipelines.stream.sources import FileSource
from service.commands.analyze import show_turn

pytestmark = pytest.mark.e2e

CLIP = "upfall_a5_t1_c1.mp4"
SECONDS = 6.0
RATE_HZ = 15
_TICKS = 90_000


def upright(image: Image) -> Image:
    return image


def hung(image: Image) -> Image:
    """What a camera stores that hangs turned by a quarter and shows a mirror."""
    return np.asarray(cv2.rotate(cv2.flip(image, 1), cv2.ROTATE_90_COUNTERCLOCKWISE), np.uint8)


def recorded(clip: Path, out: Path, change: Callable[[Image], Image]) -> Path:
    """The first seconds of a clip with every picture changed, without loss."""
    out.parent.mkdir()
    with FileSource(clip, rate_hz=RATE_HZ) as source, av.open(str(out), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE_HZ)
        stream.pix_fmt = "bgr0"
        width, height = source.info.size_wh
        stream.height, stream.width = change(np.zeros((height, width, 3), np.uint8)).shape[:2]
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
        for frame in source:
            if frame.time_s > SECONDS:
                break
            picture = av.VideoFrame.from_ndarray(change(frame.image), format="bgr24")
            picture.pts, picture.time_base = round(frame.time_s * _TICKS), Fraction(1, _TICKS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return out


def analyze(weights: Path, *words: str) -> dict[str, object]:
    """What `actogram analyze` prints as JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACTOGRAM_")}
    environment = {**kept, "ACTOGRAM_WEIGHTS": str(weights), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "from service.cli import main; main()", "analyze", "--format", "json", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_turned_clip_gives_the_actions_of_the_upright_one(data_dir: Path, weights_dir: Path, tmp_path: Path) -> None:
    clip = data_dir / "video" / CLIP
    straight = recorded(clip, tmp_path / "straight" / "clip.mkv", upright)
    turned = recorded(clip, tmp_path / "turned" / "clip.mkv", hung)
    expected = analyze(weights_dir, str(straight))

    found = analyze(weights_dir, str(turned), "--rotate", "90", "--mirror")

    assert expected["tracks"]
    assert found["tracks"] == expected["tracks"]
    assert found["frame_size"] == expected["frame_size"]


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        pytest.param(Orientation.turned(0), "--rotate 180;", id="as it was stored"),
        pytest.param(Orientation.turned(90), "--rotate 270;", id="turned the wrong way"),
        pytest.param(Orientation.turned(90, mirror=True), "--rotate 270 --mirror;", id="turned and mirrored"),
    ],
)
def test_note_on_a_turned_picture_names_the_options_that_help(
    capsys: pytest.CaptureFixture[str], turn: Orientation, expected: str
) -> None:
    show_turn(180, turn)

    assert expected in capsys.readouterr().err
