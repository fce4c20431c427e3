"""A job's bounds: a small file may hold more frames than anybody wants to wait for."""

import pytest

from pipelines.errors import SourceTooLong
from service.errors import status_of
from service.worker.job import FrameLimit


def test_video_of_too_many_frames_fails_with_a_code_of_its_own() -> None:
    limit = FrameLimit("long.mp4", 3)
    for _ in range(3):
        limit.count()

    with pytest.raises(SourceTooLong, match=r"long\.mp4 has over 3 frames") as caught:
        limit.count()

    assert (caught.value.code, status_of(caught.value.code)) == ("too_long", 413)
