"""Watches one camera inside a worker until it is told otherwise."""

import logging
import time
from functools import partial
from pathlib import Path

from models.runtime.contract import ActionContract
from models.runtime.overrides import overridden
from pipelines.addresses.policy import AddressPolicy
from pipelines.orientation import Orientation
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.build import Networks, build_pipeline
from pipelines.stream.config import PipelineConfig
from pipelines.stream.pipeline import Pipeline
from pipelines.stream.render.blur import FaceRecord
from pipelines.stream.sources.health import SourceHealth
from pipelines.stream.sources.live import LiveReader, ReaderHooks
from pipelines.stream.sources.open import build_reader
from pipelines.stream.sources.push import PushFeed
from pipelines.stream.sources.status import LiveOptions
from pipelines.stream.watch import watch
from pipelines.types import FrameResult
from service.protocol.messages import StreamTask
from service.protocol.push_socket import socket_path
from service.protocol.stream_config import StreamConfig
from service.protocol.track_history import TrackHistory, newest
from service.worker.action_models import ActionModels, Wanted
from service.worker.channel import Channel, Ended
from service.worker.evidence import EvidenceKeeper, EvidencePlan, has_evidence
from service.worker.landing import InPlace, Landing
from service.worker.preview import Preview
from service.worker.push_server import PushServer
from service.worker.report import Reporter
from service.worker.stream_status import StatusTeller

logger = logging.getLogger(__name__)

_BUFFER_FRAMES = 1  # two made labels older (p95 971 against 705 ms, four cameras on two busy cores)
_STATUS_S = 1.0
_SILENCE_S = 10.0
_CLIP_WAIT_S = 30.0


class StreamRunner:
    """Watches cameras with networks that are loaded already; called once per stream, each in a thread of its own.

    landing: where evidence goes; None: it stays in the folder that a task names. blurs: whether no camera's pictures
    may show a face.
    """

    def __init__(
        self, models: ActionModels, policy: AddressPolicy, landing: Landing | None = None, *, blurs: bool = False
    ) -> None:
        self._models = models
        self._policy = policy
        self._landing = landing
        self._blurs = blurs

    def __call__(self, task: StreamTask, channel: Channel) -> Ended:
        """Watch; raises SourceForbidden, ModelError."""
        config = StreamConfig.model_validate(
            {name: task.config[name] for name in StreamConfig.model_fields if name in task.config}
        )
        if self._blurs:
            config = config.model_copy(update={"privacy": config.privacy.model_copy(update={"blur": True})})
        wanted = config.analysis
        with self._models.hold(Wanted(wanted.model, wanted.detector, wanted.pose)) as networks:
            landing = self._landing or InPlace(Path(str(task.config["evidence_folder"])))
            return _Session(task, channel, config, networks, self._policy, landing).run()


class _Session:
    """One stream on this worker, from its placement to its end."""

    def __init__(
        self, task: StreamTask, channel: Channel, config: StreamConfig, networks: Networks, policy: AddressPolicy,
        landing: Landing,
    ) -> None:  # fmt: skip
        self._task = task
        self._channel = channel
        self._config = config
        self._networks = networks
        self._policy = policy
        self._folder = Path(str(task.config["folder"]))
        self._buffer = FrameBuffer(_BUFFER_FRAMES, config.drop_policy)
        contract = _wanted_contract(networks, config)
        self._reporter = Reporter(task, channel, networks.used, partial(has_evidence, contract, config.recording))
        self._faces = FaceRecord(_remembered_s(config)) if config.privacy.blur else None
        self._preview = Preview(task, channel, self._faces) if config.privacy.pictures else None
        plan = EvidencePlan(
            landing, config.recording, config.privacy.pictures, networks.used, rotate=config.rotate,
            mirror=config.mirror, faces=self._faces,
        )  # fmt: skip
        self._evidence = EvidenceKeeper(plan, contract, self._reporter)
        self._feed = PushFeed(self._options()) if config.source.uri == "push:" else None
        self._status = StatusTeller(task, channel, self._reporter, self._buffer)
        self._told_s = 0.0
        self._health = SourceHealth(config.analysis.fps, self._reporter.state)
        self._is_silent = True

    def run(self) -> Ended:
        """Watch until the end; what is open is closed and told, also when the source fails."""
        reader = build_reader(
            self._feed or self._task.uri, self._buffer, self._policy, self._options(),
            hooks=ReaderHooks(on_state=self._health.on_source, packets=self._evidence.packets),
        )  # fmt: skip
        server = PushServer(socket_path(self._folder), self._feed) if self._feed else None
        pipeline = build_pipeline(
            self._networks, self._pipeline_config(), f"{self._task.task_id}/{self._task.generation}"
        )
        if server is not None:
            server.start()
        self._evidence.start()
        reader.start()
        try:
            closed = watch(
                self._buffer, pipeline, self._on_result, lambda: self._on_tick(reader, pipeline), self._is_stopped
            )
            self._evidence.follow(self._reporter.silence(closed))
        finally:
            reader.stop()
            self._buffer.stop()
            if server is not None:
                server.stop()
            self._evidence.close()
            reader.join()
            self._reporter.flush()
        return self._ended()

    def _ended(self) -> Ended:
        if self._channel.stop_reason is None:
            return Ended("succeeded", {})
        return Ended("released" if self._channel.stop_reason == "drain" else "cancelled", {})

    def _options(self) -> LiveOptions:
        source = self._config.source
        turn = Orientation.turned(self._config.rotate, self._config.mirror)
        return LiveOptions(transport=source.transport, rate_hz=self._config.analysis.fps, loops=source.loop, turn=turn)

    def _pipeline_config(self) -> PipelineConfig:
        wanted, default = self._config.analysis, PipelineConfig()
        return default.model_copy(
            update={
                "track": default.track.model_copy(update={"max_persons": wanted.max_persons}),
                "window": default.window.model_copy(update={"stride_s": wanted.stride_s}),
                "actions": self._config.actions,
            }
        )

    def _is_stopped(self) -> bool:
        return self._channel.stop_reason is not None

    def _on_result(self, result: FrameResult, began_s: float) -> None:
        self._is_silent = False
        self._health.on_frame()
        if self._faces is not None:
            self._faces.add(result)
        told = self._reporter.frame(result, began_s)
        self._evidence.add(result, told)
        # Whoever came after the last look at the whole picture is nowhere known: it shows what was looked at.
        if self._preview is not None and (self._faces is None or result.poses.is_looked):
            self._preview.show(result.frame)

    def _on_tick(self, reader: LiveReader, pipeline: Pipeline) -> None:
        self._channel.beat()
        figures, now_s = self._reporter.figures, time.monotonic()
        self._evidence.tick(figures.last_frame_s)
        self._answer()
        if not self._is_silent and now_s - figures.times_s[-1] > _SILENCE_S:
            # Nobody knows what goes on behind a dead camera: nothing stays open until it is back.
            self._is_silent = True
            self._evidence.follow(self._reporter.silence(pipeline.finish()))
        if now_s - self._told_s >= _STATUS_S:
            self._told_s = now_s
            status = reader.status()
            self._health.on_source(status)
            self._status.tell(status, pipeline, now_s)

    def _answer(self) -> None:
        for question in self._channel.take_questions():
            lines = newest(self._evidence.history(question.track_id))
            self._channel.offer(TrackHistory(question.task_id, question.question_id, lines))


def _remembered_s(config: StreamConfig) -> float:
    """Seconds for which heads must be known: of the longest clip, and of what it waits for."""
    recording = config.recording
    return recording.max_s + recording.pre_roll_s + recording.post_roll_s + _CLIP_WAIT_S


def _wanted_contract(networks: Networks, config: StreamConfig) -> ActionContract:
    """What the action model says of itself, with the rules that hold at this camera."""
    contract = networks.action.contract
    unknown = sorted(set(config.actions) - set(contract.actions))
    if unknown:
        logger.warning("%s does not know the actions %s, which this camera sets", contract.name, ", ".join(unknown))
    return contract.model_copy(update={"actions": overridden(contract.actions, config.actions)})
