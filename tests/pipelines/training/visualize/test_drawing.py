"""What is drawn of a sequence: where joints land in a picture, in which colours, and what a file then holds."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image as PilImage

from models.arrays import FloatArray, Image
from models.skeleton.layouts import require_layout
from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.skeletons import Annotation, SkeletonSet
from pipelines.training.visualize.bodies import Bodies, bodies_of, find_sequence, to_picture
from pipelines.training.visualize.matrix import confusion_picture
from pipelines.training.visualize.movie import write_movie, write_still
from pipelines.training.visualize.skeleton import frames_of
from pipelines.training.visualize.volume import channels, sheet, tiled, volume_of
from pipelines.training.visualize.volume import frames_of as heatmap_frames

LEFT, RIGHT = 5, 6


def flat(num_frames: int = 3) -> Bodies:
    """Somebody whose left shoulder is on the right of the picture, as it is from the front."""
    joints = np.zeros((1, num_frames, 17, 2), np.float32)
    joints[..., 0, :], joints[..., LEFT, :], joints[..., RIGHT, :] = [300, 100], [350, 200], [250, 200]
    return Bodies(joints, (joints != 0).any(-1), require_layout("coco17"), 10.0)


def deep() -> Bodies:
    """The same in metres, facing a Kinect that looks along +z: left is at -x."""
    joints = np.zeros((1, 121, 20, 3), np.float32)
    names = require_layout("kinect20").joints
    for name, place in (("head", (0, 1.7, 2)), ("left_shoulder", (-0.2, 1.4, 2)), ("right_shoulder", (0.2, 1.4, 2))):
        joints[..., names.index(name), :] = place
    return Bodies(joints, (joints != 0).any(-1), require_layout("kinect20"), 10.0)


def annotation(keypoint: FloatArray, name: str = "one") -> Annotation:
    return Annotation(name, 0, keypoint, np.ones(keypoint.shape[:-1], np.float32))


def test_everyone_fits_into_the_picture_with_one_scale() -> None:
    points, near = to_picture(flat(), (200, 400))

    # 84 % of the narrower side for the hundred pixels that the body is wide and high.
    np.testing.assert_allclose(points[0, 0, [0, LEFT, RIGHT]], [[100, 116], [184, 284], [16, 284]], atol=1e-3)
    assert (near == 1).all()


def test_somebody_in_space_is_first_seen_from_the_front_and_then_from_around() -> None:
    bodies = deep()
    names = bodies.layout.joints
    left, right, head = (names.index(name) for name in ("left_shoulder", "right_shoulder", "head"))

    points, near = to_picture(bodies, (400, 400))
    still, _ = to_picture(bodies, (400, 400), turns=False)

    assert points[0, 0, left, 0] > points[0, 0, head, 0] > points[0, 0, right, 0]
    assert points[0, 0, head, 1] < points[0, 0, left, 1]
    # Half a turn takes six seconds.
    assert points[0, 60, left, 0] < points[0, 60, right, 0]
    np.testing.assert_allclose(points[0, 120], points[0, 0], atol=1e-2)
    np.testing.assert_array_equal(still[0, 60], still[0, 0])
    assert 0 <= near[bodies.seen].min() < near[bodies.seen].max() <= 1


def test_left_and_right_have_colours_of_their_own() -> None:
    (picture, *_) = frames_of(flat(), (200, 400))

    blue, orange = picture[200, 142], picture[200, 58]
    assert blue[0] > 150 > blue[2]
    assert orange[2] > 180 > orange[0]


def test_focus_reddens_the_joints_that_count() -> None:
    weight = np.zeros((1, 3, 17), np.float32)
    weight[0, :, LEFT] = 1

    plain, marked = (next(iter(frames_of(flat(), (200, 400), focus=focus))) for focus in (None, weight))

    assert (plain[284 + 6, 184] == plain[0, 199]).all()
    assert int(marked[284 + 6, 184, 2]) - int(marked[284 + 6, 184, 0]) > 60
    np.testing.assert_array_equal(marked[284 + 6, 16], plain[284 + 6, 16])


def test_sequences_are_found_by_name_and_by_number() -> None:
    keypoint = np.ones((1, 2, 17, 2), np.float32)
    skeletons = SkeletonSet("set", (), {}, (annotation(keypoint, "a"), annotation(keypoint, "b")), layout="coco17")

    assert [find_sequence(skeletons, name).name for name in (None, "1", "b")] == ["a", "b", "b"]
    with pytest.raises(DatasetInvalid, match="set: no sequence '2' among 2, such as a, b"):
        find_sequence(skeletons, "2")


def test_bodies_are_refused_when_there_is_nothing_to_draw_or_the_layout_is_another() -> None:
    skeletons = SkeletonSet("set", (), {}, (), layout="coco17")

    with pytest.raises(DatasetInvalid, match="0 people in 2 frames"):
        bodies_of(skeletons, annotation(np.ones((0, 2, 17, 2), np.float32)))
    with pytest.raises(DatasetInvalid, match="17 joints, layout kinect20 has 20"):
        bodies_of(skeletons, annotation(np.ones((1, 2, 17, 2), np.float32)), "kinect20")


def test_heatmaps_show_who_is_there_each_joint_in_a_hue_of_its_own() -> None:
    volume = volume_of(flat(), (640, 480), 32)

    pictures = list(heatmap_frames(volume, 32))

    assert volume.shape == (17, 3, 32, 32)
    assert len(pictures) == 3
    colours = []
    for joint in (0, LEFT, RIGHT):
        row, column = np.unravel_index(int(volume[joint, 0].argmax()), (32, 32))
        colours.append(pictures[0][row, column].astype(float) / pictures[0][row, column].max())
    assert min(np.abs(colours[a] - colours[b]).max() for a, b in ((0, 1), (0, 2), (1, 2))) > 0.1
    assert volume[12].max() == 0
    assert volume_of(flat(), (640, 480), 32, has_limbs=True)[0, 0].sum() > volume[0, 0].sum()


def test_heatmaps_of_joints_in_space_are_refused() -> None:
    with pytest.raises(DatasetInvalid, match="in space"):
        volume_of(deep(), (640, 480))


def test_sheets_have_one_cell_per_frame_or_per_map() -> None:
    volume = volume_of(flat(6), (640, 480), 32)

    assert sheet(volume, num_frames=5, columns=4, cell_px=40).shape == (84, 172, 3)
    assert channels(volume, 0, columns=6, cell_px=40).shape == (3 * 44 - 4, 6 * 44 - 4, 3)
    np.testing.assert_array_equal(tiled([np.zeros((8, 8, 3), np.uint8)] * 3, 2)[12:, 12:], 70)


def test_confusion_is_darkest_where_most_are() -> None:
    picture = confusion_picture(np.array([[9, 1, 0], [5, 5, 0], [0, 0, 0]]), ["walk", "run", "never"])

    start = picture.shape[0] - 12 - 3 * 34
    corners = [
        [picture[start + 34 * row + 4, start + 34 * column + 4].tolist() for column in range(3)] for row in range(3)
    ]
    assert corners[2] == [[255, 255, 255]] * 3
    assert corners[1][0] == corners[1][1]
    assert sum(corners[0][0]) < sum(corners[1][0]) < sum(corners[0][1]) < sum(corners[0][2])


def test_confusion_of_other_classes_is_refused() -> None:
    with pytest.raises(DatasetInvalid, match=r"confusion of shape \(2, 2\) for 3 classes"):
        confusion_picture(np.zeros((2, 2)), ["a", "b", "c"])


def test_mp4_holds_every_picture_at_the_sequences_rate(tmp_path: Path) -> None:
    count = write_movie(frames_of(flat(7), (101, 201)), tmp_path / "a.mp4", 12.5)

    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = list(container.decode(video=0))
        assert container.streams.video[0].average_rate == 12.5
    assert count == len(frames) == 7
    assert (frames[0].width, frames[0].height) == (100, 200)


def test_gif_goes_round_and_leaves_pictures_out_that_no_browser_shows_in_time(tmp_path: Path) -> None:
    slow = write_movie(_shades(6), tmp_path / "slow.gif", 10.0)
    fast = write_movie(_shades(6), tmp_path / "fast.gif", 100.0)

    with PilImage.open(tmp_path / "slow.gif") as image:
        assert (image.info["loop"], image.info["duration"]) == (0, 100)
    assert (slow, fast) == (6, 3)


def test_still_is_written_as_it_is(tmp_path: Path) -> None:
    (picture,) = _shades(1)

    write_still(picture, tmp_path / "a.png")

    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png")), picture)


@pytest.mark.parametrize("name", ["a.avi", "a", "absent/a.mp4"])
def test_movies_of_another_kind_or_without_a_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"ends in \.mp4 or \.gif|does not exist"):
        write_movie(_shades(1), tmp_path / name, 10)

    assert not list(tmp_path.iterdir())


def _shades(count: int) -> list[Image]:
    return [np.full((8, 8, 3), 40 * index, np.uint8) for index in range(count)]
