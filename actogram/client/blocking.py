"""The client that blocks."""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

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


class Client(Server):
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
        return self._run(calls.submit_file(Path(video), upload_form(model, annotated, tags)))

    def wait(self, job_id: str, *, every_s: float = 0.5, on_progress: Callable[[Job], None] = quiet) -> Job:
        """The job once it is over, whatever became of it."""
        return self._run(calls.wait_for(job_id, every_s, on_progress))

    def analyze(self, video: str | Path, *, model: str | None = None) -> Job:
        """Upload a video and wait; raises ApiError with the job's own code when the analysis failed."""
        return succeeded(self.wait(self.submit(video, model=model).job_id))

    def job(self, job_id: str) -> Job:
        """One job."""
        return self._run(calls.job(job_id))

    def timeline(self, job_id: str) -> tuple[Person, ...]:
        """Who was in a finished job's video, and did what, when."""
        return self._run(calls.timeline(job_id))

    def results(self, job_id: str) -> Iterator[Json]:
        """The lines of a finished job's results (docs/results.md), one by one as they arrive."""
        try:
            with self._http.stream("GET", f"/v1/jobs/{calls.part(job_id)}/results") as response:
                if response.is_error:
                    response.read()
                    calls.checked(reply_of(response))
                for line in response.iter_lines():
                    if line:
                        yield json.loads(line)
        except httpx.TransportError as error:
            answered(None, error, self._url)

    def annotated_video(self, job_id: str) -> bytes:
        """The mp4 with people drawn, of a job that asked for it."""
        return self._run(calls.download(f"/v1/jobs/{calls.part(job_id)}/video"))

    def delete_job(self, job_id: str) -> None:
        """Cancel a job, or remove it and all that was found."""
        self._run(calls.delete(f"/v1/jobs/{calls.part(job_id)}"))

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
        self._run(calls.delete(f"/v1/streams/{calls.part(stream_id)}"))

    def streams(self) -> Iterator[Stream]:
        """Every camera."""
        return (Stream.of(raw) for raw in self._items("/v1/streams", {}))

    def events(self, **filters: object) -> Iterator[Event]:
        """Events, the newest first, page by page. filters: those of `GET /v1/events`, such as stream, action, since."""
        return (calls.event_of(raw) for raw in self._items("/v1/events", query(filters)))

    def clip(self, event_id: str) -> bytes:
        """The mp4 of an event whose `clip_state` is `ready`."""
        return self._run(calls.download(f"/v1/events/{calls.part(event_id)}/clip"))

    def snapshot(self, stream_id: str) -> bytes:
        """A camera's picture now, as JPEG."""
        return self._run(calls.download(f"/v1/streams/{calls.part(stream_id)}/snapshot"))

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
                refuse(error)
            except (OSError, WebSocketException, TimeoutError):
                pass
            time.sleep(resume.lost(time.monotonic(), patience_s))

    def _connection(self, resume: Resume) -> Iterator[list[Message]]:
        with connect(self.socket_url, additional_headers=self._headers, open_timeout=self._timeout_s) as socket:
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
        for tries in range(TRIES + 1):
            reply, cause = self._try(request)
            delay_s = retry_delay(request, tries, reply)
            if delay_s is None:
                return answered(reply, cause, self._url)
            time.sleep(delay_s)
        raise AssertionError("the last try is never repeated")

    def _try(self, request: Request) -> tuple[Reply | None, Exception | None]:
        with ExitStack() as stack:
            arguments = self.arguments_of(request, stack)
            try:
                response = self._http.request(request.method, request.path, **arguments)  # type: ignore[arg-type]
            except httpx.TransportError as error:
                return None, error
            return reply_of(response), None
