"""What clients send and receive about jobs."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.errors import Problem, problem, status_of
from service.jobs.store import JobRow, JobState

Tags = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=256)]], Field(max_length=20)
]


class JobOptions(BaseModel):
    """How a video is analysed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(None, max_length=128, description="Action model; the default one when left out.")
    detector: str | None = Field(
        None, max_length=128, description="Detector, by its name in `/v1/models`; the active one when left out."
    )
    pose: str | None = Field(None, max_length=128, description="Pose estimator, likewise.")
    video: bool = Field(False, description="Whether to make an annotated mp4 too.")
    blur_faces: bool = Field(
        False,
        description="Whether heads are made unrecognisable in the annotated mp4 and the thumbnail; the video itself "
        "stays as it is.",
    )


class JobSource(BaseModel):
    """A video that the service downloads itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str = Field(max_length=4096, description="http, https or file, as the settings allow.")


class JobCreate(JobOptions):
    """A job whose video is named, not uploaded."""

    source: JobSource
    tags: Tags = {}


class UploadForm(JobOptions):
    """The fields that accompany the file in a multipart upload."""

    tags: Tags = {}


UPLOAD_SCHEMA = {
    "type": "object",
    "required": ["file"],
    "additionalProperties": False,
    "properties": {
        "file": {"type": "string", "format": "binary", "minLength": 1, "description": "The video."},
        "model": {
            "type": "string",
            "maxLength": 128,
            "description": "Action model; the default one when left out.",
        },
        "detector": {
            "type": "string",
            "maxLength": 128,
            "description": "Detector, by its name in `/v1/models`; the active one when left out.",
        },
        "pose": {"type": "string", "maxLength": 128, "description": "Pose estimator, likewise."},
        "video": {"type": "boolean", "description": "Whether to make an annotated mp4 too."},
        "blur_faces": {
            "type": "boolean",
            "description": "Whether heads are made unrecognisable in the annotated mp4 and the thumbnail.",
        },
        "tags": {
            "type": "object",
            "maxProperties": 20,
            "propertyNames": {"maxLength": 64},
            "additionalProperties": {"type": "string", "maxLength": 256},
            "description": "A JSON object of strings.",
        },
    },
}
"""The same with the file: what a form holds, for the OpenAPI document."""


class Progress(BaseModel):
    """How far a job has come."""

    frames: int = Field(0, description="Frames analysed.")
    percent: float | None = Field(None, description="0..100; null while the length is unknown.")
    fps: float = Field(0.0, description="Frames analysed per second of wall time.")
    eta_s: float | None = Field(None, description="Seconds left; null while unknown.")


class SourceRead(BaseModel):
    """Where a job's video came from."""

    kind: Literal["upload", "uri"]
    name: str = Field(description="The file's name, or the URI without its credentials.")
    size_bytes: int | None


class JobRead(BaseModel):
    """A job."""

    job_id: str
    state: JobState
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    source: SourceRead
    model: str | None = Field(description="The action model asked for; null: the default one.")
    detector: str | None = Field(description="The detector asked for; null: the active one.")
    pose: str | None = Field(description="The pose estimator asked for; null: the active one.")
    tags: dict[str, str]
    progress: Progress
    attempts: int = Field(description="How often a worker has started it.")
    error: Problem | None = Field(description="Why it failed, in the form of every error.")
    summary: dict[str, JsonValue] = Field(
        description="The summary of the analysis, once it has succeeded; `action_counts`: action → how often."
    )
    links: dict[str, str] = Field(description="What can be fetched now.")

    @classmethod
    def of(cls, row: JobRow) -> "JobRead":
        """A row as clients see it."""
        error = None
        if row.error_code is not None:
            error = problem(status_of(row.error_code), row.error_code, row.error_message or row.error_code)
        model, detector, pose = (row.options.get(name) for name in ("model", "detector", "pose"))
        return cls(
            job_id=row.job_id, state=row.state, created_at=row.created_at, started_at=row.started_at,
            finished_at=row.finished_at, tags=dict(row.tags), attempts=row.attempts, error=error,
            source=SourceRead(kind=row.source_kind, name=row.source_name, size_bytes=row.source_bytes),
            model=_name(model), detector=_name(detector), pose=_name(pose), summary=dict(row.summary),
            progress=Progress.model_validate(dict(row.progress)), links=_links(row),
        )  # fmt: skip


class JobPage(BaseModel):
    """Jobs, the newest first."""

    items: list[JobRead]
    next_cursor: str | None = Field(description="Pass it as `cursor` to get the next page; null on the last one.")


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _links(row: JobRow) -> dict[str, str]:
    base = f"/v1/jobs/{row.job_id}"
    links = {"self": base, "source": f"{base}/source"}
    if row.state == "succeeded":
        links |= {"results": f"{base}/results", "timeline": f"{base}/timeline"}
        if row.summary.get("thumbnail"):
            links["thumbnail"] = f"{base}/thumbnail"
        if row.options.get("video"):
            links["video"] = f"{base}/video"
    return links
