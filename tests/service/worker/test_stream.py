"""One camera inside a worker, with networks that always see the same: what is pushed becomes events and evidence."""

import json
import multiprocessing
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from pipelines.addresses.policy import AddressPolicy
from pipelines.types import NetworkId
from service.protocol.facts import ActionReport, ClipReport, StreamFact
from service.protocol.messages import BestEffort, Fact, FrameResults, StreamTask
from service.protocol.pause_clock import PauseClock
from service.protocol.preview import PreviewPicture
from service.protocol.push_socket import reachable
from service.protocol.stream_config import StreamConfig
from service.protocol.track_history import AskTrack, TrackHistory
from service.worker.channel import Channel, Ended, MessageQueue
from service.worker.stream import StreamRunner
from tests.service.worker.action_models import only
from tests.stream_fakes import networks_of

FALLING = (0.0, 5.0, 0.0)
NETWORKS = replace(
    networks_of(FALLING), detector_id=NetworkId("boxes", "0" * 64), pose_id=NetworkId("joints", "1" * 64)
)
PICTURE_WH = (320, 240)
PICTURE = cv2.imencode(".jpg", np.full((*PICTURE_WH[::-1], 3), 90, np.uint8))[1].tobytes()


class Ledger(Channel):
    """A task's channel that writes down every fact, picture and answer."""

    def __init__(self, task: StreamTask) -> None:
        ours, _ = multiprocessing.Pipe()
        super().__init__(task, MessageQueue(ours), deque(maxlen=1000), PauseClock(1.0))
        self.facts: list[Fact] = []
        self.offered: list[BestEffort] = []

    def deliver(self, make: Callable[[int], Fact]) -> None:
        self.facts.append(make(len(self.facts) + 1))

    def offer(self, message: BestEffort) -> None:
        self.offered.append(message)

    def answers(self) -> list[TrackHistory]:
        return [message for message in self.offered if isinstance(message, TrackHistory)]

    def frames(self) -> list[FrameResults]:
        return [message for message in self.offered if isinstance(message, FrameResults)]

    def pictures(self) -> list[PreviewPicture]:
        return [message for message in self.offered if isinstance(message, PreviewPicture)]

    def of(self, name: str) -> list[StreamFact]:
        return [fact.content for fact in self.facts if fact.content.name == name]


class Pushed:
    """A pushed stream that runs in a thread, and the hand that pushes."""

    def __init__(self, folder: Path, parts: Mapping[str, object] | None = None, *, blurs: bool = False) -> None:
        self.picture = PICTURE
        wanted = StreamConfig.model_validate({"source": {"uri": "push:"}, **(parts or {})})
        self.folder, self.evidence = folder / "streams" / "yard", folder / "evidence"
        places = {"folder": str(self.folder), "evidence_folder": str(self.evidence)}
        config = wanted.model_dump(mode="json") | places | {"first_track_id": 7}
        self.ledger = Ledger(StreamTask("yard", 1, "push:", config))
        runner = StreamRunner(only(NETWORKS), AddressPolicy(schemes=frozenset({"push"})), blurs=blurs)
        self.ended: list[Ended] = []
        self._thread = threading.Thread(target=lambda: self.ended.append(runner(self._task, self.ledger)))
        self._thread.start()

    @property
    def _task(self) -> StreamTask:
        assert isinstance(self.ledger.task, StreamTask)
        return self.ledger.task

    def push_until(self, is_met: Callable[[], bool]) -> None:
        until = time.monotonic() + 30
        path = self.folder / "push.sock"
        while not path.exists():
            assert time.monotonic() < until, "the worker does not listen"
            time.sleep(0.01)
        with reachable(path) as name, socket.socket(socket.AF_UNIX) as client:
            client.connect(name)
            while not is_met():
                assert time.monotonic() < until, [fact.content.name for fact in self.ledger.facts]
                client.sendall(struct.pack(">I", len(self.picture)) + self.picture)
                time.sleep(1 / 15)

    def stop(self) -> None:
        self.ledger.stop_reason = "cancelled"
        self._thread.join(30)


@pytest.fixture
def pushed(tmp_path: Path) -> Iterator[Pushed]:
    found = Pushed(tmp_path)
    yield found
    found.stop()


def test_event_of_pushed_pictures_has_skeletons_and_says_that_it_has_no_clip(pushed: Pushed) -> None:
    pushed.push_until(lambda: bool(pushed.ledger.of("action.started")))

    pushed.stop()

    (report,) = pushed.ledger.of("action.started")
    (clip,) = pushed.ledger.of("clip.failed")
    assert isinstance(report, ActionReport)
    assert isinstance(clip, ClipReport)
    assert (report.event.action, report.event.track_id, report.has_evidence) == ("fall", 7, True)
    assert (clip.event_id, clip.reason, clip.covered_s) == (report.event.event_id, "not_covered", None)
    (kept,) = pushed.evidence.iterdir()
    assert sorted(path.name for path in kept.iterdir()) == ["evidence.json", "skeletons.jsonl", "thumbnail.jpg"]
    assert np.asarray(cv2.imread(str(kept / "thumbnail.jpg"))).shape == (240, 320, 3)
    assert json.loads((kept / "evidence.json").read_text())["networks"] == report.networks
    assert {place: one["name"] for place, one in report.networks.items()} == {
        "detector": "boxes", "pose": "joints", "action": "fake",
    }  # fmt: skip
    assert pushed.ended == [Ended("cancelled", {})]


def test_worker_says_what_it_remembers_of_a_person(pushed: Pushed) -> None:
    pushed.push_until(lambda: bool(pushed.ledger.of("track.started")))

    for number in (7, 8):
        pushed.ledger.ask(AskTrack("yard", f"q{number}", number))
    pushed.push_until(lambda: len(pushed.ledger.answers()) == 2)

    known, unknown = pushed.ledger.answers()
    lines = [json.loads(line) for line in known.lines]
    assert (known.question_id, {line["track_id"] for line in lines}) == ("q7", {7})
    assert all(len(line["keypoints"]) == 17 for line in lines)
    assert unknown == TrackHistory("yard", "q8", ())


def test_pictures_are_sent_while_somebody_looks(pushed: Pushed) -> None:
    pushed.push_until(lambda: bool(pushed.ledger.of("track.started")))
    unseen = pushed.ledger.pictures()

    pushed.ledger.show(5.0)
    pushed.push_until(lambda: len(pushed.ledger.pictures()) > 1)

    assert unseen == []
    assert all(picture.jpeg.startswith(b"\xff\xd8\xff\xfe") for picture in pushed.ledger.pictures())
    assert {(picture.task_id, picture.generation) for picture in pushed.ledger.pictures()} == {("yard", 1)}


def test_private_stream_sends_no_picture_whoever_looks(tmp_path: Path) -> None:
    private = Pushed(tmp_path, {"privacy": {"pictures": False}})
    private.ledger.show(60.0)

    private.push_until(lambda: bool(private.ledger.of("action.started")))
    private.stop()

    assert private.ledger.pictures() == []
    assert list(private.evidence.rglob("*.jpg")) == []


NOISE = np.random.default_rng(1).integers(0, 255, (*PICTURE_WH[::-1], 3), np.uint8)


def place_of(stream: Pushed, joints: slice) -> tuple[slice, slice]:
    """Rows and columns around joints of the person who was told last."""
    (person,) = cast("list[dict[str, Any]]", stream.ledger.frames()[-1].data["persons"])
    x, y = (np.array(person["keypoints"])[joints, :2].mean(axis=0) * PICTURE_WH).astype(int).tolist()
    return slice(y - 8, y + 8), slice(x - 8, x + 8)


def detail(jpeg: bytes, place: tuple[slice, slice]) -> float:
    """How much fine structure a place of a picture has, in shares of that picture's own size."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    image = cv2.resize(image, PICTURE_WH).astype(np.float32)
    return float((image - cv2.GaussianBlur(image, (0, 0), 2.0))[place].std())


@pytest.mark.parametrize("is_own_wish", [True, False], ids=["the camera's wish", "the server's"])
def test_stream_that_hides_faces_shows_none_anywhere(tmp_path: Path, is_own_wish: bool) -> None:
    hiding = Pushed(tmp_path, {"privacy": {"blur": is_own_wish}}, blurs=not is_own_wish)
    hiding.picture = cv2.imencode(".jpg", NOISE)[1].tobytes()
    hiding.ledger.show(60.0)

    hiding.push_until(lambda: bool(hiding.ledger.of("action.started") and len(hiding.ledger.pictures()) > 1))
    hiding.stop()

    kept = [path.read_bytes() for path in hiding.evidence.rglob("*.jpg")]
    assert len(kept) == 1
    for jpeg in (*kept, *(picture.jpeg for picture in hiding.ledger.pictures())):
        assert detail(jpeg, place_of(hiding, slice(0, 5))) < 8
        assert detail(jpeg, place_of(hiding, slice(15, 17))) > 25


@pytest.fixture
def push(tmp_path: Path) -> Iterator[Callable[..., Pushed]]:
    """Starts a pushed stream with its parts of the configuration; stopped at the end of the test."""
    started: list[Pushed] = []

    def start(**parts: object) -> Pushed:
        started.append(Pushed(tmp_path, parts))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_pictures_of_a_turned_camera_are_upright_wherever_they_go(push: Callable[..., Pushed]) -> None:
    turned = push(rotate=90)
    turned.ledger.show(30.0)

    turned.push_until(lambda: bool(turned.ledger.pictures() and turned.ledger.of("action.started")))
    turned.stop()

    (report,) = turned.ledger.of("action.started")
    assert isinstance(report, ActionReport)
    seen = cv2.imdecode(np.frombuffer(turned.ledger.pictures()[-1].jpeg, np.uint8), cv2.IMREAD_COLOR)
    (kept,) = turned.evidence.iterdir()
    why = json.loads((kept / "evidence.json").read_text())
    assert report.frame_size == PICTURE_WH[::-1]
    assert seen is not None
    assert seen.shape == (*PICTURE_WH, 3)
    assert {tuple(frame.data["frame_size"]) for frame in turned.ledger.frames()} == {PICTURE_WH[::-1]}  # type: ignore[arg-type]
    assert (why["rotate"], why["mirror"]) == (90, False)


def test_action_that_its_camera_makes_less_urgent_is_told_without_evidence(push: Callable[..., Pushed]) -> None:
    calm = push(actions={"fall": {"severity": "info", "threshold": 0.9}})

    calm.push_until(lambda: bool(calm.ledger.of("action.started")))
    calm.stop()

    (report,) = calm.ledger.of("action.started")
    assert isinstance(report, ActionReport)
    assert report.has_evidence is False
    assert not calm.evidence.exists()


def test_evidence_names_the_rule_that_held_at_the_camera(push: Callable[..., Pushed]) -> None:
    strict = push(actions={"fall": {"threshold": 0.9, "min_duration_s": 0.5}, "yodel": {"threshold": 0.1}})

    strict.push_until(lambda: bool(strict.ledger.of("action.started")))
    strict.stop()

    (kept,) = strict.evidence.iterdir()
    rule = json.loads((kept / "evidence.json").read_text())["rule"]
    assert (rule["threshold"], rule["min_duration_s"], rule["severity"]) == (0.9, 0.5, "alarm")
    assert rule["offset_threshold"] == pytest.approx(0.54)


def test_action_below_its_cameras_threshold_is_neither_shown_nor_an_event(push: Callable[..., Pushed]) -> None:
    deaf = push(actions={"fall": {"threshold": 0.9999}})

    deaf.push_until(lambda: len(_judged(deaf)) > 20)
    deaf.stop()

    assert {person["action"] for person in _judged(deaf)} == {None}
    assert [fact for fact in deaf.ledger.facts if fact.content.name.startswith("action.")] == []


def _judged(stream: Pushed) -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    for frame in stream.ledger.frames():
        people = frame.data["persons"]
        assert isinstance(people, list)
        found += [person for person in people if isinstance(person, dict) and person["status"] != "warming_up"]
    return found
