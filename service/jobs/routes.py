"""The paths below /v1/jobs."""

import json
from pathlib import Path
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from pipelines.errors import UnsupportedMedia
from pipelines.exercises.signals import ExerciseName
from service.blob_response import send
from service.blob_store import RemoteBlob
from service.blobs import THUMBNAIL_CACHE, BlobFolder
from service.deps import provided
from service.errors import FieldFault, InvalidRequest, TooLarge
from service.idempotency import IdempotencyKey
from service.jobs.control import Created, JobControl
from service.jobs.exercises import ExercisesRead, read_exercises
from service.jobs.formats import FORMS, ResultFormat, negotiate
from service.jobs.schemas import JobCreate, JobOptions, JobPage, JobRead, UploadForm
from service.jobs.store import JobState
from service.jobs.upload import UploadReader
from service.numbers import parse_integer
from service.paging import cut_page, decode_cursor
from service.responses import NO_STORE, NO_SUCH_BYTES, Responses, content, file, problems
from service.security import Operator, Viewer
from service.settings import Settings

T = TypeVar("T", bound=BaseModel)
router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[Viewer])

_JSON_BYTES_MAX = 256 * 1024
_VIDEO_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime",
    ".webm": "video/webm", ".avi": "video/x-msvideo", ".mkv": "video/x-matroska",
    ".ts": "video/mp2t", ".mpg": "video/mpeg", ".mpeg": "video/mpeg",
    ".ogv": "video/ogg",
}  # fmt: skip

ControlDep = Annotated[JobControl, Depends(provided(JobControl))]
BlobsDep = Annotated[BlobFolder, Depends(provided(BlobFolder))]
SettingsDep = Annotated[Settings, Depends(provided(Settings))]

_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"$ref": "#/components/schemas/VideoUpload"},
                "encoding": {"tags": {"contentType": "application/json"}},
            },
            "application/json": {"schema": {"$ref": "#/components/schemas/JobCreate"}},
        },
    }
}
_PROBLEMS = problems(
    {
        400: "`upload_incomplete`: the upload stopped before its end",
        403: "`source_forbidden`: a URI that the settings do not allow; `forbidden`",
        409: "`idempotency_conflict`: the key was already used with a different body",
        413: "`too_large`: larger than the limit",
        415: "`unsupported_content_type`: neither a form nor JSON; `unsupported_media`: an empty file",
        422: "`invalid_request`, `model_unknown`, `layout_not_served`",
        429: "`at_capacity`: too many jobs are waiting; `too_many_attempts`; see Retry-After; "
        "`networks_full`: no room for other networks",
        507: "`disk_full`: the disk is too full for uploads",
        **NO_STORE,
    }
)
_NOT_READY = problems(
    {
        404: "`not_found`: no such job, or it was not asked to make this",
        409: "`not_ready`, or the code with which the job failed",
        **NO_STORE,
    }
)
_CREATED: Responses = {
    202: {
        "description": "It is queued, or an earlier request with the same key had made it.",
        "headers": {
            "Location": {"description": "Where the job is.", "schema": {"type": "string"}},
            "Idempotent-Replayed": {
                "description": "`true`: an earlier request made it.",
                "schema": {"type": "string"},
            },
        },
    }
}
_RESULTS = content(
    "The results, in the form that was asked for.",
    {
        "application/x-ndjson": {"type": "string", "description": "One ResultLine (see the schemas) per line."},
        "application/json": {"$ref": "#/components/schemas/ResultSummary"},
        "text/csv": {"type": "string", "description": "track_id,action,start_s,end_s,duration_s,score,state"},
    },
)
_TIMELINE = content("The timeline.", {"application/json": {"$ref": "#/components/schemas/Timeline"}})


@router.post(
    "", status_code=202, response_model=JobRead, dependencies=[Operator], openapi_extra=_UPLOAD_BODY,
    responses={**_PROBLEMS, **_CREATED}, summary="Analyse a video",
)  # fmt: skip
async def create_job(
    request: Request, response: Response, control: ControlDep, blobs: BlobsDep, settings: SettingsDep,
    idempotency_key: IdempotencyKey = None,
) -> JobRead:  # fmt: skip
    """Upload a video (multipart form, part `file`), or name one for the server to download (JSON)."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        body = _parse(JobCreate, await _json(request))
        created = await run_in_threadpool(control.create_source, body, idempotency_key)
    else:
        _refuse_oversize(request, settings)
        created = await _receive(request, content_type, control, blobs, settings, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{created.row.job_id}"
    if created.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return JobRead.of(created.row)


@router.get("", summary="List jobs")
def list_jobs(
    control: ControlDep,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    cursor: Annotated[str | None, Query(max_length=128, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobPage:
    """The newest first."""
    rows = control.page(state, None if cursor is None else decode_cursor(cursor)[0], limit + 1)
    shown, more = cut_page(rows, limit, lambda row: (row.job_id,))
    return JobPage(items=[JobRead.of(row) for row in shown], next_cursor=more)


@router.get("/{job_id}", responses={404: _NOT_READY[404]}, summary="Look at a job")
def get_job(job_id: str, control: ControlDep) -> JobRead:
    """State, progress, and links to what can be fetched."""
    return JobRead.of(control.require(job_id))


@router.delete("/{job_id}", status_code=204, dependencies=[Operator], summary="Cancel and remove a job")
def delete_job(job_id: str, control: ControlDep) -> None:
    """Allowed in every state, and for a job that no longer exists. Its video and results are removed."""
    control.remove(job_id)


@router.get(
    "/{job_id}/results", response_class=Response, responses={**_NOT_READY, **_RESULTS, **problems(NO_SUCH_BYTES)},
    summary="Fetch the results",
)  # fmt: skip
def get_results(
    job_id: str,
    control: ControlDep,
    format_: Annotated[ResultFormat | None, Query(alias="format", description="Overrides `Accept`.")] = None,
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """JSON Lines: the source, every frame, every change of an event, the summary. JSON: the summary. CSV: the actions.

    `?format=` or `Accept` chooses; docs/results.md describes all three.
    """
    row = control.require(job_id)
    wanted = format_ or negotiate(accept)
    form = FORMS[wanted]
    return send(control.require_file(row, form.name), form.media_type, f"{row.job_id}.{wanted}")


@router.get(
    "/{job_id}/timeline", response_class=Response, responses={**_NOT_READY, **_TIMELINE, **problems(NO_SUCH_BYTES)},
    summary="Fetch the timeline",
)  # fmt: skip
def get_timeline(job_id: str, control: ControlDep) -> Response:
    """Which actions each track did, from when to when."""
    return send(control.require_file(control.require(job_id), "timeline.json"), "application/json")


@router.get("/{job_id}/exercises", responses=_NOT_READY, summary="Count an exercise")
def get_exercises(
    job_id: str,
    control: ControlDep,
    exercise: Annotated[ExerciseName, Query(description="What is counted.")],
) -> ExercisesRead:
    """Repetitions of one exercise by everybody in the video, the curve behind them, and the angles of joints."""
    row = control.require(job_id)
    results, timeline = control.require_file(row, FORMS["jsonl"].name), control.require_file(row, "timeline.json")
    return read_exercises(results, timeline, exercise)


@router.get(
    "/{job_id}/video", response_class=Response, responses={**_NOT_READY, **file("The video.", "video/mp4")},
    summary="Fetch the annotated video",
)  # fmt: skip
def get_video(job_id: str, control: ControlDep) -> Response:
    """An mp4 with boxes, skeletons and labels, if the job asked for it; supports `Range`."""
    return send(control.require_file(control.require(job_id), "video.mp4"), "video/mp4", f"{job_id}.mp4")


@router.get(
    "/{job_id}/thumbnail", response_class=Response, summary="Fetch a small picture",
    responses={
        **file("A small picture.", "image/jpeg"),
        **problems({404: "`not_found`: no such job; `no_thumbnail`: it has no picture", **NO_STORE}),
    },
)  # fmt: skip
def get_job_thumbnail(job_id: str, control: ControlDep) -> Response:
    """A JPEG, at most 320 pixels wide and high, of when most people do what could be named, else of the middle."""
    found = control.require_thumbnail(control.require(job_id))
    return send(found, "image/jpeg", headers={"Cache-Control": THUMBNAIL_CACHE})


@router.get(
    "/{job_id}/source", response_class=Response,
    responses={**_NOT_READY, **file("The video.", *sorted(set(_VIDEO_TYPES.values())))},
    summary="Fetch the video itself",
)  # fmt: skip
def get_source(job_id: str, control: ControlDep) -> Response:
    """The video as it was uploaded; supports `Range`, so that a player can seek."""
    found = control.require_source(control.require(job_id))
    # Never the type that the uploader claimed: a browser must not run what somebody uploaded.
    suffix = Path(found.info.name if isinstance(found, RemoteBlob) else found.name).suffix
    return send(found, _VIDEO_TYPES.get(suffix.lower(), "video/mp4"))


async def _receive(
    request: Request, content_type: str, control: JobControl, blobs: BlobFolder, settings: Settings, key: str | None
) -> Created:
    job_id = await run_in_threadpool(control.new_id)
    reader = UploadReader(blobs.incoming(job_id), blobs, settings.upload_bytes_max, settings.upload_idle_s)
    with reader:
        upload = await reader.read(content_type, request.stream())
        if upload.size_bytes == 0:
            raise UnsupportedMedia(f"{upload.name} is empty; expected a video")
        form = _form(upload.fields)
        options = JobOptions(**form.model_dump(exclude={"tags"}))
        return await run_in_threadpool(control.create_upload, job_id, upload, options, dict(form.tags), key)


def _form(fields: dict[str, str]) -> UploadForm:
    values: dict[str, object] = {name: text for name, text in fields.items() if text != ""}
    if "tags" in values:
        try:
            values["tags"] = json.loads(fields["tags"])
        except ValueError as error:
            raise InvalidRequest(f"field tags: not valid JSON: {error}") from error
    return _parse(UploadForm, values)


def _refuse_oversize(request: Request, settings: Settings) -> None:
    declared = parse_integer(request.headers.get("content-length", ""))
    # The form around the file takes some bytes of its own.
    if declared is not None and declared > settings.upload_bytes_max + 2**20:
        raise TooLarge(f"the body is {declared} bytes, the limit is {settings.upload_bytes_max}")


async def _json(request: Request) -> object:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _JSON_BYTES_MAX:
            raise TooLarge(f"the JSON body is larger than {_JSON_BYTES_MAX} bytes")
    try:
        parsed: object = json.loads(body)
    except ValueError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    return parsed


def _parse(schema: type[T], values: object) -> T:
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        # The input itself is left out: it may contain a credential.
        faults = [FieldFault(location=".".join(map(str, e["loc"])) or "body", message=e["msg"]) for e in error.errors()]
        raise InvalidRequest("; ".join(f"{fault.location}: {fault.message}" for fault in faults[:5])) from error
