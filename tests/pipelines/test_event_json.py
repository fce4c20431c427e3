"""An event's JSON: every field of the schema, and nothing else, at the decimals of the place it is told in."""

from dataclasses import fields, replace

import pytest
from pydantic import ValidationError

from pipelines.event_json import FILE, MESSAGE, STORED, event_object, parse_event
from pipelines.types import Event

FALL = Event("e1", 3, "fall", "confirmed", 1.234567, 2.0, 0.876543, (0.1234567, 0.2, 0.3, 0.4))


def test_event_object_has_every_field_of_the_schema_in_its_order() -> None:
    told = event_object(replace(FALL, partner=4), FILE)

    assert list(told) == [one.name for one in fields(Event)]


def test_partner_is_told_only_where_there_is_one_and_always_stored() -> None:
    assert "partner" not in event_object(FALL, FILE)
    assert "partner" not in event_object(FALL, MESSAGE)
    assert event_object(FALL, STORED)["partner"] is None
    assert event_object(replace(FALL, partner=4), MESSAGE)["partner"] == 4


def test_event_object_rounds_seconds_scores_and_boxes_for_files_and_for_messages() -> None:
    in_file, in_message = event_object(FALL, FILE), event_object(FALL, MESSAGE)

    assert (in_file["start_s"], in_file["score"], in_file["box"]) == (1.2346, 0.877, [0.1235, 0.2, 0.3, 0.4])
    assert (in_message["start_s"], in_message["score"]) == (1.235, 0.8765)
    assert in_message["box"] == [0.12346, 0.2, 0.3, 0.4]


def test_event_object_says_null_where_nobody_was_seen() -> None:
    unseen = Event("e1", 3, "fall", "confirmed", 1.0, 2.0, 0.9, None)

    assert event_object(unseen, FILE)["box"] is None


def test_event_is_the_same_after_its_object_was_read_again() -> None:
    stored = parse_event({**event_object(FALL, STORED), "severity": "alarm"})

    assert stored == Event("e1", 3, "fall", "confirmed", 1.234567, 2.0, 0.8765, (0.12346, 0.2, 0.3, 0.4))
    assert parse_event(event_object(stored, STORED)) == stored


@pytest.mark.parametrize(
    "wrong",
    [{"score": "high"}, {"state": "over"}, {"box": [0.1, 0.2]}, {"track_id": None}],
    ids=["word for a number", "unknown state", "half a box", "no track"],
)
def test_object_that_is_no_event_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        parse_event({**event_object(FALL, STORED), **wrong})
