"""Keeps the evidence of events: the clip, the skeletons and window scores around it, and the thresholds."""

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
from pydantic import JsonValue

from models.atomic_file import replacing
from models.runtime.contract import ActionContract
from models.severity import is_at_least
from pipelines.orientation import Rotation
from pipelines.results import networks_json
from pipelines.stream.clips import Clip, ClipWriter, EvidenceBuffer
from pipelines.stream.render.blur import FaceRecord
from pipelines.stream.render.thumbnail import thumbnail
from pipelines.types import ActionScores, Event, Frame, FrameResult, NetworksUsed, PacketSink
from service.blobs import safe_name
from service.protocol.facts import ClipReport
from service.protocol.stream_config import Recording
from service.worker.landing import Landing
from service.worker.report import FrameReport, Reporter

logger = logging.getLogger(__name__)

_RING_BYTES = 32 << 20
_GRACE_S = 5.0
_LANDING_S = 5.0


@dataclass(frozen=True, slots=True)
class EvidencePlan:
    """What is kept, and where.

    landing: where it is written, and how it comes to its place.  has_pictures: False keeps skeletons and scores alone.
    networks: which see and judge the people; None where nobody said.
    faces: where heads are, which are then not shown; None keeps pictures as they are.
    rotate, mirror: how the camera's pictures are turned: degrees clockwise, then left and right swapped.
    """

    landing: Landing
    recording: Recording
    has_pictures: bool
    networks: NetworksUsed | None = None
    rotate: Rotation = 0
    mirror: bool = False
    faces: FaceRecord | None = None


@dataclass(frozen=True, slots=True)
class _Moment:
    """One analysed frame: the people in it, and the window scores that were made with it."""

    time_s: float
    index: int
    people: tuple[JsonValue, ...]
    scores: tuple[JsonValue, ...]


@dataclass(frozen=True, slots=True)
class _Due:
    """An event to be written to disk as soon as either time has come.

    end_s: media second up to which it is.  media_s: of the last picture that it needs.  wall_s: monotonic.
    """

    event: Event
    end_s: float
    media_s: float
    wall_s: float


def has_evidence(contract: ActionContract, recording: Recording, action: str) -> bool:
    """Whether a stream keeps evidence of an action. Decided here alone; every report of an event carries the answer."""
    rule = contract.actions.get(action)
    return recording.enabled and is_at_least(rule.severity if rule else "info", recording.min_severity)


class EvidenceKeeper:
    """Remembers the last seconds of one stream, and writes them to disk for each event whose report says so."""

    def __init__(
        self, plan: EvidencePlan, contract: ActionContract, reporter: Reporter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._clock = clock
        self._contract = contract
        self._reporter = reporter
        recording = plan.recording
        self._is_on = recording.enabled
        self._span_s = recording.max_s + recording.pre_roll_s + recording.post_roll_s
        self._moments: deque[_Moment] = deque()
        self._open: dict[str, Event] = {}
        self._cut_short: set[str] = set()
        self._due: list[_Due] = []
        self._shown: Frame | None = None
        has_clips = self._is_on and plan.has_pictures
        self._ring = EvidenceBuffer(_RING_BYTES, self._span_s + 10.0) if has_clips else None
        self._writer = ClipWriter(
            self._on_clip, recording.pre_roll_s, recording.post_roll_s, recording.max_s, faces=plan.faces
        ) if has_clips else None  # fmt: skip

    def start(self) -> None:
        """Start writing clips."""
        if self._writer is not None:
            self._writer.start()

    @property
    def packets(self) -> PacketSink | None:
        """Where the reader puts compressed pictures; None when no clips are kept."""
        return self._ring

    def add(self, result: FrameResult, report: FrameReport) -> None:
        """Remember a frame, and notice which events begin and end with it."""
        if not self._is_on:
            return
        self._remember(result, report.people)
        if self._plan.has_pictures:
            self._show(result, report)
        self.follow(report)

    def follow(self, report: FrameReport) -> None:
        """Notice which events begin and end."""
        for action in report.actions:
            if not action.has_evidence:
                continue
            event = action.event
            if action.name == "action.started":
                self._open[event.event_id] = event
            elif action.name == "action.ended":
                self._open.pop(event.event_id, None)
                if event.event_id not in self._cut_short:
                    self._settle(event, event.end_s)
                self._cut_short.discard(event.event_id)

    def tick(self, last_s: float | None) -> None:
        """Cut events that go on for too long, and write what is complete."""
        if last_s is None or not self._is_on:
            return
        for event in [one for one in self._open.values() if last_s - one.start_s > self._plan.recording.max_s]:
            del self._open[event.event_id]
            self._cut_short.add(event.event_id)
            self._settle(event, event.start_s + self._plan.recording.max_s)
        now_s = self._clock()
        due = [one for one in self._due if one.media_s <= last_s or one.wall_s <= now_s]
        self._due = [one for one in self._due if one not in due]
        for one in due:
            self._write(one.event, one.end_s)

    def history(self, track_id: int) -> list[str]:
        """What is remembered of one person, one JSON object per frame, oldest first."""
        return [line for moment in self._moments for line in _lines(moment, track_id)]

    def close(self) -> None:
        """Write what there is, without waiting for pictures that will not come."""
        for event in self._open.values():
            self._settle(event, max(event.end_s, event.start_s))
        self._open.clear()
        for one in self._due:
            self._write(one.event, one.end_s)
        self._due.clear()
        if self._writer is not None:
            self._writer.stop()
            self._writer.join()
        if not self._plan.landing.settle(_LANDING_S):
            logger.warning("evidence of this stream still waits for the store")

    def _remember(self, result: FrameResult, people: list[JsonValue]) -> None:
        scores = tuple(self._score(one) for one in result.scores)
        self._moments.append(_Moment(result.frame.time_s, result.frame.index, tuple(people), scores))
        while self._moments[0].time_s < result.frame.time_s - self._span_s:
            self._moments.popleft()

    def _show(self, result: FrameResult, report: FrameReport) -> None:
        """Keep a small picture of the frame with which an event was confirmed."""
        if self._plan.faces is None or result.poses.is_looked:
            self._shown = result.frame
        begun = [one.event.event_id for one in report.actions if one.has_evidence and one.name == "action.started"]
        jpeg = self._thumbnail() if begun else None
        for event_id in begun if jpeg is not None else ():
            try:
                with replacing(self._folder(event_id) / "thumbnail.jpg") as part:
                    part.write_bytes(jpeg or b"")
                self._plan.landing.land(event_id, _tell_nobody)
            except OSError as error:
                logger.warning("the picture of %s could not be written: %s", event_id, error.strerror)

    def _thumbnail(self) -> bytes | None:
        """Of the newest frame in which everybody was looked for, where faces are hidden; None where there is none."""
        frame, faces = self._shown, self._plan.faces
        if frame is None:
            return None
        try:
            return thumbnail(frame.image if faces is None else faces.hidden(frame.image, frame.time_s))
        except cv2.error as error:
            logger.warning("a picture whose faces could not be hidden is not kept: %s", error)
            return None

    def _score(self, one: ActionScores) -> JsonValue:
        probabilities = zip(self._contract.labels, one.probabilities, strict=True)
        return {
            "track_id": self._reporter.track_id(one.track_id),
            "media_time_s": round(one.time_s, 3),
            "status": one.status,
            "reason": one.reason,
            "probabilities": {label: round(float(value), 4) for label, value in probabilities},
        }

    def _settle(self, event: Event, end_s: float) -> None:
        """Have it written once its last second has been seen, or after a grace period: the camera may be gone."""
        post_roll_s = self._plan.recording.post_roll_s
        self._due.append(_Due(event, end_s, end_s + post_roll_s, self._clock() + post_roll_s + _GRACE_S))

    def _on_clip(self, clip: Clip) -> None:
        asked_s = (round(clip.start_s, 3), round(clip.end_s, 3))
        covered_s = None if clip.covered_s is None else (round(clip.covered_s[0], 3), round(clip.covered_s[1], 3))
        state: Literal["ready", "failed"] = "ready" if clip.state == "ready" else "failed"
        self._land(ClipReport(clip.clip_id, state, asked_s, covered_s, clip.reason))

    def _land(self, report: ClipReport) -> None:
        """Report once everything is where the service finds it."""

        def tell(is_there: bool) -> None:
            said = report if is_there else ClipReport(report.event_id, "failed", reason="store_unavailable")
            try:
                self._reporter.deliver(said)
            except TimeoutError as error:
                logger.warning("the clip of %s could not be announced: %s", report.event_id, error)

        self._plan.landing.land(report.event_id, tell)

    def _write(self, event: Event, end_s: float) -> None:
        recording, rule = self._plan.recording, self._contract.actions.get(event.action)
        first_s, last_s = event.start_s - recording.pre_roll_s, end_s + recording.post_roll_s
        kept = [moment for moment in self._moments if first_s <= moment.time_s <= last_s]
        covered: JsonValue = [round(kept[0].time_s, 3), round(kept[-1].time_s, 3)] if kept else None
        reasons: dict[str, JsonValue] = {
            "event_id": event.event_id, "action": event.action, "start_s": event.start_s, "end_s": end_s,
            "model": self._contract.name, "model_sha256": self._contract.sha256,
            "networks": networks_json(self._plan.networks),
            "labels": list(self._contract.labels), "rule": rule.model_dump() if rule else None,
            "temperature": self._contract.temperature, "layout": self._contract.layout,
            "skeletons_cover_s": covered,
            "rotate": self._plan.rotate, "mirror": self._plan.mirror,
            "window_scores": [score for moment in kept for score in moment.scores],
        }  # fmt: skip
        folder = self._folder(event.event_id)
        lines = [line for moment in kept for line in _lines(moment)]
        try:
            with replacing(folder / "skeletons.jsonl") as part:
                part.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
            with replacing(folder / "evidence.json") as part:
                part.write_text(json.dumps(reasons), encoding="utf-8")
        except OSError as error:
            logger.warning("the evidence of %s could not be written: %s", event.event_id, error.strerror)
        self._request_clip(event, end_s, folder / "clip.mp4")

    def _request_clip(self, event: Event, end_s: float, path: Path) -> None:
        """Comes last, so that whoever is told of the clip finds everything else in place."""
        if self._ring is None or self._writer is None:
            self._land(ClipReport(event.event_id, "failed", reason="no_pictures"))
            return
        clip = self._writer.request(event.event_id, self._ring, event.start_s, end_s, path)
        if clip.state == "failed":
            self._on_clip(clip)

    def _folder(self, event_id: str) -> Path:
        folder = self._plan.landing.folder / safe_name(event_id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            logger.warning("the folder for the evidence of %s could not be created: %s", event_id, error.strerror)
        return folder


def _tell_nobody(_: bool) -> None:
    """A small picture is reported with the clip."""


def _lines(moment: _Moment, track_id: int | None = None) -> list[str]:
    """The people of one frame, or one of them, as JSON."""
    return [
        json.dumps({"media_time_s": round(moment.time_s, 4), "frame_index": moment.index, **person})
        for person in moment.people
        if isinstance(person, dict) and track_id in (None, person["track_id"])
    ]
