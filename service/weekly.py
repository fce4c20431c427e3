"""Hours of the week by a clock on the wall: when a rule holds, and when nobody wants to be woken."""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_HOUR_MINUTES = 60


def find_zone(name: str) -> dt.tzinfo | None:
    """The time zone of an IANA name, or None."""
    if name == "UTC":
        return dt.UTC
    try:
        return ZoneInfo(name)
    # A name that leads to a folder or out of it, or that no file system takes.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _known_zone(name: str) -> str:
    if find_zone(name) is None:
        raise ValueError(f"found {name[:64]!r}, expected an IANA time zone such as Europe/Berlin")
    return name


def _minute(text: str) -> int:
    return int(text[:2]) * _HOUR_MINUTES + int(text[3:])


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError(f"found {text[:16]!r}, expected a time from 00:00 to 24:00 such as 07:30")
    return text


TimeZone = Annotated[
    str,
    Field(min_length=1, max_length=64, description="An IANA name, such as Europe/Berlin."),
    AfterValidator(_known_zone),
]
# The pattern is told, not checked: whoever writes another time reads in words what was expected.
_Clock = Annotated[
    str, Field(max_length=16, json_schema_extra={"pattern": f"^({_CLOCK.pattern})$"}), AfterValidator(_clock)
]


class WeeklyHours(BaseModel):
    """Hours of some days: from a time, up to and without another, into the next day where that is earlier."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    days: Annotated[list[Day], Field(min_length=1, max_length=7)] = Field(
        default=list(DAYS), description="On which these hours begin."
    )
    start: _Clock = Field(alias="from", description="HH:MM, by a clock in the time zone.")
    end: _Clock = Field(
        alias="to", description="HH:MM; not after `from`: on the next day. A whole day is 00:00 to 24:00."
    )

    @model_validator(mode="after")
    def _is_some_time(self) -> "WeeklyHours":
        if self.start == self.end or self.start == "24:00":
            raise ValueError(
                f"found {self.start} to {self.end}, expected two different times; a whole day is 00:00 to 24:00"
            )
        return self

    def hold(self, local: dt.datetime) -> bool:
        """Whether a time, as a clock on the wall shows it, lies within."""
        minute, start, end = local.hour * _HOUR_MINUTES + local.minute, _minute(self.start), _minute(self.end)
        if start < end:
            return self._begins_on(local.weekday()) and start <= minute < end
        is_late = self._begins_on(local.weekday()) and minute >= start
        return is_late or (self._begins_on(local.weekday() - 1) and minute < end)

    def _begins_on(self, weekday: int) -> bool:
        return DAYS[weekday % 7] in self.days


Week = Annotated[list[WeeklyHours], Field(max_length=28)]
WEEK: TypeAdapter[list[WeeklyHours]] = TypeAdapter(list[WeeklyHours])
"""Reads what `stored` wrote."""


def holds(week: Sequence[WeeklyHours], zone: str | None, at: dt.datetime) -> bool:
    """Whether a moment lies in any of some hours.

    zone: an IANA name, None for UTC. An hour that a clock skips never comes, one that it repeats comes twice; where
    this machine has lost the zone's data, UTC is taken.
    """
    local = at.astimezone(find_zone(zone or "UTC") or dt.UTC)
    return any(hours.hold(local) for hours in week)


def stored(week: Sequence[WeeklyHours]) -> list[dict[str, object]]:
    """Hours as a row keeps them."""
    return [hours.model_dump(mode="json", by_alias=True) for hours in week]
