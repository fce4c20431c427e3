"""What supervisor and worker say to each other survives the wire and carries no code."""

import pytest

from service.protocol.facts import ClipReport, StateChanged, TrackEnded, TrackStarted
from service.protocol.messages import (
    Ack,
    Drain,
    Drained,
    Fact,
    FrameResults,
    FromWorker,
    Heartbeat,
    Hello,
    JobProgress,
    JobTask,
    Place,
    ProtocolMismatch,
    Ready,
    Sample,
    StartFailed,
    Stop,
    StreamStatus,
    StreamTask,
    TaskEnded,
    ToWorker,
    decode,
    decode_command,
    encode,
    encode_command,
)  # fmt: skip
from service.protocol.preview import PreviewPicture, ShowPreview
from service.protocol.track_history import AskTrack, TrackHistory
from tests.service.facts import report

FALL = report()
COMMANDS: list[ToWorker] = [
    Place(JobTask("job_1", 2, "/home/source.mp4", "/home", {"model": None, "video": True})),
    Place(StreamTask("cam", 3, "rtsp://user:secret@host/1", {"fps": 15.0, "zones": [[0.0, 1.0]]})),
    Stop("job_1", "drain"),
    AskTrack("cam", "q1", 7),
    ShowPreview("cam", 5.0),
    Ack(7),
    Drain(),
]
MESSAGES: list[FromWorker] = [
    Hello(12),
    Ready({"networks": ["one", "two"]}),
    StartFailed("weights_missing", "no file"),
    Heartbeat(123, {"job_1": 0.5}, (Sample("frames_total", "add", (1.0, 2.0), {"stage": "detect"}),)),
    Drained(),
    JobProgress("job_1", 3, None, 29.97, None),
    FrameResults("cam", 1, 5, 0.25, {"persons": [{"box": [0.1, 0.2, 0.3, 0.4]}]}),
    StreamStatus("cam", 1, {"state": "running"}),
    TrackHistory("cam", "q1", ('{"track_id": 7}',)),
    PreviewPicture("cam", 1, b"\xff\xd8\x00\xfe\xff\xd9"),
    Fact(4, "cam", 1, FALL),
    Fact(4, "cam", 1, TrackStarted(3, FALL.start_time)),
    Fact(4, "cam", 1, TrackEnded(3, FALL.end_time, "lost")),
    Fact(4, "cam", 1, ClipReport("e1", "ready", (0.5, 4.0), (0.6, 3.9))),
    Fact(4, "cam", 1, StateChanged("degraded", "low_fps", "3 pictures a second", 12.5)),
    TaskEnded(5, "job_1", "failed", "unsupported_media", "clip ‘ü’ is no video"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: type(c).__name__)
def test_command_is_the_same_after_the_wire(command: ToWorker) -> None:
    assert decode_command(encode_command(command)) == command


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_message_is_the_same_after_the_wire(message: FromWorker) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x04K\x01.", b'{"type":"place"}', b'{"type":"ack","delivery_id":"x"}'],
    ids=["empty", "pickle", "half", "wrong type"],
)
def test_bytes_that_are_no_command_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolMismatch):
        decode_command(data)


def test_camera_password_is_neither_shown_nor_in_errors() -> None:
    task = StreamTask("cam", 1, "rtsp://user:secret@host/1")
    broken = encode_command(Place(task)).replace(b'"generation":1', b'"generation":"rtsp://user:secret@host"')

    with pytest.raises(ProtocolMismatch) as caught:
        decode_command(broken)

    assert "secret" not in repr(Place(task))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("found", "wrong", "place"),
    [
        ('"score":0.9', '"score":"high"', "fact.content.action.event.score"),
        ('"state":"confirmed"', '"state":"over"', "fact.content.action.event.state"),
        ('"kind":"action"', '"kind":"gossip"', "fact.content"),
        ('"start_time":"2026-03-01T12:00:00Z"', '"start_time":"2026-03-01T12:00:00"', "fact.content.action.start_time"),
        ('"frame_size":[640,480]', '"frame_size":[640]', "fact.content.action.frame_size"),
    ],
    ids=["word for a number", "unknown state", "unknown kind", "time without zone", "half a size"],
)
def test_fact_that_is_none_is_refused_and_its_fault_is_placed(found: str, wrong: str, place: str) -> None:
    whole = encode(Fact(4, "cam", 1, FALL)).decode()
    assert found in whole

    with pytest.raises(ProtocolMismatch, match=place):
        decode(whole.replace(found, wrong).encode())
