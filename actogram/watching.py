"""A camera, live: one moment after the other, in a loop of the caller's."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from actogram.loading import Choice, require_networks
from models.arrays import FloatArray, Image
from pipelines.addresses.policy import AddressPolicy
from pipelines.addresses.redact import redact
from pipelines.addresses.schemes import CAMERA_SCHEMES
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.build import Networks, build_pipeline
from pipelines.stream.config import PipelineConfig
from pipelines.stream.sources.open import build_reader
from pipelines.stream.sources.status import LiveOptions
from pipelines.stream.watch import watch as follow
from pipelines.types import Event, FrameResult

_HELD = 8
_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class PersonNow:
    """One person in one picture.

    xyxy: left, top, right, bottom in pixels. keypoints: (V, 3) float32, x, y in pixels and score.
    action: None where nothing is named; `status` says why (docs/results.md).
    """

    track_id: int
    action: str | None
    score: float
    status: str
    xyxy: tuple[float, float, float, float]
    keypoints: FloatArray


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known after one picture.

    time_s: media seconds. image: (H, W, 3) uint8 BGR. events: those that changed with this picture.
    """

    time_s: float
    image: Image
    layout: str
    people: tuple[PersonNow, ...]
    events: tuple[Event, ...]


class Watch:
    """A camera that is being watched: iterate over it, and close it, best by `with`.

    A caller that is slow loses the oldest moments, never the events in them: those come with the next moment. The
    iteration ends when the source does (files), or after `close`; a camera that is away is waited for.
    """

    def __init__(
        self, uri: str, *, choice: Choice | Networks | None = None, fps: float = 15.0, transport: str = "tcp"
    ) -> None:
        if transport not in ("tcp", "udp"):
            raise ValueError(f"found transport {transport!r}, expected tcp or udp")
        address = Path(uri).resolve().as_uri() if Path(uri).is_file() else uri
        networks = require_networks(choice)
        self._buffer = FrameBuffer(4, "drop_oldest")
        # Whoever calls this may open what they may open anyway.
        policy = AddressPolicy(
            CAMERA_SCHEMES - {"push"}, frozenset({"public", "private", "loopback"}), folders=(Path("/"),)
        )
        options = LiveOptions(transport="udp" if transport == "udp" else "tcp", rate_hz=fps)
        self._reader = build_reader(address, self._buffer, policy, options)
        self._pipeline = build_pipeline(networks, PipelineConfig(), redact(address))
        self._moments: queue.Queue[Moment] = queue.Queue(_HELD)
        self._owed: list[Event] = []
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._last: Moment | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._reader.start()
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Moment]:
        """Moments as they come. Raises SourceError or ModelError that ended the watching."""
        while True:
            try:
                yield self._moments.get(timeout=_WAIT_S)
            except queue.Empty:
                if not self._thread.is_alive() and self._moments.empty():
                    break
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop; may be called twice."""
        self._stopping.set()
        self._reader.stop()
        self._buffer.stop()
        self._thread.join()
        self._reader.join()

    def _run(self) -> None:
        try:
            last = follow(self._buffer, self._pipeline, self._take, lambda: None, self._stopping.is_set)
        except BaseException as error:  # noqa: BLE001 - a thread's edge: the caller's loop raises it
            self._error = error
            return
        if last and self._last is not None:
            self._put(Moment(self._last.time_s, self._last.image, self._last.layout, (), last))

    def _take(self, result: FrameResult, _: float) -> None:
        self._last = _moment(result)
        self._put(self._last)

    def _put(self, moment: Moment) -> None:
        self._owed += moment.events
        while True:
            whole = Moment(moment.time_s, moment.image, moment.layout, moment.people, tuple(self._owed))
            try:
                self._moments.put_nowait(whole)
            except queue.Full:
                self._owed = [*self._drop_oldest(), *self._owed]
            else:
                self._owed = []
                return

    def _drop_oldest(self) -> tuple[Event, ...]:
        try:
            return self._moments.get_nowait().events
        except queue.Empty:
            return ()


def watch(uri: str, *, choice: Choice | Networks | None = None, fps: float = 15.0, transport: str = "tcp") -> Watch:
    """Follow a camera (rtsp://, rtmp://, http://, webcam:0) or a file at its own pace.

    fps: pictures analysed per second, at most. Raises SourceForbidden for an address of another kind, and ModelError
    where networks cannot be had; what ends the watching later is raised by the loop.
    """
    return Watch(uri, choice=choice, fps=fps, transport=transport)


def _moment(result: FrameResult) -> Moment:
    people = tuple(
        PersonNow(state.track_id, state.action, state.score, state.status, _corners(box), keypoints)
        for state, box, keypoints in zip(result.states, result.poses.xyxy, result.poses.keypoints, strict=True)
    )
    return Moment(result.frame.time_s, result.frame.image, result.poses.layout, people, result.events)


def _corners(box: FloatArray) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(side) for side in box)
    return left, top, right, bottom
