"""A pose estimator with another joint layout is followed, judged and reported as one with COCO-17."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.pose import Landmarks
from models.skeleton.layouts import COCO17, layout_map, require_layout
from pipelines.stream.build import build_pipeline
from pipelines.stream.config import PipelineConfig
from pipelines.types import FrameResult
from tests.stream_fakes import FakePoses, FakeSource, networks_of

_BLAZEPOSE = require_layout("blazepose33")
_SOURCE = layout_map(COCO17, _BLAZEPOSE)


class BlazePoses:
    """The bodies of `FakePoses` in the thirty-three joints of BlazePose; those that COCO-17 lacks lie on the nose."""

    layout = "blazepose33"

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        found = FakePoses()(images, regions)
        return replace(found, keypoints=found.keypoints[:, [joint or 0 for joint in _SOURCE]])


def _results(has_blazepose: bool) -> list[FrameResult]:
    networks = networks_of()
    if has_blazepose:
        networks = replace(networks, pose=BlazePoses())
    pipeline = build_pipeline(networks, PipelineConfig(), "camera")
    return [pipeline.process(frame) for frame in FakeSource()]


def test_another_live_layout_gives_the_same_people_and_actions() -> None:
    usual, other = _results(has_blazepose=False), _results(has_blazepose=True)

    assert [result.states for result in other] == [result.states for result in usual]
    assert [result.events for result in other] == [result.events for result in usual]
    assert len(usual[-1].poses) == 1


def test_poses_say_in_which_layout_their_joints_are() -> None:
    poses = _results(has_blazepose=True)[-1].poses

    assert poses.layout == "blazepose33"
    assert poses.keypoints.shape == (1, 33, 3)


def test_shared_joints_are_the_same_in_either_layout() -> None:
    usual, other = _results(has_blazepose=False)[-1].poses, _results(has_blazepose=True)[-1].poses

    shared = [joint for joint in layout_map(_BLAZEPOSE, COCO17) if joint is not None]

    np.testing.assert_array_equal(other.keypoints[:, shared], usual.keypoints)
