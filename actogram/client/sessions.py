"""The two clients: one blocks, one awaits; both drive the calls of `calls.py`."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from actogram.client import calls
from actogram.client.calls import Call, Pause, Reply, Request
from actogram.client.errors import ApiError, ConnectionLost
from actogram.client.live import FIRST_WAIT_S, SILENCE_S, Message, Resume
from actogram.client.values import Event, Job, Json, Person, Stream

ResultT = TypeVar("ResultT")
_TRIES = 5
_AGAIN = (429, 503)
_LONGEST_WAIT_S = 30.0
_NOT_AGAIN = (401, 403, 404)


def _quiet(_: Job) -> None:
    pass


class _Base:
    """Address, key and time limit of a server."""

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"found {url!r}, expected an address such as http://127.0.0.1:8000")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s

    @property
    def _socket_url(self) -> str:
        return f"ws{self._url.removeprefix('http')}/v1/ws"

    def _arguments(self, request: Request, stack: ExitStack) -> dict[str, object]:
        """A request as httpx takes it; an upload's file is open as long as the stack."""
        found: dict[str, object] = {"params": dict(request.params), "headers": dict(request.headers)}
        if request.file is not None:
            video = stack.enter_context(request.file.open("rb"))
            found["files"] = {"file": (request.file.name, video, calls.media_type(request.file))}
            found["data"] = dict(request.form)
        elif request.json is not None:
            found["json"] = request.json
        return found


def _reply(response: httpx.Response) -> Reply:
    is_json = "json" in response.headers.get("content-type", "").partition(";")[0]
    wait = response.headers.get("retry-after", "")
    return Reply(
        response.status_code, _parsed(response.content) if is_json else None, response.content,
        float(wait) if wait.isdecimal() else None,
    )  # fmt: skip


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:  # the first line of JSON lines, or a proxy's page
        return None


def _delay_s(request: Request, tries: int, reply: Reply | None) -> float | None:
    """Seconds before a request is sent again; None where it must not be, or was often enough."""
    is_safe = request.method in ("GET", "DELETE") or "Idempotency-Key" in request.headers
    if tries >= _TRIES or not is_safe or (reply is not None and reply.status not in _AGAIN):
        return None
    told_s = reply.retry_after_s if reply is not None else None
    if reply is not None and reply.status == 429 and told_s is None:
        return None
    return min(told_s if told_s is not None else FIRST_WAIT_S * 2**tries, _LONGEST_WAIT_S)


def _form(model: str | None, video: bool, tags: Mapping[str, str] | None) -> dict[str, str]:
    wanted = {"model": model, "video": "true" if video else None, "tags": json.dumps(dict(tags)) if tags else None}
    return {name: value for name, value in wanted.items() if value is not None}


def _query(wanted: Mapping[str, object]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in wanted.items()
        if value is not None
    }


class Client(_Base):
    """A server, asked in the calling thread.

    url: such as `http://127.0.0.1:8000`, a path before the API included. key: an API key, where the server wants one.
    timeout_s: of one request. Requests that may safely be repeated are, when the connection fails or the server is
    busy. Every method raises ApiError for what the server refuses, and ConnectionLost when it does not answer.

    >>> with Client("http://127.0.0.1:8000") as client:              # doctest: +SKIP
    ...     job = client.analyze("clip.mp4")
    ...     for person in client.timeline(job.job_id):
    ...         print(person.track_id, [(one.action, one.start_s) for one in person.actions])
    """

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 60.0) -> None:
        super().__init__(url, key, timeout_s)
        self._http = httpx.Client(base_url=self._url, headers=self._headers, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(
        self, video: str | Path, *, model: str | None = None, annotated: bool = False,
        tags: Mapping[str, str] | None = None,
    ) -> Job:  # fmt: skip
        """Upload a video, streamed from disk; returns its job at once. annotated: make a drawn video too."""
        return self._run(calls.submit_file(Path(video), _form(model, annotated, tags)))

    def wait(self, job_id: str, *, every_s: float = 0.5, on_progress: Callable[[Job], None] = _quiet) -> Job:
        """The job once it is over, whatever became of it."""
        return self._run(calls.wait_for(job_id, every_s, on_progress))

    def analyze(self, video: str | Path, *, model: str | None = None) -> Job:
        """Upload a video and wait; raises ApiError with the job's own code when the analysis failed."""
        return _succeeded(self.wait(self.submit(video, model=model).job_id))

    def job(self, job_id: str) -> Job:
        """One job."""
        return self._run(calls.job(job_id))

    def timeline(self, job_id: str) -> tuple[Person, ...]:
        """Who was in a finished job's video, and did what, when."""
        return self._run(calls.timeline(job_id))

    def results(self, job_id: str) -> Iterator[Json]:
        """The lines of a finished job's results (docs/results.md), one by one as they arrive."""
        with self._http.stream("GET", f"/v1/jobs/{job_id}/results") as response:
            if response.is_error:
                response.read()
                calls.checked(_reply(response))
            for line in response.iter_lines():
                if line:
                    yield json.loads(line)

    def annotated_video(self, job_id: str) -> bytes:
        """The mp4 with people drawn, of a job that asked for it."""
        return self._run(calls.download(f"/v1/jobs/{job_id}/video"))

    def delete_job(self, job_id: str) -> None:
        """Cancel a job, or remove it and all that was found."""
        self._run(calls.delete(f"/v1/jobs/{job_id}"))

    def add_stream(self, name: str, uri: str, **settings: object) -> Stream:
        """Watch a camera; it may be off. settings: further fields of `POST /v1/streams`, such as `analysis`."""
        return self._run(calls.add_stream({"name": name, "source": {"uri": uri}, **settings}))

    def stream(self, stream_id: str) -> Stream:
        """One camera, as it is now."""
        return self._run(calls.stream(stream_id))

    def change_stream(self, stream_id: str, **changes: object) -> Stream:
        """A camera with some settings changed, such as `enabled=False`."""
        return self._run(calls.change_stream(stream_id, changes))

    def delete_stream(self, stream_id: str) -> None:
        """Stop watching a camera; its events stay."""
        self._run(calls.delete(f"/v1/streams/{stream_id}"))

    def streams(self) -> Iterator[Stream]:
        """Every camera."""
        return (Stream.of(raw) for raw in self._items("/v1/streams", {}))

    def events(self, **filters: object) -> Iterator[Event]:
        """Events, the newest first, page by page. filters: those of `GET /v1/events`, such as stream, action, since."""
        return (calls.event_of(raw) for raw in self._items("/v1/events", _query(filters)))

    def clip(self, event_id: str) -> bytes:
        """The mp4 of an event whose `clip_state` is `ready`."""
        return self._run(calls.download(f"/v1/events/{event_id}/clip"))

    def snapshot(self, stream_id: str) -> bytes:
        """A camera's picture now, as JPEG."""
        return self._run(calls.download(f"/v1/streams/{stream_id}/snapshot"))

    def live(
        self, streams: Sequence[str] | None = None, messages: Sequence[str] | None = None, *,
        since_seq: int | None = None, max_rate_hz: float | None = None, patience_s: float | None = None,
    ) -> Iterator[Message]:  # fmt: skip
        """Messages as they come, for ever, from now on; a lost connection is taken up where it was.

        streams: patterns of ids; messages: families (`action`) or types; None for all but frames. since_seq: first
        everything stored after this number. patience_s: how long the server may be away before ConnectionLost.
        """
        resume = Resume(streams, messages, since_seq, max_rate_hz)
        batches = self._batches(resume, patience_s)
        held: list[Message] = []
        while not resume.is_connected:
            # Not left to the first message that is asked for: what happens between belongs to the caller too.
            held += next(batches)
        return itertools.chain(held, itertools.chain.from_iterable(batches))

    def _batches(self, resume: Resume, patience_s: float | None) -> Iterator[list[Message]]:
        while True:
            try:
                yield from self._connection(resume)
            except InvalidStatus as error:
                _refuse(error)
            except (OSError, WebSocketException, TimeoutError):
                pass
            time.sleep(resume.lost(time.monotonic(), patience_s))

    def _connection(self, resume: Resume) -> Iterator[list[Message]]:
        with connect(self._socket_url, additional_headers=self._headers, open_timeout=self._timeout_s) as socket:
            socket.send(json.dumps(resume.subscription()))
            while True:
                yield list(resume.take(json.loads(socket.recv(timeout=SILENCE_S))))

    def _items(self, path: str, params: Mapping[str, str]) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            found = self._run(calls.page(path, params, cursor))
            yield from found.items
            cursor = found.next_cursor
            if cursor is None:
                return

    def _run(self, call: Call[ResultT]) -> ResultT:
        try:
            step = next(call)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = next(call)
                else:
                    step = call.send(self._send(step))
        except StopIteration as end:
            result: ResultT = end.value
            return result

    def _send(self, request: Request) -> Reply:
        for tries in range(_TRIES + 1):
            reply, cause = self._try(request)
            delay_s = _delay_s(request, tries, reply)
            if delay_s is None:
                return _answered(reply, cause, self._url)
            time.sleep(delay_s)
        raise AssertionError("the last try is never repeated")

    def _try(self, request: Request) -> tuple[Reply | None, Exception | None]:
        with ExitStack() as stack:
            arguments = self._arguments(request, stack)
            try:
                response = self._http.request(request.method, request.path, **arguments)  # type: ignore[arg-type]
            except httpx.TransportError as error:
                return None, error
            return _reply(response), None


class AsyncClient(_Base):
    """The same as `Client`, for programs on asyncio: every method is awaited, every iterator is asynchronous."""

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 60.0) -> None:
        super().__init__(url, key, timeout_s)
        self._http = httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def submit(
        self, video: str | Path, *, model: str | None = None, annotated: bool = False,
        tags: Mapping[str, str] | None = None,
    ) -> Job:  # fmt: skip
        """As `Client.submit`."""
        return await self._run(calls.submit_file(Path(video), _form(model, annotated, tags)))

    async def wait(self, job_id: str, *, every_s: float = 0.5, on_progress: Callable[[Job], None] = _quiet) -> Job:
        """As `Client.wait`."""
        return await self._run(calls.wait_for(job_id, every_s, on_progress))

    async def analyze(self, video: str | Path, *, model: str | None = None) -> Job:
        """As `Client.analyze`."""
        return _succeeded(await self.wait((await self.submit(video, model=model)).job_id))

    async def job(self, job_id: str) -> Job:
        """One job."""
        return await self._run(calls.job(job_id))

    async def timeline(self, job_id: str) -> tuple[Person, ...]:
        """As `Client.timeline`."""
        return await self._run(calls.timeline(job_id))

    async def results(self, job_id: str) -> AsyncIterator[Json]:
        """As `Client.results`."""
        async with self._http.stream("GET", f"/v1/jobs/{job_id}/results") as response:
            if response.is_error:
                await response.aread()
                calls.checked(_reply(response))
            async for line in response.aiter_lines():
                if line:
                    yield json.loads(line)

    async def annotated_video(self, job_id: str) -> bytes:
        """As `Client.annotated_video`."""
        return await self._run(calls.download(f"/v1/jobs/{job_id}/video"))

    async def delete_job(self, job_id: str) -> None:
        """As `Client.delete_job`."""
        await self._run(calls.delete(f"/v1/jobs/{job_id}"))

    async def add_stream(self, name: str, uri: str, **settings: object) -> Stream:
        """As `Client.add_stream`."""
        return await self._run(calls.add_stream({"name": name, "source": {"uri": uri}, **settings}))

    async def stream(self, stream_id: str) -> Stream:
        """One camera, as it is now."""
        return await self._run(calls.stream(stream_id))

    async def change_stream(self, stream_id: str, **changes: object) -> Stream:
        """As `Client.change_stream`."""
        return await self._run(calls.change_stream(stream_id, changes))

    async def delete_stream(self, stream_id: str) -> None:
        """As `Client.delete_stream`."""
        await self._run(calls.delete(f"/v1/streams/{stream_id}"))

    async def streams(self) -> AsyncIterator[Stream]:
        """Every camera."""
        async for raw in self._items("/v1/streams", {}):
            yield Stream.of(raw)

    async def events(self, **filters: object) -> AsyncIterator[Event]:
        """As `Client.events`."""
        async for raw in self._items("/v1/events", _query(filters)):
            yield calls.event_of(raw)

    async def clip(self, event_id: str) -> bytes:
        """As `Client.clip`."""
        return await self._run(calls.download(f"/v1/events/{event_id}/clip"))

    async def snapshot(self, stream_id: str) -> bytes:
        """As `Client.snapshot`."""
        return await self._run(calls.download(f"/v1/streams/{stream_id}/snapshot"))

    async def live(
        self, streams: Sequence[str] | None = None, messages: Sequence[str] | None = None, *,
        since_seq: int | None = None, max_rate_hz: float | None = None, patience_s: float | None = None,
    ) -> AsyncIterator[Message]:  # fmt: skip
        """As `Client.live`, but from the first message that is awaited on."""
        resume = Resume(streams, messages, since_seq, max_rate_hz)
        while True:
            try:
                async for message in self._connection(resume):
                    yield message
            except InvalidStatus as error:
                _refuse(error)
            except (OSError, WebSocketException, TimeoutError):
                pass
            await asyncio.sleep(resume.lost(time.monotonic(), patience_s))

    async def _connection(self, resume: Resume) -> AsyncIterator[Message]:
        async with connect_async(
            self._socket_url, additional_headers=self._headers, open_timeout=self._timeout_s
        ) as socket:
            await socket.send(json.dumps(resume.subscription()))
            while True:
                for message in resume.take(json.loads(await asyncio.wait_for(socket.recv(), SILENCE_S))):
                    yield message

    async def _items(self, path: str, params: Mapping[str, str]) -> AsyncIterator[Json]:
        cursor: str | None = None
        while True:
            found = await self._run(calls.page(path, params, cursor))
            for raw in found.items:
                yield raw
            cursor = found.next_cursor
            if cursor is None:
                return

    async def _run(self, call: Call[ResultT]) -> ResultT:
        try:
            step = next(call)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = next(call)
                else:
                    step = call.send(await self._send(step))
        except StopIteration as end:
            result: ResultT = end.value
            return result

    async def _send(self, request: Request) -> Reply:
        for tries in range(_TRIES + 1):
            reply, cause = await self._try(request)
            delay_s = _delay_s(request, tries, reply)
            if delay_s is None:
                return _answered(reply, cause, self._url)
            await asyncio.sleep(delay_s)
        raise AssertionError("the last try is never repeated")

    async def _try(self, request: Request) -> tuple[Reply | None, Exception | None]:
        with ExitStack() as stack:
            arguments = self._arguments(request, stack)
            try:
                response = await self._http.request(request.method, request.path, **arguments)  # type: ignore[arg-type]
            except httpx.TransportError as error:
                return None, error
            return _reply(response), None


def _answered(reply: Reply | None, cause: Exception | None, url: str) -> Reply:
    if reply is None:
        raise ConnectionLost(f"{url} does not answer: {cause}") from cause
    return reply


def _succeeded(job: Job) -> Job:
    if job.state != "succeeded":
        raise ApiError(422, job.error_code or job.state, job.error or f"the job is {job.state}")
    return job


def _refuse(error: InvalidStatus) -> None:
    """Raise ApiError for an answer that will stay the same; a server that is busy or starts is tried again."""
    status = error.response.status_code
    if status in _NOT_AGAIN:
        raise ApiError(status, f"http_{status}", f"the live channel answered {status}") from error
