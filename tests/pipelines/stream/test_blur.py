"""No face is left in a picture that was asked to show none: on made-up people, and on real ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from models.arrays import FloatArray, Image
from models.skeleton.layouts import COCO17
from models.weights.store import WeightStore
from pipelines.stream.analyze import FILE_RATE_HZ, Run, analyze
from pipelines.stream.build import Networks, load_networks
from pipelines.stream.clips import Cut, EvidenceBuffer, write_hidden
from pipelines.stream.config import PipelineConfig
from pipelines.stream.hidden_clip import NotHidden
from pipelines.stream.people_networks import NetworkChoice
from pipelines.stream.render.blur import FaceRecord, blurred, coarse, head_regions
from pipelines.stream.sources import FileSource
from pipelines.stream.sources.packet_tap import PacketTap
from pipelines.stream.sources.timing import PlayedClock
from pipelines.types import EncodedPacket, Frame, FrameResult, Poses
from service.settings import load_settings
from tests.videos import Clip, write_video

SIZE_WH = (200, 400)


def standing(x: float = 100.0, score: float = 1.0) -> FloatArray:
    """(17, 3) float32: somebody 280 px tall who looks at the camera."""
    across = {
        "nose": 0,
        "eye": 6,
        "ear": 12,
        "shoulder": 30,
        "elbow": 36,
        "wrist": 38,
        "hip": 20,
        "knee": 20,
        "ankle": 20,
    }
    down = {
        "nose": 80,
        "eye": 75,
        "ear": 78,
        "shoulder": 115,
        "elbow": 160,
        "wrist": 200,
        "hip": 200,
        "knee": 270,
        "ankle": 340,
    }
    points = np.zeros((17, 3), np.float32)
    for row, name in enumerate(COCO17.joints):
        part = name.rpartition("_")[2]
        points[row] = (x + across[part] * (1 if name.startswith("left") else -1), down[part], score)
    return points


def seen(time_s: float, *people: FloatArray, ids: tuple[int, ...] = (), **changes: object) -> FrameResult:
    """A frame of noise with these people in it."""
    count = len(people)
    keypoints = np.stack(people) if people else np.zeros((0, 17, 3), np.float32)
    xyxy = np.array([[*one[:, :2].min(0), *one[:, :2].max(0)] for one in people], np.float32).reshape(-1, 4)
    poses = Poses(
        0, time_s, SIZE_WH, np.array(ids or range(1, count + 1), np.int64), keypoints, xyxy, np.ones(count, np.float32),
        (None,) * count,
    )  # fmt: skip
    return FrameResult(Frame(0, time_s, noise()), replace(poses, **changes), (), ())  # type: ignore[arg-type]


def noise() -> Image:
    return np.random.default_rng(1).integers(0, 255, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)


def detail(image: Image, region: FloatArray) -> float:
    """How much fine structure there is in a region, pixels: what a blur by two pixels would take, as deviation."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = np.clip(region, 0, [width, height, width, height]).astype(int)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 2.0))[y1:y2, x1:x2].std())


def test_head_is_where_its_joints_are() -> None:
    (region,) = head_regions(seen(0.0, standing()).poses)

    assert region[0] < 85
    assert region[2] > 115
    assert region[1] < 58
    assert 95 < region[3] < 125


@pytest.mark.parametrize(
    ("box", "inside", "outside"),
    [
        pytest.param((60, 60, 140, 360), (60, 50, 140, 150), (60, 250, 140, 360), id="upright: the upper part"),
        pytest.param((10, 300, 190, 360), (10, 300, 190, 360), (10, 20, 190, 200), id="lying: all of it"),
    ],
)
def test_head_whose_joints_are_not_sure_may_be_where_the_box_says(
    box: tuple[float, ...], inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    poses = replace(seen(0.0, standing(score=0.2)).poses, xyxy=np.array([box], np.float32))

    region = head_regions(poses)[0]

    assert (region[:2] <= inside[:2]).all()
    assert (region[2:] >= inside[2:]).all()
    assert region[3] < outside[1] or region[1] > outside[3]


def test_nothing_is_left_of_a_head_and_the_rest_stays() -> None:
    image, record = noise(), FaceRecord()
    record.add(seen(0.0, standing()))

    hidden = record.hidden(image, 0.0)

    assert detail(hidden, np.array([85, 60, 115, 95])) < 0.05 * detail(image, np.array([85, 60, 115, 95]))
    assert np.array_equal(hidden[200:], image[200:])


def test_head_is_followed_between_two_looks() -> None:
    image, record = noise(), FaceRecord()
    record.add(seen(1.0, standing(60)))
    record.add(seen(1.2, standing(140)))

    hidden = record.hidden(image, 1.1)

    assert detail(hidden, np.array([50, 60, 150, 95])) < 0.05 * detail(image, np.array([50, 60, 150, 95]))


@pytest.mark.parametrize("time_s", [0.6, 1.4])
def test_head_is_hidden_before_it_is_found_and_after_it_is_lost(time_s: float) -> None:
    image, record = noise(), FaceRecord()
    for at_s, people in ((0.6, ()), (1.0, (standing(),)), (1.4, ())):
        record.add(seen(at_s, *people))

    hidden = record.hidden(image, time_s)

    assert detail(hidden, np.array([85, 60, 115, 95])) < 0.05 * detail(image, np.array([85, 60, 115, 95]))


def test_people_without_joints_are_hidden_too() -> None:
    image, record = noise(), FaceRecord()
    record.add(seen(0.0, unposed=np.array([[120, 100, 180, 380]], np.float32)))

    hidden = record.hidden(image, 0.2)

    assert detail(hidden, np.array([120, 100, 180, 200])) < 0.05 * detail(image, np.array([120, 100, 180, 200]))


def test_picture_that_nobody_looked_at_loses_all_detail() -> None:
    image, record = noise(), FaceRecord()
    record.add(seen(0.0))

    assert np.array_equal(record.hidden(image, 5.0), coarse(image))
    assert detail(coarse(image), np.array([0, 0, 200, 400])) < 0.05 * detail(image, np.array([0, 0, 200, 400]))
    assert np.array_equal(FaceRecord().hidden(image, 0.0), coarse(image))
    assert np.array_equal(record.hidden(image, 0.0), image)


def test_record_forgets_what_is_too_old() -> None:
    record = FaceRecord(span_s=2.0)

    for at_s in np.arange(0.0, 10.0, 0.1):
        record.add(seen(float(at_s), standing()))

    assert record.regions_at(1.0) is None
    assert record.regions_at(9.0) is not None


@pytest.mark.parametrize(
    "region", [(-1.0, -1.0, 2.0, 2.0), (0.5, 0.5, 0.5, 0.5), (0.999, 0.999, 1.0, 1.0), (2.0, 2.0, 3.0, 3.0)]
)
def test_region_beyond_the_picture_harms_nothing(region: tuple[float, ...]) -> None:
    image = noise()

    hidden = blurred(image, np.array([region], np.float32))

    assert hidden.shape == image.shape


@pytest.fixture(scope="module")
def networks(weights_dir: Path) -> Networks:
    return load_networks(NetworkChoice(), WeightStore(load_settings(home=Path.home() / ".actogram").cache, weights_dir))


def look(path: Path, networks: Networks, on_result: Callable[[FrameResult], None], enough_hz: float | None) -> None:
    with FileSource(path, rate_hz=FILE_RATE_HZ) as source:
        analyze(source, networks, PipelineConfig(), [], Run(path.name, on_result=on_result, enough_hz=enough_hz))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["urfd_fall-01_rgb.mp4", "upfall_a8_t1_c2.mp4"])
def test_no_detail_is_left_of_any_real_head(data_dir: Path, networks: Networks, name: str) -> None:
    """Heads as the networks find them in every single picture, hidden by a record of only some of the pictures."""
    path = data_dir / "video" / name
    record, heads = FaceRecord(), list[FrameResult]()
    look(path, networks, record.add, 7.0)
    look(path, networks, heads.append, None)

    checked, left = 0, list[tuple[float, float]]()
    for result in heads:
        image = result.frame.image
        hidden = record.hidden(image, result.frame.time_s)
        for points in result.poses.keypoints:
            if (points[:5, 2] > 0.7).all():
                low, high = points[:5, :2].min(0) - 3, points[:5, :2].max(0) + 3
                region = np.concatenate([low, high])
                checked += 1
                before, after = detail(image, region), detail(hidden, region)
                if after > 0.2 * before + 0.5:
                    left.append((before, after))

    assert checked > 30
    assert left == []


def cut_of(path: Path) -> Cut:
    """All packets of a file, as a reader keeps them for evidence."""
    buffer, clock = EvidenceBuffer(max_s=1000.0), PlayedClock()
    clock.at(0.0, 0.0)
    tap = PacketTap(buffer, clock)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.size:
                tap(packet, stream)
    cut = buffer.cut(0.0, 1000.0)
    assert cut is not None
    return cut


@pytest.mark.slow
def test_clip_of_evidence_shows_no_head(data_dir: Path, networks: Networks, tmp_path: Path) -> None:
    path = data_dir / "video" / "urfd_fall-01_rgb.mp4"
    record, heads = FaceRecord(), list[FrameResult]()

    def see(result: FrameResult) -> None:
        record.add(result)
        heads.append(result)

    look(path, networks, see, 7.0)

    write_hidden(cut_of(path), tmp_path / "clip.mp4", record)

    with av.open(str(tmp_path / "clip.mp4")) as clip:
        pictures = [picture.to_ndarray(format="bgr24") for picture in clip.decode(video=0)]
    assert abs(len(pictures) - len(heads)) <= 2
    by_time = dict(enumerate(heads))
    checked = 0
    for index, picture in enumerate(pictures):
        result = by_time.get(index)
        if result is None or not len(result.poses) or (result.poses.keypoints[0, :5, 2] < 0.7).any():
            continue
        points = result.poses.keypoints[0, :5, :2]
        region = np.concatenate([points.min(0) - 3, points.max(0) + 3])
        before = detail(result.frame.image, region)
        if before < 5.0:  # as little as the encoder adds
            continue
        checked += 1
        assert detail(np.asarray(picture, np.uint8), region) < 0.2 * before + 1.0
    assert checked > 10


def test_clip_of_a_camera_whose_clock_jumps_back_keeps_every_picture(tmp_path: Path) -> None:
    whole = cut_of(
        write_video(tmp_path / "camera.mp4", Clip(codec_options={"preset": "ultrafast", "tune": "zerolatency"}))
    )
    ticks = [packet.pts or 0 for packet in whole.packets]
    half = len(ticks) // 2
    jumped = tuple(
        replace(packet, pts=ticks[row % half], dts=ticks[row % half]) for row, packet in enumerate(whole.packets)
    )

    write_hidden(replace(whole, packets=jumped), tmp_path / "clip.mp4", FaceRecord())

    with av.open(str(tmp_path / "clip.mp4")) as clip:
        assert len(list(clip.decode(video=0))) == len(ticks)


def test_clip_that_cannot_be_read_is_not_kept(tmp_path: Path) -> None:
    packets = (EncodedPacket(b"nonsense", 0.0, 0, 0, None, 0.1, is_keyframe=True),)
    path = write_video(tmp_path / "good.mp4")
    broken = replace(cut_of(path), packets=packets)
    path.unlink()

    with pytest.raises(NotHidden):
        write_hidden(broken, tmp_path / "clip.mp4", FaceRecord())

    assert list(tmp_path.iterdir()) == []
