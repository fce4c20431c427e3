import numpy as np
import pytest

from pipelines.training.config import DataConfig
from pipelines.training.corpus import UNKNOWN, TrainingClip, split_validation
from pipelines.training.labels import load_labels
from pipelines.training.sampling import Sampler, clip_weights
from tests.pipelines.training.bodies import clip, corpus

TABLE = load_labels()
WALK, NONE = TABLE.index("walk"), TABLE.index("none")


def _mixed() -> list[TrainingClip]:
    few = [clip(WALK, source="a") for _ in range(2)]
    many = [clip(NONE, source="b") for _ in range(64)]
    flat = [clip(WALK, is_3d=False, source="c") for _ in range(8)]
    return [*few, *many, *flat, *[clip(UNKNOWN, not_fall=True, source="d") for _ in range(5)]]


def test_clip_weights_balance_classes_by_the_power() -> None:
    pieces = corpus(*_mixed())

    weights = clip_weights(pieces, DataConfig(class_power=0.2))

    share = weights[pieces.label == NONE].sum() / weights[pieces.label == WALK].sum()
    assert share == pytest.approx((64 / 10) ** 0.2)
    assert weights.sum() == pytest.approx(1)
    assert not weights[pieces.label == UNKNOWN].any()


def test_a_set_is_drawn_by_its_weight_beside_its_size() -> None:
    pieces = corpus(*[clip(WALK, source=name) for name in "ab" for _ in range(4)])

    weights = clip_weights(pieces, DataConfig(), np.array([1.0, 0.5]))

    assert weights[pieces.source == 1].sum() == pytest.approx(1 / 3)


def test_clip_weights_share_a_class_between_real_and_projected() -> None:
    pieces = corpus(*_mixed())

    weights = clip_weights(pieces, DataConfig(flat_share=0.5))

    walks = pieces.label == WALK
    assert weights[walks & pieces.is_3d].sum() == pytest.approx(weights[walks & ~pieces.is_3d].sum())


def test_sampler_keeps_the_shares_of_falls_and_partial_labels() -> None:
    pieces = corpus(*_mixed())
    sampler = Sampler(pieces, TABLE, DataConfig(fall_share=0.2, weak_share=0.1))

    drawn = sampler.draw(5000, np.random.default_rng(0))

    assert drawn.tipped.mean() == pytest.approx(0.2, abs=0.03)
    assert (pieces.label[drawn.index] == UNKNOWN).mean() == pytest.approx(0.1, abs=0.03)
    assert (pieces.label[drawn.index[drawn.tipped]] != UNKNOWN).all()


def test_sampler_makes_no_falls_when_nobody_stands_upright() -> None:
    sampler = Sampler(corpus(clip(TABLE.index("lie"))), TABLE, DataConfig(fall_share=0.5))

    assert not sampler.draw(100, np.random.default_rng(0)).tipped.any()


def test_split_validation_never_divides_a_person_and_is_the_same_every_time() -> None:
    clips = [clip(WALK, group=str(index // 4), name=str(index)) for index in range(400)]

    learn, held = split_validation(clips, 0.2)
    again, _ = split_validation(clips, 0.2)

    assert {item.group for item in learn}.isdisjoint({item.group for item in held})
    assert 0.1 < len(held) / len(clips) < 0.3
    assert [item.name for item in learn] == [item.name for item in again]
