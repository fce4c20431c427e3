"""What a camera wants otherwise than its action model: thresholds in proportion, and nothing else touched."""

import pytest
from pydantic import ValidationError

from models.runtime.overrides import ActionOverride, judging_rules, overridden
from tests.fakes import contract_of

RULES = contract_of().actions


def test_threshold_takes_the_one_at_which_the_event_ends_with_it() -> None:
    rule = overridden(RULES, {"fall": ActionOverride(threshold=0.8)})["fall"]

    assert rule.threshold == 0.8
    assert rule.offset_threshold == pytest.approx(0.8 * 0.3 / 0.5)


@pytest.mark.parametrize(
    ("own", "wanted", "expected"),
    [
        pytest.param((0.5, 0.3), 0.0, 0.0, id="always"),
        pytest.param((0.0, 0.0), 0.4, 0.4, id="a model without threshold has no proportion"),
        pytest.param((0.2, 0.4), 1.0, 1.0, id="never more than certain"),
    ],
)
def test_threshold_at_the_ends_of_its_range_stays_a_probability(
    own: tuple[float, float], wanted: float, expected: float
) -> None:
    rule = RULES["fall"].model_copy(update={"threshold": own[0], "offset_threshold": own[1]})

    assert ActionOverride(threshold=wanted).applied_to(rule).offset_threshold == pytest.approx(expected)


def test_what_an_override_leaves_open_is_the_models_own() -> None:
    found = overridden(RULES, {"fall": ActionOverride(min_duration_s=4.0), "yodel": ActionOverride(threshold=0.1)})

    assert found["fall"] == RULES["fall"].model_copy(update={"min_duration_s": 4.0})
    assert found["walk"] == RULES["walk"]
    assert found.keys() == RULES.keys()


def test_severity_is_told_and_does_not_change_which_actions_exclude_each_other() -> None:
    overrides = {"walk": ActionOverride(severity="alarm", threshold=0.9)}

    assert overridden(RULES, overrides)["walk"].severity == "alarm"
    judged = judging_rules(RULES, overrides)["walk"]
    assert (judged.severity, judged.threshold) == ("info", 0.9)


@pytest.mark.parametrize(
    "fields",
    [
        {"threshold": 1.1}, {"threshold": -0.1}, {"threshold": float("nan")}, {"min_duration_s": -1},
        {"min_duration_s": float("inf")}, {"severity": "urgent"}, {"offset_threshold": 0.2},
    ],
)  # fmt: skip
def test_override_out_of_range_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ActionOverride.model_validate(fields)
