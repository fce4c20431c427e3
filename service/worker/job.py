"""Does one job inside a worker: fetches the video if it must, analyses it, leaves the results in the job's folder."""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from models.atomic_file import replacing
from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import AnalysisCancelled, PipelineError, SourceTooLong
from pipelines.results import Summary, networks_json, summary_object
from pipelines.stream.analyze import FILE_RATE_HZ, Run, Sink, analyze
from pipelines.stream.build import Networks
from pipelines.stream.config import PipelineConfig
from pipelines.stream.render.blur import FaceRecord
from pipelines.stream.render.thumbnail import TellingPicture
from pipelines.stream.sinks import CsvSink, JsonlSink, JsonSink, VideoSink
from pipelines.stream.sinks.output import told
from pipelines.stream.sources import DecoderLimits, IsolatedFileSource
from pipelines.types import FrameResult
from service.blobs import BlobFolder
from service.protocol.messages import JobProgress, JobTask, Values
from service.protocol.metrics import FRAMES, LABEL_FLIPS, STAGE_TIME
from service.settings import Settings
from service.worker.action_models import ActionModels, Wanted
from service.worker.channel import Channel, Ended
from service.worker.fetch import Fetch, fetch

logger = logging.getLogger(__name__)

_LIVE = "job"
"""The `stream` label of metrics: one for all jobs, their ids would never end."""
_START_S = 5.0  # a decoder may need so long on a busy machine before it says anything
_DECODER_CORES = 3  # two decoding threads, and the one that converts


class JobRunner:
    """Does jobs with networks that are loaded already."""

    def __init__(self, models: ActionModels, policy: AddressPolicy, settings: Settings) -> None:
        self._models = models
        self._policy = policy
        self._settings = settings

    def __call__(self, task: JobTask, channel: Channel) -> Ended:
        """Do a job; raises ModelError."""
        try:
            with self._models.hold(_wanted(task)) as networks:
                path = self._require_path(task, channel)
                summary, picture = self._analyze(task, channel, path, networks)
            _write_timeline(Path(task.folder) / "timeline.json", summary)
            has_thumbnail = _write_thumbnail(Path(task.folder) / "thumbnail.jpg", picture)
        except AnalysisCancelled:
            return Ended("released" if channel.stop_reason == "drain" else "cancelled", {})
        except PipelineError as error:
            return Ended("failed", {}, error.code, _shown(str(error), task))
        self._measure(channel, summary)
        return Ended("succeeded", {**_facts(summary), "thumbnail": has_thumbnail})

    def _analyze(self, task: JobTask, channel: Channel, path: Path, networks: Networks) -> tuple[Summary, bytes | None]:
        """The summary, and the most telling picture as JPEG."""

        def tell(frames: int, percent: float | None, fps: float, eta_s: float | None) -> None:
            channel.offer(JobProgress(task.task_id, frames, percent, fps, eta_s))

        name = task.options.get("name")
        shown = name if isinstance(name, str) else path.name
        frames = FrameLimit(shown, self._settings.job_frames_max)

        def is_stopped() -> bool:
            return channel.stop_reason is not None

        def is_over() -> bool:
            frames.count()
            return is_stopped()

        blurs = self._settings.blur_faces or bool(task.options.get("blur_faces"))
        faces = FaceRecord() if blurs else None
        sinks = _sinks(Path(task.folder), bool(task.options.get("video")), faces)
        decoder = _decoder_limits(self._settings)
        with IsolatedFileSource(path, rate_hz=FILE_RATE_HZ, decoder=decoder, is_cancelled=is_stopped) as source:
            telling = TellingPicture(source.info.duration_s, faces)

            def see(result: FrameResult) -> None:
                if faces is not None:
                    faces.add(result)
                telling.see(result)

            run = Run(shown, task.task_id, tell, is_over, on_result=see)
            return analyze(source, networks, PipelineConfig(), sinks, run), telling.jpeg

    def _require_path(self, task: JobTask, channel: Channel) -> Path:
        if task.source.lower().startswith(("http:", "https:")):
            blobs = BlobFolder(self._settings.home, self._settings.disk_reserve_bytes)
            bounds = Fetch(self._settings.upload_bytes_max, self._settings.upload_idle_s, blobs.require_disk_space)
            return fetch(task.source, Path(task.folder), self._policy, bounds, channel)
        return self._policy.require_file(task.source) if task.source.lower().startswith("file:") else Path(task.source)

    def _measure(self, channel: Channel, summary: Summary) -> None:
        stats = summary.stats
        channel.measure(LABEL_FLIPS.add(stats.label_flips))
        for stage, mean_ms in stats.stage_ms.items():
            channel.measure(FRAMES.add(stats.analysed, stream=_LIVE, stage=stage))
            channel.measure(STAGE_TIME.observe(mean_ms / 1000, stage=stage))


def _wanted(task: JobTask) -> Wanted:
    named = (task.options.get(place) for place in ("model", "detector", "pose"))
    return Wanted(*(name if isinstance(name, str) else None for name in named))


class FrameLimit:
    """Counts frames: a small file may hold so many that one job takes the worker for a day."""

    def __init__(self, name: str, frames_max: int) -> None:
        self._name = name
        self._frames_max = frames_max
        self._num_frames = 0

    def count(self) -> None:
        """One more; raises SourceTooLong."""
        self._num_frames += 1
        if self._num_frames > self._frames_max:
            raise SourceTooLong(f"{self._name} has over {self._frames_max} frames; cut it into pieces")


def _decoder_limits(settings: Settings) -> DecoderLimits:
    """A decoder that is stuck fails its job before the supervisor takes the whole worker for stuck."""
    stall_s = min(DecoderLimits().stall_s, max(settings.job_stall_s / 2, _START_S))
    return DecoderLimits(stall_s=stall_s, cpu_s_max=_DECODER_CORES * settings.job_duration_max_s)


def _shown(text: str, task: JobTask) -> str:
    """An error's text for clients: people know their video by its own name, and no folder of this machine."""
    folder, name = Path(task.folder), task.options.get("name")
    text = text.replace(f"{folder}/", "")
    kept = next((path.name for path in folder.glob("source.*")), "source.bin")
    return text.replace(kept, str(name)) if name else text


def _sinks(folder: Path, has_video: bool, faces: FaceRecord | None) -> Sequence[Sink]:
    sinks: list[Sink] = [
        JsonlSink(folder / "results.jsonl"),
        JsonSink(folder / "results.json"),
        CsvSink(folder / "results.csv"),
    ]
    return [*sinks, VideoSink(folder / "video.mp4", faces=faces)] if has_video else sinks


def _write_timeline(path: Path, summary: Summary) -> None:
    whole = summary_object(summary)
    names = ("source", "duration_s", "frame_size", "model", "layout", "networks", "tracks")
    kept = {key: whole[key] for key in names if key in whole}
    with told(path):
        path.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")


def _write_thumbnail(path: Path, jpeg: bytes | None) -> bool:
    """Whether there is one now: no job fails for want of its small picture."""
    if jpeg is None:
        return False
    try:
        with replacing(path) as part:
            part.write_bytes(jpeg)
    except OSError as error:
        logger.warning("%s could not be written: %s", path.name, error.strerror)
        return False
    return True


def _facts(summary: Summary) -> Values:
    header, stats = summary.header, summary.stats
    actions = Counter(one.action for track in summary.tracks for one in track.actions)
    stage_ms: Values = {stage: round(mean_ms, 3) for stage, mean_ms in stats.stage_ms.items()}
    return {
        "duration_s": round(summary.duration_s, 3),
        "frame_size": list(header.size_wh),
        "model": header.model,
        "layout": header.layout,
        "networks": networks_json(header.networks),
        "num_frames": stats.frames,
        "num_tracks": len(summary.tracks),
        "actions": [*sorted(actions)],
        "action_counts": {action: actions[action] for action in sorted(actions)},
        "fps": round(stats.fps, 2),
        "stage_ms": stage_ms,
        "is_truncated": stats.is_truncated,
        "breaks": {reason: int(count) for reason, count in stats.breaks.items()},
        "progress": {"frames": stats.frames, "percent": 100.0, "fps": round(stats.fps, 2), "eta_s": 0.0},
    }
