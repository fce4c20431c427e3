"""Snapshot and preview: pictures that a worker sends while somebody looks."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from service.errors import AtCapacity
from service.protocol.messages import TaskCommand
from service.protocol.preview import SHOW_S, PreviewPicture, ShowPreview
from service.streams.folders import StreamFolders
from service.streams.pictures import Previews
from tests.service.streams.conftest import Stage
from tests.service.streams.puppets import CAMERA, JPEG


def test_snapshot_is_the_next_picture(stage: Stage) -> None:
    stream_id, _ = stage.watch()

    answer = stage.service.http.get(f"/v1/streams/{stream_id}/snapshot")

    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/jpeg", JPEG)
    assert answer.headers["cache-control"] == "no-store"


def test_snapshot_of_a_camera_that_is_off_says_so(stage: Stage) -> None:
    stream_id, puppet = stage.watch()
    puppet.is_painting = False

    answer = stage.service.http.get(f"/v1/streams/{stream_id}/snapshot")

    assert (answer.status_code, answer.json()["code"]) == (409, "no_picture")
    assert "connecting" in answer.json()["detail"]


def test_preview_is_a_row_of_pictures(stage: Stage) -> None:
    stream_id, _ = stage.watch()
    with stage.service.http.stream("GET", f"/v1/streams/{stream_id}/preview") as answer:
        parts = b""
        for piece in answer.iter_raw():
            parts += piece
            if parts.count(JPEG) >= 3:
                break

    assert answer.headers["content-type"].startswith("multipart/x-mixed-replace; boundary=frame")
    assert parts.startswith(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 15\r\n\r\n" + JPEG)


@pytest.mark.parametrize("tail", ["snapshot", "preview"])
@pytest.mark.parametrize(
    ("parts", "status"), [({"privacy": {"pictures": False}}, 403), ({"enabled": False}, 409)], ids=["private", "off"]
)
def test_private_and_disabled_streams_show_no_picture(
    stage: Stage, parts: Mapping[str, object], status: int, tail: str
) -> None:
    stream_id = stage.add(CAMERA, **parts)

    answer = stage.service.http.get(f"/v1/streams/{stream_id}/{tail}")

    assert answer.status_code == status


def test_folder_goes_with_its_stream(stage: Stage) -> None:
    stream_id, _ = stage.watch()
    folder = stage.service.home / "blobs" / "streams" / stream_id
    folder.mkdir(parents=True)

    stage.service.http.delete(f"/v1/streams/{stream_id}")

    stage.until(lambda: not folder.exists())


class Ears:
    """A worker that takes every wish for pictures and notes it, or takes none."""

    def __init__(self, is_there: bool = True) -> None:
        self.heard: list[TaskCommand] = []
        self.is_there = is_there

    def tell(self, command: TaskCommand) -> bool:
        self.heard.append(command)
        return self.is_there


def test_previews_are_bounded() -> None:
    previews = Previews(Ears().tell, viewers_max=0)

    with pytest.raises(AtCapacity):
        previews.require_seat()


def test_snapshot_is_never_an_old_picture() -> None:
    previews = Previews(Ears().tell)
    previews.put(PreviewPicture("yard", 1, b"yesterday"))

    found = asyncio.run(previews.snapshot("yard", 0.1))

    assert found is None


def test_many_who_look_are_one_wish() -> None:
    ears = Ears()
    previews = Previews(ears.tell)

    async def look() -> None:
        await asyncio.gather(*(previews.snapshot("yard", 0.2) for _ in range(20)))

    asyncio.run(look())

    assert ears.heard == [ShowPreview("yard")]


def test_worker_that_comes_late_is_asked_again_at_once() -> None:
    ears = Ears(is_there=False)
    previews = Previews(ears.tell)

    asyncio.run(previews.snapshot("yard", 0.2))

    assert len(ears.heard) > 1


def test_picture_that_nobody_looks_at_is_forgotten() -> None:
    now_s = [0.0]
    previews = Previews(Ears().tell, clock=lambda: now_s[0])
    previews.put(PreviewPicture("yard", 1, JPEG))

    now_s[0] = SHOW_S + 1.0
    previews.put(PreviewPicture("dock", 1, JPEG))

    assert list(previews._newest) == ["dock"]


def test_folders_of_an_earlier_server_are_removed(tmp_path: Path) -> None:
    root = tmp_path / "streams"
    for name in ("latest.jpg", "wanted", "track-1-ab.ask"):
        (root / "yard").mkdir(parents=True, exist_ok=True)
        (root / "yard" / name).touch()

    StreamFolders(root).open()

    assert not root.exists()
