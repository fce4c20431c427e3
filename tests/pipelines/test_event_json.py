"""An event's JSON: every field of the schema, and nothing else, at the decimals of the place it is told in."""

from dataclasses import dataclass, fields

from pipelines.event_json import FILE, MESSAGE, event_fields, event_object
from pipelines.types import Event

FALL = Event("e1", 3, "fall", "confirmed", 1.234567, 2.0, 0.876543, (0.1234567, 0.2, 0.3, 0.4))


@dataclass(frozen=True, slots=True)
class Kept(Event):
    """An event with something of its keeper's."""

    comment: str = ""


def test_event_object_has_every_field_of_the_schema_in_its_order() -> None:
    told = event_object(FALL, FILE)

    assert list(told) == [one.name for one in fields(Event)]


def test_event_object_rounds_seconds_scores_and_boxes_for_files_and_for_messages() -> None:
    in_file, in_message = event_object(FALL, FILE), event_object(FALL, MESSAGE)

    assert (in_file["start_s"], in_file["score"], in_file["box"]) == (1.2346, 0.877, [0.1235, 0.2, 0.3, 0.4])
    assert (in_message["start_s"], in_message["score"]) == (1.235, 0.8765)
    assert in_message["box"] == [0.12346, 0.2, 0.3, 0.4]


def test_event_object_says_null_where_nobody_was_seen() -> None:
    unseen = Event("e1", 3, "fall", "confirmed", 1.0, 2.0, 0.9, None)

    assert event_object(unseen, FILE)["box"] is None


def test_event_fields_leave_out_what_a_subclass_adds() -> None:
    kept = Kept(**event_fields(FALL), comment="a child")  # type: ignore[arg-type]

    assert "comment" not in event_fields(kept)
    assert event_fields(kept) == event_fields(FALL)
