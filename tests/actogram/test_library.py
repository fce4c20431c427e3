"""The library: a whole video as values and arrays, a camera as a loop, and a client that needs nothing of either."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import actogram
from pipelines.errors import SourceError
from tests.stream_fakes import networks_of
from tests.videos import Clip, write_video

CLIP = Clip(num_frames=60, size_wh=(320, 240))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", CLIP)


def test_analysis_says_who_did_what_and_keeps_their_joints(video: Path) -> None:
    told: list[float] = []

    found = actogram.analyze(video, choice=networks_of(), on_progress=told.append)

    (person,) = found.people
    skeleton = found.skeleton(person.track_id)
    assert (found.source, found.size_wh, told[-1]) == ("clip.mp4", (320, 240), 100.0)
    assert skeleton.keypoints.shape == (len(skeleton.time_s), 17, 3)
    assert (skeleton.layout, len(skeleton.action)) == ("coco17", len(skeleton.time_s))
    assert np.all(np.diff(skeleton.time_s) > 0)
    assert found.to_dict()["source"] == "clip.mp4"
    assert [track_id for track_id, _ in found.actions] == [person.track_id] * len(person.actions)


def test_analysis_without_skeletons_keeps_none(video: Path) -> None:
    found = actogram.analyze(video, choice=networks_of(), skeletons=False)

    with pytest.raises(KeyError):
        found.skeleton(found.people[0].track_id)


def test_annotated_video_is_written(video: Path, tmp_path: Path) -> None:
    actogram.analyze(video, choice=networks_of(), annotated=tmp_path / "drawn.mp4")

    assert (tmp_path / "drawn.mp4").stat().st_size > 500


def test_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_text("words")

    with pytest.raises(SourceError):
        actogram.analyze(tmp_path / "no.mp4", choice=networks_of())


def test_actions_become_a_table(video: Path) -> None:
    found = actogram.analyze(video, choice=networks_of())

    table = found.to_pandas()

    assert list(table.columns) == ["track_id", "action", "start_s", "end_s", "duration_s", "score"]
    assert list(table["action"]) == [one.action for _, one in found.actions]
    assert len(table) > 0


def test_watched_file_ends_and_every_event_comes(video: Path) -> None:
    with actogram.watch(str(video), choice=networks_of()) as moments:
        found = list(moments)

    assert found
    assert all(moment.image.shape == (240, 320, 3) for moment in found)
    assert [person.track_id for person in found[0].people] in ([], [1])


def test_closing_a_watch_ends_its_loop(video: Path) -> None:
    watch = actogram.watch("rtsp://127.0.0.1:9/nothing", choice=networks_of())
    threading.Timer(0.2, watch.close).start()

    assert list(watch) == []


def test_slow_caller_loses_moments_but_no_event(video: Path) -> None:
    with actogram.watch(str(video), choice=networks_of()) as quick:
        every = [(event.event_id, event.state) for moment in quick for event in moment.events]
    watch = actogram.watch(str(video), choice=networks_of())
    watch._thread.join(60)

    late = list(watch)
    watch.close()

    assert len(late) <= 8
    assert {state for moment in late for _, state in _told(moment)} == {state for _, state in every}


def _told(moment: actogram.Moment) -> list[tuple[str, str]]:
    return [(event.event_id, event.state) for event in moment.events]


def test_client_needs_no_network_library() -> None:
    code = (
        "import sys, actogram.client\n"
        "heavy = {'numpy', 'cv2', 'onnxruntime', 'torch', 'service', 'pipelines', 'models'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        actogram.analyse  # noqa: B018
