"""What clients may ask events by, read from the query of a request."""

import datetime as dt
from typing import Annotated

from fastapi import Depends, Query

from pipelines.types import EventState
from service.errors import InvalidRequest
from service.events.search import Filter
from service.numbers import INTEGER_MAX, Time, in_utc


def _filter(
    stream: str | None = None,
    job: str | None = None,
    action: str | None = None,
    state: EventState | None = None,
    zone: str | None = None,
    severity: str | None = None,
    track: Annotated[int | None, Query(ge=0, le=INTEGER_MAX)] = None,
    min_score: Annotated[float | None, Query(ge=0, le=1)] = None,
    since: Time | None = None,
    until: Time | None = None,
    tag: Annotated[str | None, Query(pattern="^[^:]*:", description="`key:value`")] = None,
    acknowledged: bool | None = None,
    retracted: Annotated[
        bool | None, Query(description="Whether first guesses that were taken back are listed alone, or left out.")
    ] = None,
) -> Filter:
    key, colon, value = (tag or "").partition(":")
    if tag is not None and not colon:
        raise InvalidRequest(f"query.tag: found {tag!r}, expected key:value")
    return Filter(
        stream, job, action, state, zone, severity, track, min_score, utc(since, "since"), utc(until, "until"),
        (key, value) if tag is not None else None, acknowledged, retracted,
    )  # fmt: skip


def utc(time: dt.datetime | None, name: str) -> dt.datetime | None:
    """A time of the query in UTC; raises InvalidRequest for one that has none there."""
    return None if time is None else in_utc(time, f"query.{name}")


FilterDep = Annotated[Filter, Depends(_filter)]
