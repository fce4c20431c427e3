"""Timeline: who was there, and what was done when, gathered while frames go by."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipelines.results import ActionSpan, PersonTimeline
from pipelines.types import Event, FrameResult


@dataclass(slots=True)
class _Person:
    start_s: float
    end_s: float
    events: dict[str, Event] = field(default_factory=dict)


class Timeline:
    """Keeps one entry per track and per event, so that hours of video take kilobytes."""

    def __init__(self) -> None:
        self._people: dict[int, _Person] = {}

    def add(self, result: FrameResult) -> None:
        """Take a frame's people and events in."""
        for track_id in result.poses.track_id.tolist():
            person = self._people.setdefault(track_id, _Person(result.frame.time_s, result.frame.time_s))
            person.end_s = result.frame.time_s
        self.add_events(result.events)

    def add_events(self, events: Iterable[Event]) -> None:
        """Take events in; a later state replaces an earlier one, and a retracted event is forgotten."""
        for event in events:
            person = self._people.setdefault(event.track_id, _Person(event.start_s, event.end_s))
            if event.state == "retracted":
                person.events.pop(event.event_id, None)
            else:
                person.events[event.event_id] = event

    def tracks(self) -> tuple[PersonTimeline, ...]:
        """Everyone so far in order of appearance, with confirmed and ended actions in order of time."""
        people = sorted(self._people.items(), key=lambda item: (item[1].start_s, item[0]))
        return tuple(
            PersonTimeline(track_id, person.start_s, person.end_s, _segments(person.events.values()))
            for track_id, person in people
        )


def _segments(events: Iterable[Event]) -> tuple[ActionSpan, ...]:
    sure = [event for event in events if event.state != "provisional"]
    sure.sort(key=lambda event: (event.start_s, event.action))
    return tuple(ActionSpan(event.action, event.start_s, event.end_s, event.score, event.state) for event in sure)
