"""The settings: every environment variable that the product reads, with its range and its reason."""

import difflib
import logging
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipelines.addresses.networks import Network
from pipelines.addresses.schemes import CAMERA_SCHEMES, DEFAULT_CAMERA_SCHEMES, JOB_SCHEMES
from pipelines.errors import ConfigInvalid
from service.blob_url import parse_blobs_url
from service.service_links import find_service_links

logger = logging.getLogger(__name__)


def _among(known: frozenset[str]) -> AfterValidator:
    """Refuses names that are not known, and names those that are."""

    def check(names: frozenset[str]) -> frozenset[str]:
        unknown = sorted(names - known)
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not among {', '.join(sorted(known))}")
        return names

    return AfterValidator(check)


def _public_url(url: str | None) -> str | None:
    """Refuses what is no address of a page, and leaves out the slash at the end."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # whose words may hold a password
        raise ValueError("expected an address; found one whose host or port cannot be read") from None
    if parts.scheme not in ("http", "https") or not has_host:
        raise ValueError("expected http:// or https:// and a host")
    if parts.username is not None or parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
        raise ValueError("expected scheme, host and plain path only: no user, query, fragment, escape or empty level")
    return url.rstrip("/")


def _blobs_url(url: str | None) -> str | None:
    """Refuses what names no bucket."""
    if url is None:
        return None
    bucket, prefix = parse_blobs_url(url)
    return f"s3://{bucket}/{prefix}".rstrip("/")


def _ray_address(address: str | None) -> str | None:
    """Refuses what is no host:port; Ray's own client (ray://) cannot do what the engine needs."""
    if address is None or address == "auto":
        return address
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal() or not 0 < int(port[:6]) < 2**16:
        raise ValueError("expected host:port of the cluster's head, or auto")
    return address


_PREFIX = "ACTOGRAM_"
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")
STREAMS_MAX = 1000
"""Streams on one worker, however much it can do."""


class SettingsInvalid(ConfigInvalid):
    """A variable that is no setting, or a value that a setting does not take."""

    code = "settings_invalid"


class Settings(BaseSettings):
    """Settings of the product, each from `ACTOGRAM_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    home: Path = Field(
        default_factory=lambda: Path.home() / ".actogram",
        description="Folder of the database, the blobs and the cache.",
    )
    weights: Path | None = Field(
        default=None, description="A folder with weight files, looked at before anything is downloaded."
    )
    models: Path | None = Field(
        default=None,
        description="A folder of networks of your own, each a folder that `actogram models import`, `export-yolo` or "
        "`export-mmpose` wrote; clients know them by the folders' names. By default `models` in the home folder.",
    )
    data: Path | None = Field(
        default=None, description="A folder whose subfolder `skeleton` holds the data sets for training and evaluation."
    )
    offline: bool = Field(
        default=False,
        description="Download nothing: weights come from the cache, ACTOGRAM_WEIGHTS or the package.",
    )
    profile: str = Field(
        default="auto",
        description="Which detector and pose estimator where none is named: auto, fast or accurate.",
    )
    detector: str | None = Field(
        default=None,
        description="The detector: a name of `actogram models list`, or a folder with model.json and model.onnx; "
        "by default the profile's.",
    )
    pose: str | None = Field(
        default=None, description="The pose estimator, likewise; one that also detects people takes both places."
    )
    networks_per_worker: int = Field(
        default=2,
        ge=0,
        le=32,
        description="Other detectors and pose estimators, by pairs, that a worker holds at once for cameras and jobs "
        "that name one.",
    )
    device: str = Field(
        default="cpu",
        description="Where networks run: cpu, cuda:0, or cuda for one GPU each; cpu:fixed is the CPU by a GPU's rules.",
    )
    engine_cpu: Literal["onnxruntime", "openvino", "openvino-bf16", "auto"] = Field(
        default="onnxruntime",
        description="What runs networks on a processor: onnxruntime; openvino (the extra of that name); openvino-bf16, "
        "where the processor knows bfloat16; auto takes OpenVINO for each network that it runs faster by a twentieth.",
    )
    threads: int = Field(default=1, ge=1, le=64, description="Threads per network session; more than one rarely helps.")

    public_url: Annotated[str | None, AfterValidator(_public_url)] = Field(
        default=None,
        max_length=1024,
        description="Address at which people reach the page through a proxy, with its path if it has one: "
        "https://cameras.example.org/watch. Its page may change things, and everybody needs a key.",
    )
    trusted_hosts: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(),
        description="Names under which the server may be asked, comma separated, *.example.org for all below; their "
        "pages may change things. Loopback and the host of public_url always may. Empty: any name.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="What cameras' and webhooks' secrets are sealed with in the database; "
        "none keeps a key in a file of the home.",
    )
    database_url: str | None = Field(
        default=None, repr=False, description="SQLAlchemy URL; by default a SQLite file in the home folder."
    )
    blobs_url: Annotated[str | None, AfterValidator(_blobs_url)] = Field(
        default=None,
        description="s3://bucket/prefix: an S3-compatible store for uploads, results and clips; its endpoint, region "
        "and credentials come from AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. "
        "By default a folder in the home.",
    )
    replica_url: Annotated[str | None, AfterValidator(_public_url)] = Field(
        default=None,
        description="Where other servers on the same PostgreSQL database reach this one, such as "
        "http://actogram-1:8000: they pass on to it what only the server can answer whose worker has the stream.",
    )
    workers: int = Field(
        default=1,
        ge=0,
        le=64,
        description="Worker processes for streams, each with its own networks; one more takes jobs.",
    )
    engine: Literal["local", "ray"] = Field(
        default="local", description="What runs the workers: local, this machine, or ray, the nodes of a Ray cluster."
    )
    ray_address: Annotated[str | None, AfterValidator(_ray_address)] = Field(
        default=None,
        description="Head of the Ray cluster, host:port, or auto for the one that this machine has joined; unset: "
        "one of this machine's own, on loopback. Read with the engine ray only.",
    )
    ray_worker_cpus: float = Field(
        default=1.0,
        gt=0,
        le=256,
        description="Processor cores that a worker reserves on its node; it takes as many cameras as they allow.",
    )
    weights_cache: Path | None = Field(
        default=None,
        description="Folder for fetched weights and compiled engines. By default `weights` in the home folder, on a "
        "node of a cluster `~/.actogram/weights`.",
    )
    worker_memory_bytes: int = Field(
        default=6 * 2**30,
        ge=2**28,
        description="Resident memory above which a worker is replaced and its work placed again.",
    )
    job_stall_s: float = Field(
        default=120.0, ge=1, le=3600, description="Seconds without progress after which a job's worker counts as stuck."
    )
    job_duration_max_s: float = Field(
        default=24 * 3600.0,
        ge=1,
        description="Seconds of a worker's time that one job may take, however short its video; then it fails with "
        "`timeout`, and the worker goes on.",
    )
    job_frames_max: int = Field(
        default=200_000, ge=1, description="Frames of one video; a longer one fails with `too_long`."
    )
    jobs_queued_max: int = Field(
        default=1000, ge=1, description="Jobs that may wait; further ones are refused with at_capacity."
    )
    upload_bytes_max: int = Field(default=8 * 2**30, ge=1, description="Largest upload that is accepted.")
    upload_idle_s: float = Field(
        default=60.0, gt=0, le=3600, description="Seconds without a byte before an upload fails."
    )
    disk_reserve_bytes: int = Field(
        default=512 * 2**20, ge=0, description="Free bytes that uploads and downloads must leave on the blob disk."
    )
    source_schemes: Annotated[frozenset[str], NoDecode, _among(JOB_SCHEMES)] = Field(
        default=frozenset(),
        description=f"Schemes that a job's source may have, comma separated: {', '.join(sorted(JOB_SCHEMES))}.",
    )
    source_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="Folders that file: sources may come from, comma separated."
    )
    source_networks: Annotated[frozenset[Network], NoDecode] = Field(
        default=frozenset({"public"}),
        description="Where http(s) sources may be, comma separated: public, private (addresses of a local network), "
        "loopback. Never link-local addresses, where clouds keep their secrets.",
    )
    stream_schemes: Annotated[frozenset[str], NoDecode, _among(CAMERA_SCHEMES)] = Field(
        default=DEFAULT_CAMERA_SCHEMES,
        description="Schemes that a stream's source may have, comma separated; `file` needs source_folders.",
    )
    stream_networks: Annotated[frozenset[Network], NoDecode] = Field(
        default=frozenset({"public", "private"}),
        description="Where cameras may be, comma separated: public, private, loopback.",
    )
    camera_search: bool = Field(
        default=True,
        description="Whether operators may search the local network for ONVIF cameras and ask these for their streams.",
    )
    blur_faces: bool = Field(
        default=False,
        description="Whether faces are made unrecognisable in every picture that leaves a worker, whatever a camera's "
        "`privacy.blur` says: clips, snapshots, live pictures, evidence, annotated videos and thumbnails.",
    )
    streams_per_worker: int | None = Field(
        default=None, ge=1, le=STREAMS_MAX,
        description="Streams that one worker takes at most, whatever it measured; unset: as many as its budget allows.",
    )  # fmt: skip
    stream_fps_budget: float | None = Field(
        default=None,
        gt=0,
        description="Frames per second that all workers together analyse; measured when left out.",
    )
    stream_stall_s: float = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="Seconds without progress after which a stream's worker is stuck.",
    )
    mqtt_url: str | None = Field(
        default=None,
        repr=False,
        description="mqtt://user:password@host:port or mqtts://; nothing is published without it.",
    )
    mqtt_prefix: str = Field(default="actogram", min_length=1, max_length=64, description="First level of all topics.")
    mqtt_discovery: str = Field(
        default="homeassistant",
        max_length=64,
        min_length=1,
        description="Home Assistant's discovery prefix; `off` switches discovery off.",
    )
    mqtt_version: Literal[3, 5] = Field(default=5, description="Protocol version: 3 for MQTT 3.1.1, or 5.")
    events_file: Path | None = Field(default=None, description="A file that every stored message is appended to.")
    webhook_networks: Annotated[frozenset[Network], NoDecode] = Field(
        default=frozenset({"public", "private"}),
        description="Where the receivers of webhooks may be, comma separated: public, private, loopback.",
    )
    webhooks_max: int = Field(default=50, ge=0, description="Webhooks that may exist at a time.")
    destinations_max: int = Field(
        default=50, ge=0, description="Mailboxes, chats and browsers that may be told of events at a time."
    )
    push_contact: str | None = Field(
        default=None,
        max_length=256,
        pattern=r"^(mailto:[^\s@]+@[^\s@]+|https://\S+)$",
        description="Whom the makers of browsers may ask about messages by Web Push: mailto:you@example.org, or an "
        "https:// page. By default public_url, where it is https.",
    )
    retention_events_days: float = Field(default=90.0, gt=0, description="Days after which an ended event is removed.")
    retention_events_max: int = Field(default=100_000, ge=1, description="Ended events that are kept; oldest go first.")
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
        default=200_000, ge=100, description="Messages that are kept for clients that resume."
    )
    audit_bytes_max: int = Field(
        default=32 * 2**20, ge=2**12, description="Bytes of the log of who changed what; the oldest half goes first."
    )
    metrics_public: bool = Field(default=False, description="Whether /metrics needs no key even when keys exist.")

    @field_validator(
        "source_schemes",
        "source_folders",
        "source_networks",
        "stream_schemes",
        "stream_networks",
        "webhook_networks",
        "trusted_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def discovery_prefix(self) -> str:
        """Home Assistant's discovery prefix; empty where discovery is off."""
        return "" if self.mqtt_discovery == "off" else self.mqtt_discovery

    @property
    def cache(self) -> Path:
        """Where fetched and converted weights are kept."""
        return self.weights_cache or self.home / "weights"

    @property
    def models_folder(self) -> Path:
        """Where action models of the user's own lie."""
        return self.models or self.home / "models"

    def model_folder(self, name: str) -> Path | None:
        """The folder of a network that is named by a path, or of one of the user's own; None for neither."""
        for folder in (Path(name), self.models_folder / name):
            if (folder / "model.json").is_file():
                return folder
        return None

    @property
    def blobs(self) -> Path:
        """Where uploads and results lie on this machine, and pass through where `blobs_url` names a store."""
        return self.home / "blobs"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'actogram.sqlite3'}"


_READ_ELSEWHERE = frozenset({"ACTOGRAM_TEST_ENGINE", "ACTOGRAM_TEST_CLUSTER", "ACTOGRAM_BIND", "ACTOGRAM_LISTEN_PORT"})
"""Read by the tests and by the container's entry point alone."""


def load_settings(**overrides: object) -> Settings:
    """The settings of this process; every command comes through here.

    Raises SettingsInvalid, which names the variable and never its value.
    """
    _refuse_unknown(os.environ)
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = (f"{variable(str(e['loc'][0]))}: {e['msg']}" for e in error.errors(include_input=False))
        raise SettingsInvalid("; ".join(faults)) from error


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {variable(name) for name in Settings.model_fields}
    unknown = {name for name in environment if name.startswith(_PREFIX)} - known - _READ_ELSEWHERE
    links = find_service_links({name: environment[name] for name in unknown}, _PREFIX.removesuffix("_"))
    if links:
        logger.info("ignoring %s: a Kubernetes or Docker service link, not a setting", ", ".join(sorted(links)))
    if unknown - links:
        raise SettingsInvalid("; ".join(f"{name}: {_advice(name, known)}" for name in sorted(unknown - links)))


def _advice(name: str, known: Collection[str]) -> str:
    # Without the prefix, which would make all of them alike.
    close = difflib.get_close_matches(name.removeprefix(_PREFIX), [one.removeprefix(_PREFIX) for one in known], n=1)
    if close:
        return f"no such setting; did you mean {variable(close[0])}?"
    return f"no such setting; there are {', '.join(sorted(known))}"


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return f"{_PREFIX}{setting.upper()}"
