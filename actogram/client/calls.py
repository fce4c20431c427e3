"""What is asked of the server and what is made of its answers, without a word about waiting.

A call is a generator: it yields requests, is sent their replies, and returns its result;
`blocking.py` and `awaiting.py` drive it.
"""

import mimetypes
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from actogram.client.errors import ApiError
from actogram.client.values import Event, Job, Json, Person, Stream, table, tables

ResultT = TypeVar("ResultT")
Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One request. file: sent as multipart, with `form` beside it. json: sent as the body otherwise."""

    method: str
    path: str
    params: Parameters = field(default_factory=dict)
    json: Json | None = None
    file: Path | None = None
    form: Parameters = field(default_factory=dict)
    headers: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait before the call goes on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, parsed JSON where it was JSON, and the bytes."""

    status: int
    json: object
    content: bytes
    retry_after_s: float | None = None


Call = Generator[Request | Pause, Reply, ResultT]


def checked(reply: Reply) -> Reply:
    """The reply; raises ApiError where the server refused."""
    if reply.status < 400:
        return reply
    problem = table(reply.json)
    code, detail = problem.get("code"), problem.get("detail") or problem.get("title")
    raise ApiError(
        reply.status,
        code if isinstance(code, str) else f"http_{reply.status}",
        detail if isinstance(detail, str) else f"the server answered {reply.status}",
        reply.retry_after_s,
    )


def submit_file(path: Path, form: Parameters) -> Call[Job]:
    """Upload a video."""
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    reply = yield Request("POST", "/v1/jobs", file=path, form=form, headers=headers)
    return Job.of(table(checked(reply).json))


def wait_for(job_id: str, every_s: float, told: Callable[[Job], None]) -> Call[Job]:
    """Ask for a job until it is over; `told` gets it each time."""
    while True:
        reply = yield Request("GET", f"/v1/jobs/{part(job_id)}")
        job = Job.of(table(checked(reply).json))
        told(job)
        if job.is_over:
            return job
        yield Pause(every_s)


def timeline(job_id: str) -> Call[tuple[Person, ...]]:
    """People of a finished job."""
    reply = yield Request("GET", f"/v1/jobs/{part(job_id)}/timeline")
    return tuple(Person.of(one) for one in tables(table(checked(reply).json).get("tracks")))


def download(path: str) -> Call[bytes]:
    """The bytes of a path."""
    reply = yield Request("GET", path, headers={"Accept": "*/*"})
    return checked(reply).content


def delete(path: str) -> Call[None]:
    """Remove what a path names."""
    reply = yield Request("DELETE", path)
    checked(reply)


def job(job_id: str) -> Call[Job]:
    """One job."""
    reply = yield Request("GET", f"/v1/jobs/{part(job_id)}")
    return Job.of(table(checked(reply).json))


def add_stream(settings: Json) -> Call[Stream]:
    """A new camera; it may be off."""
    reply = yield Request("POST", "/v1/streams", json=settings, headers={"Idempotency-Key": secrets.token_hex(16)})
    return Stream.of(table(checked(reply).json))


def change_stream(stream_id: str, changes: Json) -> Call[Stream]:
    """A camera with some of its settings changed."""
    reply = yield Request("PATCH", f"/v1/streams/{part(stream_id)}", json=changes)
    return Stream.of(table(checked(reply).json))


def stream(stream_id: str) -> Call[Stream]:
    """One camera."""
    reply = yield Request("GET", f"/v1/streams/{part(stream_id)}")
    return Stream.of(table(checked(reply).json))


@dataclass(frozen=True, slots=True)
class Page:
    """Items of one page of a list, and the cursor of the next; None on the last one."""

    items: tuple[Json, ...]
    next_cursor: str | None


def page(path: str, params: Parameters, cursor: str | None) -> Call[Page]:
    """One page of a list."""
    reply = yield Request("GET", path, params={**params, **({"cursor": cursor} if cursor else {})})
    answer = table(checked(reply).json)
    following = answer.get("next_cursor")
    return Page(tuple(tables(answer.get("items"))), following if isinstance(following, str) else None)


def event_of(raw: Json) -> Event:
    """An item of a page of events."""
    return Event.of(raw)


def part(name: str) -> str:
    """An id as one part of a path, whatever is in it."""
    return quote(name, safe="")


def media_type(path: Path) -> str:
    """What a file's name says that it holds."""
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
