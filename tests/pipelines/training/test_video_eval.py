from collections.abc import Mapping

import numpy as np
import pytest

from models.arrays import AnyArray, FloatArray
from models.runtime.action import ActionModel
from models.runtime.contract import ActionContract
from pipelines.errors import DatasetInvalid
from pipelines.stream.config import PipelineConfig
from pipelines.training.datasets import Annotation
from pipelines.training.replay import replay
from pipelines.training.transforms import tip
from pipelines.training.video_eval import (
    FallTimes,
    Subject,
    bent_times,
    evaluate_falls,
    fall_times,
    share_right,
    windows,
)
from tests.pipelines.training.bodies import body, picture

RATE_HZ = 20.0
LABELS = ("stand", "fall", "lie", "pick_up", "none")


class Judge:
    """Calls a window a fall while its shoulders sink fast, lying while they are low, else standing."""

    def run(self, feeds: Mapping[str, AnyArray]) -> Mapping[str, AnyArray]:
        features = feeds["features"]
        height = features[:, :, [1, 2], 1].mean(axis=2) - features[:, :, [11, 12], 1].mean(axis=2)
        sinks = height[:, -1] - height[:, 0] > 1.0
        low = height[:, 0] > -0.8
        logits = np.full((len(features), len(LABELS)), -5, np.float32)
        logits[np.arange(len(features)), np.where(sinks, 1, np.where(low, 2, 0))] = 5
        return {"logits": logits}


def _model() -> ActionModel:
    rule = {"threshold": 0.5, "offset_threshold": 0.3, "min_duration_s": 0.2, "merge_gap_s": 1.0, "quality": "solid"}
    contract = ActionContract.model_validate(
        {
            "name": "judge", "task": "action", "network": "rule", "layout": "coco17", "features": "everyday13",
            "window_s": 2.0, "rate_hz": 15.0, "num_frames": 30, "outputs": ["logits"], "labels": LABELS,
            "inputs": [{"name": "features", "shape": ["batch", 30, 13, 5], "dtype": "float32"}], "temperature": 1.0,
            "unknown": {"method": "off", "threshold": 0}, "sha256": "",
            "actions": {name: rule | {"severity": "alarm" if name == "fall" else "info"} for name in LABELS[:-1]},
        }
    )  # fmt: skip
    return ActionModel(contract, Judge())


def _annotation(joints: FloatArray, name: str = "clip#1") -> Annotation:
    T = len(joints)
    extra = {"time_s": np.arange(T) / RATE_HZ + 0.4}
    return Annotation(name, -1, joints[None, ..., :2], np.ones((1, T, 17), np.float32), (480, 640), extra)


def _fallen(num_frames: int = 140, onset_s: float = 3.0) -> Annotation:
    times = np.arange(num_frames) / RATE_HZ
    angle = np.clip((times - onset_s) / 0.6, 0, 1) ** 2 * np.pi / 2
    joints = tip(body(num_frames)[None], angle[None], np.zeros((1, num_frames)), np.array([np.pi / 2]))[0]
    return _annotation(picture(joints))


def _bending(num_frames: int = 120) -> Annotation:
    joints = body(num_frames)
    times = np.arange(num_frames) / RATE_HZ
    joints[:, :11, 1] -= 0.6 * np.exp(-(((times - 3.0) / 0.4) ** 2))[:, None].astype(np.float32)
    return _annotation(picture(joints))


def test_fall_times_are_media_seconds_of_onset_and_ground() -> None:
    found = fall_times(_fallen(onset_s=3.0))

    assert found is not None
    assert found.onset_s == pytest.approx(3.4 + 0.2, abs=0.25)
    assert found.ground_s == pytest.approx(4.0, abs=0.25)


def test_bent_times_surround_the_deepest_bend() -> None:
    found = bent_times(_bending())

    assert found is not None
    assert found[0] < 3.4 < found[1]
    assert bent_times(_annotation(picture(body(60)))) is None


def test_exam_counts_one_fall_in_time_and_nothing_invented() -> None:
    track = _fallen()

    result = evaluate_falls("clip", [track], fall_times(track), _model(), PipelineConfig())

    assert result.delay_s is not None
    assert result.delay_s <= 1.0
    assert result.invented == ()


def test_exam_counts_a_fall_of_a_video_without_one_as_invented() -> None:
    result = evaluate_falls("clip", [_fallen()], None, _model(), PipelineConfig())

    assert result.delay_s is None
    assert len(result.invented) == 1


def test_exam_says_missed_when_the_alarm_belongs_to_another_moment() -> None:
    result = evaluate_falls("clip", [_fallen()], FallTimes(60.0, 61.0), _model(), PipelineConfig())

    assert result.delay_s is None
    assert len(result.invented) == 1


def test_windows_of_a_fall_are_standing_then_falling_then_lying() -> None:
    subject, model = Subject(_fallen(), "fall"), _model()

    answers = windows(subject, replay(subject.annotation, model, PipelineConfig()), model)

    order = list(dict.fromkeys(item.truth for item in answers))
    assert order == ["stand", "fall", "lie"]
    assert share_right(answers) > 0.8


def test_windows_of_a_pick_up_are_judged_only_where_it_is_certain() -> None:
    subject, model = Subject(_bending(), "pick_up"), _model()
    replayed = replay(subject.annotation, model, PipelineConfig())

    answers = windows(subject, replayed, model)

    assert {item.truth for item in answers} == {"stand", "pick_up"}
    assert len(answers) < len(replayed.scores)


def test_replay_withholds_labels_until_enough_was_seen() -> None:
    replayed = replay(_annotation(picture(body(40))), _model(), PipelineConfig())

    assert replayed.scores[0].status == "warming_up"
    assert replayed.scores[-1].status == "assessed"


def test_replay_of_a_set_without_times_says_so() -> None:
    annotation = Annotation("x", 0, np.zeros((1, 5, 17, 2), np.float32), np.ones((1, 5, 17), np.float32))

    with pytest.raises(DatasetInvalid, match="no `time_s`"):
        replay(annotation, _model(), PipelineConfig())


def test_share_right_of_nothing_is_nan() -> None:
    assert np.isnan(share_right([]))
