"""The client that awaits."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from actogram.client import calls
from actogram.client.calls import Call, Pause, Reply, Request
from actogram.client.live import SILENCE_S, Message, Resume
from actogram.client.server import (
    TRIES,
    Server,
    answered,
    query,
    quiet,
    refuse,
    reply_of,
    retry_delay,
    succeeded,
    upload_form,
)
from actogram.client.values import Event, Job, Json, Person, Stream

ResultT = TypeVar("ResultT")


class AsyncClient(Server):
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
        return await self._run(calls.submit_file(Path(video), upload_form(model, annotated, tags)))

    async def wait(self, job_id: str, *, every_s: float = 0.5, on_progress: Callable[[Job], None] = quiet) -> Job:
        """As `Client.wait`."""
        return await self._run(calls.wait_for(job_id, every_s, on_progress))

    async def analyze(self, video: str | Path, *, model: str | None = None) -> Job:
        """As `Client.analyze`."""
        return succeeded(await self.wait((await self.submit(video, model=model)).job_id))

    async def job(self, job_id: str) -> Job:
        """One job."""
        return await self._run(calls.job(job_id))

    async def timeline(self, job_id: str) -> tuple[Person, ...]:
        """As `Client.timeline`."""
        return await self._run(calls.timeline(job_id))

    async def results(self, job_id: str) -> AsyncIterator[Json]:
        """As `Client.results`."""
        try:
            async with self._http.stream("GET", f"/v1/jobs/{calls.part(job_id)}/results") as response:
                if response.is_error:
                    await response.aread()
                    calls.checked(reply_of(response))
                async for line in response.aiter_lines():
                    if line:
                        yield json.loads(line)
        except httpx.TransportError as error:
            answered(None, error, self._url)

    async def annotated_video(self, job_id: str) -> bytes:
        """As `Client.annotated_video`."""
        return await self._run(calls.download(f"/v1/jobs/{calls.part(job_id)}/video"))

    async def delete_job(self, job_id: str) -> None:
        """As `Client.delete_job`."""
        await self._run(calls.delete(f"/v1/jobs/{calls.part(job_id)}"))

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
        await self._run(calls.delete(f"/v1/streams/{calls.part(stream_id)}"))

    async def streams(self) -> AsyncIterator[Stream]:
        """Every camera."""
        async for raw in self._items("/v1/streams", {}):
            yield Stream.of(raw)

    async def events(self, **filters: object) -> AsyncIterator[Event]:
        """As `Client.events`."""
        async for raw in self._items("/v1/events", query(filters)):
            yield calls.event_of(raw)

    async def clip(self, event_id: str) -> bytes:
        """As `Client.clip`."""
        return await self._run(calls.download(f"/v1/events/{calls.part(event_id)}/clip"))

    async def snapshot(self, stream_id: str) -> bytes:
        """As `Client.snapshot`."""
        return await self._run(calls.download(f"/v1/streams/{calls.part(stream_id)}/snapshot"))

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
                refuse(error)
            except (OSError, WebSocketException, TimeoutError):
                pass
            await asyncio.sleep(resume.lost(time.monotonic(), patience_s))

    async def _connection(self, resume: Resume) -> AsyncIterator[Message]:
        async with connect(self.socket_url, additional_headers=self._headers, open_timeout=self._timeout_s) as socket:
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
        for tries in range(TRIES + 1):
            reply, cause = await self._try(request)
            delay_s = retry_delay(request, tries, reply)
            if delay_s is None:
                return answered(reply, cause, self._url)
            await asyncio.sleep(delay_s)
        raise AssertionError("the last try is never repeated")

    async def _try(self, request: Request) -> tuple[Reply | None, Exception | None]:
        with ExitStack() as stack:
            arguments = self.arguments_of(request, stack)
            try:
                response = await self._http.request(request.method, request.path, **arguments)  # type: ignore[arg-type]
            except httpx.TransportError as error:
                return None, error
            return reply_of(response), None
