import numpy as np
import pytest
import torch

from models.arrays import FloatArray
from pipelines.training.calibrate import choose_threshold, choose_unknown, class_weights, fit_temperature
from pipelines.training.losses import denied_loss, everyday_loss
from pipelines.training.metrics import calibration_error, score, softmax


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
