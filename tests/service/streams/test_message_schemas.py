"""What really goes over the live channel, and into result files, is what the OpenAPI document says."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from websockets.sync.client import connect

from pipelines.results import ActionSpan, Header, PersonTimeline, RunStats, Summary
from pipelines.stream.sinks.text import JsonlSink, JsonSink
from pipelines.types import ActionState, Event, Frame, FrameResult, Poses
from service.envelope import Envelope
from service.jobs.result_schemas import ResultLine, ResultSummary, Timeline
from service.message_schemas import ActionMessage, LiveMessage
from service.protocol.facts import ClipReport, TrackEnded, TrackStarted
from tests.service.conftest import Running
from tests.service.facts import T0, report
from tests.service.streams.conftest import Stage

ALL = ["action", "track", "stream", "clip", "frame", "job"]


def _typed(text: str) -> str:
    """The type of a message that is what the document says; raises ValidationError."""
    LiveMessage.model_validate_json(text)
    return str(json.loads(text)["type"])


def test_every_message_of_a_stream_is_what_the_document_says(stage: Stage) -> None:
    heard: list[str] = []
    with connect(stage.service.url.replace("http", "ws") + "/v1/ws") as socket:
        socket.send(json.dumps({"type": "subscribe", "messages": ALL, "since_seq": 0}))
        socket.send("no subscription")
        stream_id, puppet = stage.watch(tags={"site": "north"})
        puppet.state("degraded", "overloaded", "too much")
        puppet.say(TrackStarted(7, T0))
        puppet.say(report("action.provisional"))
        puppet.say(report("action.started", end_s=3.0))
        puppet.say(report("action.updated", end_s=4.0))
        puppet.say(report("action.ended", end_s=4.5))
        puppet.say(report("action.provisional", "e2", partner=None))
        puppet.say(report("action.retracted", "e2", partner=None))
        puppet.say(ClipReport("e1", "ready", (1.0, 2.0), (0.5, 2.5)))
        puppet.say(TrackEnded(7, T0, "lost", "scene_cut"))
        puppet.frame(3)
        while not {"track.ended", "frame"} <= set(heard):
            heard.append(_typed(str(socket.recv(10))))
        stage.service.http.delete(f"/v1/streams/{stream_id}")
        while "stream.removed" not in heard:
            heard.append(_typed(str(socket.recv(10))))

    assert {
        "subscribed", "error", "stream.state_changed", "track.started", "action.provisional", "action.started",
        "action.updated", "action.ended", "action.retracted", "clip.ready", "track.ended", "frame", "stream.removed",
    } <= set(heard)  # fmt: skip


def test_every_message_of_a_job_is_what_the_document_says(service: Running) -> None:
    heard: list[str] = []
    with connect(service.url.replace("http", "ws") + "/v1/ws") as socket:
        socket.send(json.dumps({"type": "subscribe", "messages": ["job"]}))
        heard.append(_typed(str(socket.recv(10))))
        service.create("script frames 5 pause 0.02")
        service.create("no video at all")
        while not {"job.completed", "job.failed"} <= set(heard):
            heard.append(_typed(str(socket.recv(10))))

    assert "job.progress" in heard


def test_described_envelope_has_the_fields_of_the_real_one() -> None:
    assert set(ActionMessage.model_fields) == set(Envelope.model_fields)


def test_message_of_another_shape_is_not_what_the_document_says() -> None:
    with pytest.raises(ValidationError):
        LiveMessage.model_validate({"type": "action.started", "data": {}})


def _summary() -> Summary:
    header = Header("a.mp4", 2.0, (640, 480), "m", "coco17", ("fall",))
    track = PersonTimeline(1, 0.1, 1.9, (ActionSpan("fall", 0.5, 1.5, 0.9, "ended"),))
    return Summary(header, 2.0, (track,), RunStats(30, 1.0, 30.0, {"detect": 2.0}, breaks={"gap": 1}))


def _frame() -> FrameResult:
    frame = Frame(1, 0.5, np.zeros((480, 640, 3), np.uint8), break_reason="gap")
    poses = Poses(
        1, 0.5, (640, 480), np.array([1], np.int64), np.zeros((1, 17, 3), np.float32),
        np.array([[0, 0, 10, 10]], np.float32), np.ones(1, np.float32), (None,), ended=((1, "gap"), (2, "left")),
    )  # fmt: skip
    events = (
        Event("e1", 1, "fall", "confirmed", 0.1, 0.5, 0.9, (0.1, 0.2, 0.3, 0.4)),
        Event("e2", 1, "push", "provisional", 0.1, 0.5, 0.9, None, 2),
    )
    return FrameResult(frame, poses, (ActionState(1, 0.5, "fall", 0.9, "assessed"),), events)


def test_every_line_of_results_is_what_the_document_says(tmp_path: Path) -> None:
    lines, whole = JsonlSink(tmp_path / "a.jsonl"), JsonSink(tmp_path / "a.json")
    for sink in (lines, whole):
        sink.open(_summary().header)
        sink.write(_frame())
        sink.close((), _summary())

    told = [ResultLine.model_validate_json(line).root.type for line in (tmp_path / "a.jsonl").read_text().splitlines()]

    assert told == ["source", "break", "frame", "action", "action", "track", "track", "summary"]
    found = ResultSummary.model_validate_json((tmp_path / "a.json").read_text())
    assert set(found.stats.model_dump()) == {one.name for one in fields(RunStats)}


def test_timeline_is_what_the_document_says(service: Running) -> None:
    job_id = service.create("script frames 5")
    service.wait(job_id)

    found = Timeline.model_validate_json(service.http.get(f"/v1/jobs/{job_id}/timeline").text)

    assert [one.action for one in found.tracks[0].actions] == ["wave"]
