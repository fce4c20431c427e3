"""Gathers what the pictures of some cameras show, as their messages pass by, until somebody looks."""

import datetime as dt
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from service.event_log import Message
from service.events.timed.rules import Look, Person, Scene
from service.events.zones import Box, locate

_BLIND = "no_picture"


@dataclass(slots=True)
class _Gathered:
    """What a stream's pictures have shown since somebody looked."""

    people: dict[int, tuple[Box, str | None]] = field(default_factory=dict)
    at: dt.datetime | None = None
    media_time_s: float = 0.0
    frame_size: tuple[int, int] = (1, 1)
    is_blind: bool = False


class Gatherer:
    """Hears every message and keeps what concerns the streams that are watched; one thread may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[str, _Gathered] = {}

    def watch(self, stream_ids: Collection[str]) -> None:
        """Gather for these streams, and for no other."""
        with self._lock:
            self._streams = {name: self._streams.get(name) or _Gathered() for name in stream_ids}

    @property
    def streams(self) -> list[str]:
        """The streams that are watched."""
        return list(self._streams)

    def hear(self, message: Message) -> None:
        """Take in a message, in whichever thread it comes."""
        if message.stream_id is None or message.stream_id not in self._streams:
            return
        if message.type == "frame":
            self._take_frame(message.stream_id, message)
        elif message.type == "stream.state_changed":
            with self._lock:
                gathered = self._streams.get(message.stream_id)
                if gathered is not None:
                    gathered.is_blind = message.data.get("code") == _BLIND

    def look(self, stream_id: str, scene: Scene) -> Look | None:
        """What has gathered of a stream, which is then gone; None without a picture."""
        with self._lock:
            gathered = self._streams.get(stream_id)
            if gathered is None or gathered.at is None:
                return None
            people, at, gathered.people, gathered.at = gathered.people, gathered.at, {}, None
            media_time_s, size = gathered.media_time_s, gathered.frame_size
        found = (Person(one, box, action, locate(scene.zones, box, size)) for one, (box, action) in people.items())
        return Look(at, media_time_s, tuple(found))

    def _take_frame(self, stream_id: str, message: Message) -> None:
        people = _people(message.data)
        size = message.data.get("frame_size")
        with self._lock:
            gathered = self._streams.get(stream_id)
            if gathered is None or gathered.is_blind:
                return
            gathered.people.update(people)
            gathered.at, gathered.media_time_s = message.time, message.media_time_s or 0.0
            if isinstance(size, list) and len(size) == 2:
                gathered.frame_size = (int(str(size[0])), int(str(size[1])))


def _people(data: Mapping[str, JsonValue]) -> dict[int, tuple[Box, str | None]]:
    """Track → box and action of everybody in a frame's message."""
    found: dict[int, tuple[Box, str | None]] = {}
    persons = data.get("persons")
    for person in persons if isinstance(persons, list) else []:
        assert isinstance(person, dict)
        box, action = person["box"], person.get("action")
        assert isinstance(box, list)
        x1, y1, x2, y2 = (float(str(edge)) for edge in box)
        found[int(str(person["track_id"]))] = ((x1, y1, x2, y2), None if action is None else str(action))
    return found
