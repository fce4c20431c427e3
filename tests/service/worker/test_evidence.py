"""Which actions a stream keeps evidence of: decided once, in the worker, and said in every report."""

import pytest

from service.protocol.stream_config import Recording
from service.worker.evidence import has_evidence
from tests.fakes import contract_of


@pytest.mark.parametrize(
    ("action", "recording", "expected"),
    [
        pytest.param("fall", Recording(), True, id="an alarm"),
        pytest.param("walk", Recording(), False, id="less than a warning"),
        pytest.param("walk", Recording(min_severity="info"), True, id="everything is kept"),
        pytest.param("fall", Recording(enabled=False), False, id="nothing is kept"),
        pytest.param("yodel", Recording(), False, id="an action without a rule is no warning"),
    ],
)
def test_evidence_is_kept_of_actions_that_are_severe_enough(action: str, recording: Recording, expected: bool) -> None:
    assert has_evidence(contract_of(), recording, action) is expected
