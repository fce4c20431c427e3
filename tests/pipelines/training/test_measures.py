import numpy as np
import pytest
import torch

from models.arrays import FloatArray
from pipelines.training.calibrate import (
    choose_family_share,
    choose_threshold,
    choose_unknown,
    choose_unknown_rule,
    class_weights,
    fit_temperature,
)
from pipelines.training.losses import denied_loss, everyday_loss
from pipelines.training.metrics import auroc, calibration_error, confidence_error, energy, score, softmax


def test_denied_loss_is_minus_log_of_everything_else() -> None:
    logits = torch.tensor([[1.0, 2.0, -1.0], [0.0, 50.0, 0.0]])

    loss = denied_loss(logits, torch.tensor([[False, True, False]] * 2))

    share = torch.softmax(logits[0], dim=0)[1]
    assert loss[0].item() == pytest.approx(-float(torch.log(1 - share)), rel=1e-5)
    assert loss[1].item() == pytest.approx(50 - np.log(2), rel=1e-5), "exact where 1 - P underflows"


def test_everyday_loss_pulls_a_partial_label_away_from_the_fall_and_nowhere_else() -> None:
    logits = torch.zeros(2, 4, requires_grad=True)

    loss = everyday_loss(logits, torch.tensor([-1, -1]), _denied((2,), ()), smoothing=0.1)
    (gradient,) = torch.autograd.grad(loss, logits)

    assert gradient[0, 2] > 0
    assert torch.allclose(gradient[0, [0, 1, 3]], gradient[0, 0].expand(3))
    assert not gradient[1].any(), "a window of which nothing is known teaches nothing"


def test_everyday_loss_pulls_a_partial_label_away_from_a_whole_family() -> None:
    logits = torch.zeros(1, 5, requires_grad=True)

    loss = everyday_loss(logits, torch.tensor([-1]), _denied((1, 3))[:, :5], smoothing=0.1)
    (gradient,) = torch.autograd.grad(loss, logits)

    assert (gradient[0] > 0).tolist() == [False, True, False, True, False]
    assert loss.item() == pytest.approx(-np.log(3 / 5))


def _denied(*rows: tuple[int, ...]) -> torch.Tensor:
    """(B, K) bool of indexes."""
    return torch.tensor([[index in row for index in range(5 if len(rows) == 1 else 4)] for row in rows])


def test_everyday_loss_equals_cross_entropy_when_all_labels_are_known() -> None:
    logits, label = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0])

    loss = everyday_loss(logits, label, torch.zeros(5, 4, dtype=torch.bool), 0.0)

    assert loss.item() == pytest.approx(torch.nn.functional.cross_entropy(logits, label).item(), rel=1e-6)


def _overconfident(seed: int = 0) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Logits four times too large for how often they are right."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1, (4000, 5)).astype(np.float32)
    cumulative = softmax(logits).cumsum(axis=1)
    label = (cumulative < generator.random((4000, 1))).sum(axis=1).clip(0, 4)
    return logits * 4, label.astype(np.int64)


def test_fit_temperature_finds_the_factor_and_mends_the_calibration() -> None:
    logits, label = _overconfident()

    temperature = fit_temperature(logits, label)

    assert temperature == pytest.approx(4, rel=0.1)
    assert calibration_error(softmax(logits, temperature), label) < 0.03
    assert calibration_error(softmax(logits), label) > 0.2


def test_score_counts_by_class_and_leaves_out_what_does_not_occur() -> None:
    probabilities = np.eye(3, dtype=np.float32)[[0, 0, 1, 0]]

    found = score(probabilities, np.array([0, 0, 1, 1]))

    assert found.top1 == 0.75
    assert found.macro == pytest.approx(0.75)
    assert found.per_class[:2].tolist() == [1.0, 0.5]
    assert np.isnan(found.per_class[2])
    assert found.confusion.tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert found.precision[0] == pytest.approx(2 / 3)


def test_score_of_nothing_is_nan_and_not_an_error() -> None:
    found = score(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))

    assert found.count == 0
    assert np.isnan(found.top1)
    assert np.isnan(found.ece)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(0.99, 0.81), (0.74, 0.61), (0.5, 0.4)],
    ids=["strict", "middling", "lenient"],
)
def test_choose_threshold_is_the_lowest_that_is_right_often_enough(wanted: float, expected: float) -> None:
    probability = np.array([0.95, 0.9, 0.85, 0.8, 0.6, 0.5], np.float32)
    is_action = np.array([True, True, True, False, False, True])

    assert choose_threshold(probability, is_action, np.ones(6, np.float32), wanted) == pytest.approx(expected)


def test_choose_threshold_falls_back_when_the_action_never_occurs() -> None:
    assert choose_threshold(np.ones(3, np.float32), np.zeros(3, np.bool_), np.ones(3, np.float32), 0.9, 0.7) == 0.7


def test_class_weights_let_every_class_count_the_same() -> None:
    label = np.array([0, 0, 0, 2])

    weights = class_weights(label)

    assert weights[label == 0].sum() == pytest.approx(weights[label == 2].sum())


def test_choose_unknown_gives_up_the_share_that_it_may() -> None:
    top = np.linspace(0.5, 1, 101, dtype=np.float32)
    probabilities = np.stack([top, 1 - top], axis=1)

    threshold = choose_unknown(probabilities, np.zeros(101, np.int64), lost=0.1)

    assert (top < threshold).mean() == pytest.approx(0.1, abs=0.02)


def _known_and_foreign(
    foreign: int = 60,
) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.int64]], FloatArray]:
    """Known windows with one logit far above the rest; foreign ones as sure, with every logit lower."""
    generator = np.random.default_rng(0)
    label = generator.integers(0, 4, 400)
    known = generator.normal(0, 0.3, (400, 4)).astype(np.float32)
    known[np.arange(400), label] += 4
    strange = generator.normal(-3, 0.3, (foreign, 4)).astype(np.float32)
    strange[:, 0] += 4
    return known, label, strange


def test_open_set_rule_is_the_one_that_tells_foreign_windows_better() -> None:
    known, label, strange = _known_and_foreign()

    choice = choose_unknown_rule(known, label, strange, 1.0, 0.03)

    assert choice.method == "energy"
    assert choice.auroc["energy"] > 0.99 > 0.7 > choice.auroc["max_probability"]
    assert (energy(known) <= choice.threshold).mean() == pytest.approx(0.97, abs=0.01)
    assert choice.said["energy"] == 0.0
    assert (choice.known, choice.foreign) == (400, 60)


def test_open_set_rule_stays_with_the_probability_where_it_has_too_little_to_choose_by() -> None:
    known, label, strange = _known_and_foreign(foreign=5)

    choice = choose_unknown_rule(known, label, strange, 1.0, 0.03)

    assert (choice.method, choice.auroc) == ("max_probability", {})
    assert choice.threshold == choose_unknown(softmax(known), label, 0.03)


def test_family_share_is_what_all_but_a_few_right_answers_reach() -> None:
    probabilities = np.array([[0.5 + 0.01 * step, 0.4 - 0.01 * step, 0.1] for step in range(40)], np.float32)
    label = np.zeros(40, np.int64)

    share = choose_family_share(probabilities, label, [0, 1], 0.1)

    assert share is not None
    assert (probabilities[:, 0] / 0.9 >= share).mean() == pytest.approx(0.9, abs=0.03)
    assert choose_family_share(probabilities[:10], label[:10], [0, 1], 0.1) is None, "too few to choose by"


@pytest.mark.parametrize(
    ("known", "foreign", "expected"),
    [([3, 4], [1, 2], 1.0), ([1, 2], [3, 4], 0.0), ([1, 1], [1, 1], 0.5), ([1, 3], [2], 0.5), ([], [1], np.nan)],
)
def test_auroc_is_the_chance_that_a_known_window_scores_higher(
    known: list[float], foreign: list[float], expected: float
) -> None:
    found = auroc(np.array(known, np.float32), np.array(foreign, np.float32))

    np.testing.assert_equal(found, expected)


def test_energy_is_minus_the_log_of_the_sum_of_powers_at_a_temperature() -> None:
    logits = np.array([[1.0, 2.0], [700.0, 0.0]], np.float32)

    found = energy(logits, 2.0)

    assert found[0] == pytest.approx(-2 * np.log(np.exp(0.5) + np.exp(1.0)), rel=1e-6)
    assert found[1] == pytest.approx(-700.0)


def test_confidence_error_is_the_gap_between_what_was_said_and_what_was_right() -> None:
    sure, right = np.full(100, 0.9, np.float32), np.arange(100) < 60

    assert confidence_error(sure, right) == pytest.approx(0.3, abs=1e-6)
    assert np.isnan(confidence_error(sure[:0], right[:0]))
