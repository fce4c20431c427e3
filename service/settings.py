"""Everything that the environment may say; nothing else reads it."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipelines.errors import ConfigInvalid

Scheme = Literal["http", "https", "file"]
LiveScheme = Literal["rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "file", "webcam", "push"]
Network = Literal["public", "private", "loopback"]


class Settings(BaseSettings):
    """Settings of the product, each from `ACTOGRAM_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="ACTOGRAM_", frozen=True, extra="forbid", env_ignore_empty=True)

    home: Path = Field(
        default_factory=lambda: Path.home() / ".actogram",
        description="Folder of the database, the blobs and the cache.",
    )
    weights: Path | None = Field(
        default=None, description="A folder with weight files that are taken before anything is fetched."
    )
    data: Path | None = Field(
        default=None, description="A folder whose `skeleton` folder holds the sets to train on and to measure with."
    )
    offline: bool = Field(
        default=False, description="Fetch nothing: weights come from the cache, the folder or the repository."
    )
    device: str = Field(default="cpu", description="Where networks run: cpu, cuda:0; cuda: a GPU per worker.")
    threads: int = Field(default=1, ge=1, le=64, description="Threads per network session; more than one rarely pays.")

    secret_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="What cameras' and webhooks' secrets are sealed with in the database; "
        "none keeps a key in a file of the home.",
    )
    database_url: str | None = Field(
        default=None, repr=False, description="SQLAlchemy URL; default is a SQLite file in the home folder."
    )
    workers: int = Field(
        default=1, ge=0, le=64, description="Workers for streams, one more does jobs; each a process with its networks."
    )
    worker_memory_bytes: int = Field(
        default=6 * 2**30,
        ge=2**28,
        description="Resident memory above which a worker is ended and its work placed again.",
    )
    job_stall_s: float = Field(
        default=120.0, ge=1, le=3600, description="Seconds without progress after which a job's worker counts as stuck."
    )
    job_duration_max_s: float = Field(
        default=24 * 3600.0, ge=1, description="Wall seconds after which a running job is failed; every wait ends."
    )
    job_frames_max: int = Field(
        default=200_000, ge=1, description="Frames of one video; a longer one fails with `too_long`."
    )
    jobs_queued_max: int = Field(
        default=1000, ge=1, description="Jobs that may wait; one more is answered at_capacity."
    )
    upload_bytes_max: int = Field(default=8 * 2**30, ge=1, description="Largest video that is taken.")
    upload_idle_s: float = Field(default=60.0, gt=0, le=3600, description="Seconds that an upload may stand still.")
    disk_reserve_bytes: int = Field(
        default=512 * 2**20, ge=0, description="Free bytes on the blob disk that uploads and fetches must leave."
    )
    source_schemes: Annotated[frozenset[Scheme], NoDecode] = Field(
        default=frozenset(), description="What a client may name as a job's source, comma separated: http, https, file."
    )
    source_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="Folders below which file: sources may lie, comma separated."
    )
    source_networks: Annotated[frozenset[Network], NoDecode] = Field(
        default=frozenset({"public"}),
        description="Where http(s) sources may lie, comma separated: public, private (a local network's addresses), "
        "loopback. Link-local addresses, where clouds keep their secrets, never.",
    )
    stream_schemes: Annotated[frozenset[LiveScheme], NoDecode] = Field(
        default=frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "push"}),
        description="What a client may name as a stream's source, comma separated; `file` needs source_folders.",
    )
    stream_networks: Annotated[frozenset[Network], NoDecode] = Field(
        default=frozenset({"public", "private"}),
        description="Where cameras may lie, comma separated: public, private, loopback.",
    )
    streams_per_worker: int = Field(default=16, ge=1, le=1000, description="Streams that one worker takes.")
    stream_fps_budget: float | None = Field(
        default=None, gt=0, description="Frames per second that all workers may be asked for; none measures it."
    )
    stream_stall_s: float = Field(
        default=60.0, ge=1, le=3600, description="Seconds without a sign of a stream after which its worker is stuck."
    )
    mqtt_url: str | None = Field(
        default=None, repr=False, description="mqtt://user:password@host:port or mqtts://; none publishes nothing."
    )
    mqtt_prefix: str = Field(default="actogram", min_length=1, max_length=64, description="First level of the topics.")
    mqtt_discovery: str = Field(
        default="homeassistant",
        max_length=64,
        description="Home Assistant's discovery prefix; empty: none.",
    )
    mqtt_version: Literal[3, 5] = Field(default=5, description="Protocol: 3 for 3.1.1, or 5.")
    events_file: Path | None = Field(default=None, description="A file to which every stored message is appended.")
    webhooks_max: int = Field(default=50, ge=0, description="Webhooks that may exist.")
    retention_events_days: float = Field(default=90.0, gt=0, description="Days after which an ended event is removed.")
    retention_events_max: int = Field(default=100_000, ge=1, description="Ended events that are kept.")
    retention_evidence_bytes: int = Field(
        default=50 * 2**30, ge=1, description="Bytes of clips and skeletons that are kept; the oldest go first."
    )
    retention_jobs_days: float = Field(default=30.0, gt=0, description="Days after which a finished job is removed.")
    retention_jobs_max: int = Field(
        default=10_000, ge=1, description="Finished jobs that are kept; the oldest go first."
    )
    retention_blobs_bytes: int = Field(
        default=100 * 2**30, ge=1, description="Bytes of blobs that are kept; the oldest finished jobs go first."
    )
    retention_log_rows: int = Field(
        default=200_000, ge=100, description="Rows of the event log that a client can resume from."
    )
    audit_bytes_max: int = Field(
        default=32 * 2**20, ge=2**12, description="Bytes of the log of who changed what; the oldest half goes first."
    )
    metrics_public: bool = Field(default=False, description="Whether /metrics answers without a key once keys exist.")

    @field_validator(
        "source_schemes", "source_folders", "source_networks", "stream_schemes", "stream_networks", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def cache(self) -> Path:
        """Where fetched and converted weights are kept."""
        return self.home / "weights"

    @property
    def blobs(self) -> Path:
        """Where uploads and results lie."""
        return self.home / "blobs"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'actogram.sqlite3'}"


_NOT_OURS = {"ACTOGRAM_DATA", "ACTOGRAM_TEST_ENGINE", "ACTOGRAM_BIND", "ACTOGRAM_LISTEN_PORT"}
"""Read by the tests and by the container's entry point alone."""


def load_settings(**overrides: object) -> Settings:
    """The settings of this process; raises ConfigInvalid, which names the variable and never its value."""
    known = {f"ACTOGRAM_{name.upper()}" for name in Settings.model_fields} | _NOT_OURS
    unknown = sorted(name for name in os.environ if name.startswith("ACTOGRAM_") and name not in known)
    if unknown:
        raise ConfigInvalid(f"{', '.join(unknown)}: no such setting; known are {', '.join(sorted(known))}")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = (f"ACTOGRAM_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False))
        raise ConfigInvalid("; ".join(faults)) from error
