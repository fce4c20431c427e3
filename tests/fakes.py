"""Stand-ins for networks, clocks and sources; small, deterministic, without patches."""

import json
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.errors import WeightsMissing
from models.runtime.contract import ActionContract
from pipelines.errors import SourceTruncated, UnsupportedMedia
from pipelines.types import ActionScores, NotAssessableReason, PersonStatus, Poses, TrackEnd
from service.protocol.messages import (
    FromWorker,
    JobProgress,
    JobTask,
    Sample,
    Task,
    ToWorker,
    Values,
    decode,
    encode_command,
)
from service.protocol.pause_clock import PauseClock
from service.supervision.engine import WorkerGone
from service.worker.channel import Channel, Ended, MessageQueue
from service.worker.main import Worker
from service.worker.runners import BuildRunners


def waving_keypoints(time_s: float, centre_px: tuple[float, float] = (320.0, 240.0)) -> FloatArray:
    """(17, 3) a standing person of 200 px whose arms swing at 1 Hz: smooth in time, the same at every frame rate."""
    rows = np.array([-95, -99, -99, -97, -97, -70, -70, -35, -35, 0, 0, 0, 0, 50, 50, 100, 100], np.float32)
    columns = np.array([0, 4, -4, 8, -8, 20, -20, 25, -25, 25, -25, 12, -12, 12, -12, 12, -12], np.float32)
    swing = np.zeros(17, np.float32)
    swing[[7, 8]], swing[[9, 10]] = 10, 25
    x = centre_px[0] + columns + swing * np.sin(2 * np.pi * time_s)
    return np.stack([x, centre_px[1] + rows, np.full(17, 0.95)], axis=1).astype(np.float32)


def poses_of(
    time_s: float,
    *,
    frame_index: int = 0,
    people: Mapping[int, FloatArray] | None = None,
    reasons: Mapping[int, NotAssessableReason] | None = None,
    ended: tuple[tuple[int, TrackEnd], ...] = (),
) -> Poses:
    """Poses of the named people; without `people` one of them, track 1, swings the arms."""
    shown = {1: waving_keypoints(time_s)} if people is None else dict(people)
    keypoints = np.stack([*shown.values(), np.zeros((17, 3), np.float32)])[:-1].astype(np.float32)
    xyxy = np.concatenate([keypoints[..., :2].min(axis=1), keypoints[..., :2].max(axis=1)], axis=1)
    return Poses(
        frame_index, time_s, (640, 480), np.array(list(shown), np.int64), keypoints, xyxy,
        np.full(len(shown), 0.9, np.float32), tuple((reasons or {}).get(track) for track in shown), ended,
    )  # fmt: skip


def poses_at(rate_hz: float, seconds: float, start_s: float = 0.0) -> Iterator[Poses]:
    """Track 1 swinging the arms, frame by frame, at a steady rate."""
    for index in range(round(seconds * rate_hz) + 1):
        yield poses_of(start_s + index / rate_hz, frame_index=index)


def contract_of(labels: Sequence[str] = ("walk", "fall", "none"), **changes: object) -> ActionContract:
    """A valid contract of an action model; each real label begins at 0.5, fades at 0.3 and is sure after 0.2 s."""
    rule = {"threshold": 0.5, "offset_threshold": 0.3, "min_duration_s": 0.2, "merge_gap_s": 0.6, "quality": "solid"}
    values: dict[str, object] = {
        "name": "fake", "task": "action", "network": "stgcnpp", "layout": "coco17", "features": "everyday13",
        "window_s": 2.0, "rate_hz": 15.0, "num_frames": 30, "outputs": ["logits"], "labels": list(labels),
        "inputs": [{"name": "skeleton", "shape": ["batch", 1, 30, 13, 5], "dtype": "float32"}],
        "temperature": 1.0, "unknown": {"method": "max_probability", "threshold": 0.4}, "sha256": "0" * 64,
        "actions": {
            name: rule | {"severity": "alarm" if name == "fall" else "info"} for name in labels if name != "none"
        },
    }  # fmt: skip
    return ActionContract.model_validate(values | changes)


class FakeNetwork:
    """A network that answers every row with the same logits and remembers what it was fed."""

    def __init__(self, logits: Sequence[float], name: str = "logits") -> None:
        self._logits = np.array(logits, np.float32)
        self._name = name
        self.fed: list[tuple[int, ...]] = []

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        (batch,) = feeds.values()
        self.fed.append(batch.shape)
        return {self._name: np.tile(self._logits, (len(batch), 1))}


def scores_of(
    time_s: float, *probabilities: float, track_id: int = 1, status: PersonStatus = "assessed"
) -> tuple[ActionScores, ...]:
    """One person's scores at one tick."""
    return (ActionScores(track_id, time_s, np.array(probabilities, np.float32), status),)


class ScriptedRunners:
    """A worker's runners: reads what to do from the first line of the "video": words with numbers.

    frames 30, pause 0.01 (seconds per frame), people 1, then one of: ok, crash, hang, fail CODE, grow MIB.
    Anything that does not begin with `script` is refused as no video.
    """

    def facts(self) -> Values:
        return {}

    def measure(self) -> Sequence[Sample]:
        return ()

    def warm(self) -> Values:
        return {"device": "fake"}

    def run(self, task: Task, channel: Channel) -> Ended:
        assert isinstance(task, JobTask)
        words = Path(task.source).read_bytes()[:200].split(b"\n")[0].decode("utf-8", "replace").split()
        if not words or words[0] != "script":
            raise UnsupportedMedia(f"{Path(task.source).name} is not a video: no demuxer takes it")
        script = dict(zip(words[1::2], words[2::2], strict=False))
        return self._play(task, channel, script, words)

    def _play(self, task: JobTask, channel: Channel, script: dict[str, str], words: list[str]) -> Ended:
        frames, pause_s = int(script.get("frames", "30")), float(script.get("pause", "0"))
        results = Path(task.folder) / "results.jsonl"
        with results.open("w", encoding="utf-8") as file:
            for index in range(frames):
                if channel.stop_reason is not None:
                    return Ended("cancelled" if channel.stop_reason == "cancelled" else "released", {})
                person = {
                    "track_id": 1,
                    "box": [0.4, 0.2, 0.6, 0.9],
                    "action": "wave",
                    "score": 0.9,
                    "status": "assessed",
                }
                persons = [person] * int(script.get("people", "1"))
                file.write(json.dumps({"frame_index": index, "time_s": index / 30, "persons": persons}) + "\n")
                channel.offer(JobProgress(task.task_id, index + 1, 100 * (index + 1) / frames, 30.0, 0.0))
                time.sleep(pause_s)
                self._misbehave(words, script)
        wave = {"action": "wave", "start_s": 0.0, "end_s": frames / 30, "score": 0.9, "state": "ended"}
        track = {"track_id": 1, "start_s": 0.0, "end_s": frames / 30, "actions": [wave]}
        timeline = {
            "source": "clip.mp4", "duration_s": frames / 30, "frame_size": [640, 360], "model": "scripted",
            "layout": "coco17", "tracks": [track],
        }  # fmt: skip
        for name in ("timeline.json", "results.json"):
            (Path(task.folder) / name).write_text(json.dumps(timeline))
        (Path(task.folder) / "results.csv").write_text(f"track_id,action\n{'1,wave' * bool(frames)}\n")
        if task.options.get("video"):
            (Path(task.folder) / "video.mp4").write_bytes(b"annotated")
        if "picture" in script:
            (Path(task.folder) / "thumbnail.jpg").write_bytes(b"\xff\xd8picture")
        progress: Values = {"frames": frames, "percent": 100.0, "fps": 30.0, "eta_s": 0.0}
        facts: Values = {"progress": progress, "num_frames": frames, "thumbnail": "picture" in script}
        return Ended("succeeded", facts)

    def _misbehave(self, words: list[str], script: dict[str, str]) -> None:
        if "crash" in words:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hang" in words:
            time.sleep(3600)
        if "fail" in script:
            error = SourceTruncated("the fake source ends early")
            error.code = script["fail"]
            raise error


def build_scripted_runners() -> ScriptedRunners:
    """Picklable, for workers that are really spawned."""
    return ScriptedRunners()


def build_broken_runners() -> ScriptedRunners:
    """A worker that cannot start."""
    raise WeightsMissing("fake.onnx is neither cached nor reachable")


class ThreadEngine:
    """Workers as threads of the test: they start at once. Not for runners that crash."""

    def __init__(self, build: BuildRunners = build_scripted_runners) -> None:
        self.build = build

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def launch(self, name: str) -> "ThreadWorker":
        return ThreadWorker(self.build, name)


class ThreadWorker:
    """The real worker object and the real pipe, without a process."""

    pid = 0

    def __init__(self, build: BuildRunners, name: str) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        self._thread = threading.Thread(target=self._run, args=(theirs, build), name=name, daemon=True)
        self._thread.start()

    def _run(self, connection: Connection, build: BuildRunners) -> None:
        Worker(connection).run(build)
        connection.close()

    def send(self, command: ToWorker) -> None:
        self._ours.send_bytes(encode_command(command))

    def receive(self, timeout_s: float) -> FromWorker | None:
        try:
            return decode(self._ours.recv_bytes()) if self._ours.poll(timeout_s) else None
        except (EOFError, OSError) as error:
            raise WorkerGone("the thread has ended") from error

    def kill(self) -> None:
        self._ours.close()

    def wait(self, timeout_s: float) -> int | None:
        self._thread.join(timeout_s)
        return None if self._thread.is_alive() else 0

    def close(self) -> None:
        self._ours.close()
        self._thread.join(5)


class SilentChannel(Channel):
    """A task's channel that nobody listens to."""

    def __init__(self) -> None:
        ours, _ = multiprocessing.Pipe()
        super().__init__(JobTask("job_1", 1, "", ""), MessageQueue(ours), deque(), PauseClock(1.0))
