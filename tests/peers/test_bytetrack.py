"""Our association against ByteTrack of the `trackers` package (Roboflow), on the same boxes and without any joints.

The peer lives in an environment of its own, made once (`.venv-peers`); without a package index the test is skipped.
"""

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.arrays import FloatArray
from pipelines.stream.config import TrackConfig
from pipelines.stream.people.boxes import iou_matrix
from pipelines.stream.people.track import TrackStage
from pipelines.types import Boxes, Frame, Outcome, Sightings, Tracks

pytestmark = pytest.mark.peers

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-peers"
INSTALL_LIMIT_S = 240
SIZE_WH = (1280, 720)
RATE_HZ = 25.0
Tracked = list[tuple[int, FloatArray]]


@dataclass(frozen=True)
class Scene:
    """Boxes with scores per frame, (N, 5), and the true boxes, (people, frames, 4)."""

    frames: list[FloatArray]
    truth: FloatArray


@dataclass(frozen=True)
class Quality:
    """How well numbers stick to people: switches of number, and the share of boxes under the right one (IDF1)."""

    switches: int
    idf1: float


@pytest.fixture(scope="module")
def peer_python() -> Path:
    """The interpreter of an environment that holds `trackers`."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    if not _can_import(python):
        _install(python)
    return python


def test_numbers_stick_to_people_at_least_as_well_as_the_peers(peer_python: Path, tmp_path: Path) -> None:
    scenes = [crowd(seed) for seed in range(6)]

    ours = [judge(track_ours(scene), scene.truth) for scene in scenes]
    theirs = [
        judge(answer, scene.truth)
        for answer, scene in zip(track_theirs(peer_python, scenes, tmp_path), scenes, strict=True)
    ]

    assert np.mean([quality.idf1 for quality in theirs]) > 0.6
    assert np.mean([quality.idf1 for quality in ours]) >= np.mean([quality.idf1 for quality in theirs]) - 0.01
    assert sum(quality.switches for quality in ours) <= sum(quality.switches for quality in theirs)


def crowd(seed: int, num_people: int = 6, num_frames: int = 250) -> Scene:
    """People who cross a picture: boxes tremble, weaken when overlapped and vanish when hidden; some are furniture."""
    generator = np.random.default_rng(seed)
    start = generator.uniform([100, 250], [1180, 450], (num_people, 2))
    speed = generator.uniform(-1, 1, (num_people, 2)) * [120, 12]
    height = generator.uniform(150, 260, num_people)
    steps = np.arange(num_frames)[None, :, None] / RATE_HZ
    centre = _bounce(start[:, None] + speed[:, None] * steps)
    half = np.stack([height * 0.19, height / 2], axis=1)[:, None]
    truth = np.concatenate([centre - half, centre + half], axis=2).astype(np.float32)
    order = np.argsort(height)
    frames = [_detections(truth[order, frame], generator) for frame in range(num_frames)]
    return Scene(frames, truth)


def track_ours(scene: Scene) -> list[Tracked]:
    """TrackStage with a pose stage that sees a person wherever a box was matched, and no joints."""
    stage = TrackStage(TrackConfig(confirm_strong_s=0.04, confirm_weak_s=10))
    picture = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    shown: list[Tracked] = []
    for index, rows in enumerate(scene.frames):
        frame = Frame(index, index / RATE_HZ, picture)
        keep = rows[:, 4] >= 0.15
        tracks = stage(frame, Boxes(rows[keep, :4], rows[keep, 4]))
        poses = stage.observe(_boxes_seen(frame, tracks))
        shown.append(list(zip(poses.track_id.tolist(), poses.xyxy, strict=True)))
    return shown


def track_theirs(python: Path, scenes: Sequence[Scene], folder: Path) -> list[list[Tracked]]:
    """What the peer makes of the same boxes."""
    source, target = folder / "scenes.json", folder / "tracks.json"
    values = [{"rate_hz": RATE_HZ, "frames": [rows.tolist() for rows in scene.frames]} for scene in scenes]
    source.write_text(json.dumps(values))
    subprocess.run(
        [str(python), "-W", "ignore", str(Path(__file__).with_name("bytetrack_peer.py")), str(source), str(target)],
        check=True,
        timeout=120,
    )
    return [
        [[(int(row[0]), np.array(row[1:], np.float32)) for row in frame] for frame in answer]
        for answer in json.loads(target.read_text())
    ]


def judge(shown: Sequence[Tracked], truth: FloatArray) -> Quality:
    """Compare numbers with people, frame by frame (overlap of at least one half)."""
    last: dict[int, int] = {}
    together: dict[tuple[int, int], int] = {}
    switches = num_shown = 0
    for frame, tracked in enumerate(shown):
        num_shown += len(tracked)
        for person, number in _pairs(truth[:, frame], tracked):
            switches += int(last.get(person, number) != number)
            last[person] = number
            together[person, number] = together.get((person, number), 0) + 1
    numbers = sorted({number for _, number in together})
    table = np.array([[together.get((person, number), 0) for number in numbers] for person in range(len(truth))])
    rows, columns = linear_sum_assignment(table, maximize=True)
    return Quality(switches, 2 * float(table[rows, columns].sum()) / (truth.shape[0] * truth.shape[1] + num_shown))


def _pairs(people: FloatArray, tracked: Tracked) -> list[tuple[int, int]]:
    if not tracked:
        return []
    overlap = iou_matrix(people, np.stack([box for _, box in tracked]))
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return [
        (int(row), tracked[int(column)][0])
        for row, column in zip(rows, columns, strict=True)
        if overlap[row, column] >= 0.5
    ]


def _detections(people: FloatArray, generator: np.random.Generator) -> FloatArray:
    """(N, 5) boxes of people sorted from back to front, with one false weak box now and then."""
    rows = []
    for row, box in enumerate(people):
        hidden = float(iou_matrix(box[None], people[row + 1 :]).max(initial=0.0))
        if hidden > 0.6 or generator.random() < 0.03:
            continue
        score = generator.uniform(0.2, 0.45) if hidden > 0.25 else generator.uniform(0.75, 0.95)
        rows.append([*(box + generator.normal(0, 2.5, 4)), score])
    if generator.random() < 0.3:
        left, top = generator.uniform(0, [1100, 500])
        rows.append([left, top, left + 60, top + 150, generator.uniform(0.15, 0.3)])
    return np.array(rows, np.float32).reshape(-1, 5)


def _bounce(centre: NDArray[np.float64]) -> FloatArray:
    """Positions folded back into the picture."""
    low, high = np.array([60.0, 200.0]), np.array([1220.0, 520.0])
    span = high - low
    folded = np.mod(centre - low, 2 * span)
    return np.asarray(low + np.minimum(folded, 2 * span - folded), np.float32)


def _boxes_seen(frame: Frame, tracks: Tracks) -> Sightings:
    outcome: tuple[Outcome, ...] = tuple("seen" if score > 0 else "low_presence" for score in tracks.score)
    num = len(tracks)
    return Sightings(
        frame.index, frame.time_s, frame.size_wh, tracks.track_id, np.zeros((num, 17, 3), np.float32),
        tracks.xyxy, np.ones(num, np.float32), outcome,
    )  # fmt: skip


def _can_import(python: Path) -> bool:
    return subprocess.run([str(python), "-c", "import trackers"], capture_output=True, check=False).returncode == 0


def _install(python: Path) -> None:
    """Only what the tracker needs: its full set of requirements is ten times larger."""
    packages = ["trackers==2.6.*", "supervision>=0.26"]
    needed = ["numpy", "scipy", "opencv-python-headless", "pydeprecate", "requests", "tqdm", "pyyaml", "defusedxml",
              "pillow", "matplotlib", "rich", "av"]  # fmt: skip
    for arguments in (["--no-deps", *packages], needed):
        _pip(python, arguments)
    if not _can_import(python):
        pytest.skip(f"trackers cannot be imported by {python.name} ({sys.version_info.major}.{sys.version_info.minor})")


def _pip(python: Path, arguments: Sequence[str]) -> None:
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments]
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=INSTALL_LIMIT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"trackers cannot be installed here: {type(error).__name__}")
