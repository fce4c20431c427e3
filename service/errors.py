"""What can go wrong in the service, and the problem+json that says so.

ServiceError
├── NotFound                 a path or an id that is not there
├── NoThumbnail              a job or an event of which no small picture was kept
├── InvalidRequest           a body, a header or a query that does not hold what it should
│   ├── RangeTooLong         more days or hours than one answer covers
│   └── ExportTooLarge       more events or bytes than one file holds
├── AdminKeyNeeded           a change after which nobody could administer the server
├── TooManyViews             more saved views than a key may keep
├── ActionUnknown            an action that the camera's action model does not have
├── UnsupportedBody          a content type that this path does not take
├── TooLarge                 a body over the limit
├── HeadersTooLarge          more or longer headers than anybody needs
├── BodyTooSlow              a body that does not arrive in time
├── UploadIncomplete         an upload that stopped half way or stood still
├── NotReady                 results of a job that has none (yet), or none of that kind
├── ExtraMissing             something that needs a package which is not installed
├── IdempotencyConflict      an Idempotency-Key used before for another request
├── NotOnvif                 an answer that no ONVIF camera would give
├── AtCapacity               no room now; `retry_after_s` says when to ask again
│   └── TooManyNetworks      more detectors and pose estimators than the workers may hold
├── Unauthorized             no key, or a key that is not known
├── TooManyAttempts          wrong keys in a row; `retry_after_s` says when to try again
├── Forbidden                a key whose role is too low, or a foreign origin
├── StorageFull              no space left for uploads or results
├── BlobsUnavailable         an object store that does not answer, or not as it should; ask again
│   ├── BlobsDenied          an object store that refuses our credentials
│   ├── BlobsForeign         a place in an object store where another installation keeps its blobs
│   └── BlobsBucketMissing   an object store without the bucket that is named
├── DatabaseNewer            a database that a newer version has migrated
├── UnsafeBinding            an address beyond loopback without any key
├── EngineUnavailable        a cluster of workers that cannot be reached, or that does not start
├── DatabaseBusy             a database that somebody else holds; ask again
├── DatabaseUnavailable      a database that does not answer, or not as it should
├── DatabaseDamaged          a database file that cannot be read
├── SecretKeyInvalid         a key file that holds no key
├── ReplicaMismatch          a server that shares a database with another one, and not its key or its blobs
├── HomeInUse                a home from which another server already serves
└── HomeUnusable             a home that cannot be written to
"""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import sqlalchemy.exc
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from models.errors import ModelError
from pipelines.errors import PipelineError

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"


class ServiceError(Exception):
    """Any failure of the service; `code` is stable, `status` is the HTTP status."""

    code = "service_error"
    status = 500
    headers: Mapping[str, str] = {}


class NotFound(ServiceError):
    """A path or an id that is not there."""

    code, status = "not_found", 404


class NoThumbnail(ServiceError):
    """A job or an event of which no small picture was kept."""

    code, status = "no_thumbnail", 404


class InvalidRequest(ServiceError):
    """A body, a header or a query that does not hold what it should."""

    code, status = "invalid_request", 422


class RangeTooLong(InvalidRequest):
    """More days or hours than one answer covers."""

    code = "range_too_long"


class ExportTooLarge(InvalidRequest):
    """More events or bytes than one file holds."""

    code = "export_too_large"


class AdminKeyNeeded(ServiceError):
    """A change after which no key could administer the server any more."""

    code, status = "admin_key_needed", 409


class TooManyViews(ServiceError):
    """More saved views than a key may keep."""

    code, status = "too_many_views", 409


class ActionUnknown(ServiceError):
    """An action that the camera's action model does not have."""

    code, status = "action_unknown", 422


class UnsupportedBody(ServiceError):
    """A content type that this path does not take."""

    code, status = "unsupported_content_type", 415


class TooLarge(ServiceError):
    """A body over the limit."""

    code, status = "too_large", 413


class HeadersTooLarge(ServiceError):
    """More or longer headers than anybody needs."""

    code, status = "headers_too_large", 431


class BodyTooSlow(ServiceError):
    """A body that does not arrive in time."""

    code, status = "body_too_slow", 408


class UploadIncomplete(ServiceError):
    """An upload that stopped half way or stood still."""

    code, status = "upload_incomplete", 400


class NotReady(ServiceError):
    """Results of a job that has none (yet), or none of that kind; `code` says which."""

    status = 409

    def __init__(self, message: str, code: str = "not_ready") -> None:
        super().__init__(message)
        self.code = code


class ExtraMissing(ServiceError):
    """Something that needs a package which is not installed."""

    code = "extra_missing"
    status = 409


class IdempotencyConflict(ServiceError):
    """An Idempotency-Key used before for another request."""

    code, status = "idempotency_conflict", 409


class AtCapacity(ServiceError):
    """No room now; ask again after `retry_after_s`."""

    code, status = "at_capacity", 429

    def __init__(self, message: str, retry_after_s: int = 10) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(retry_after_s)}


class TooManyNetworks(AtCapacity):
    """More detectors and pose estimators, named by cameras, than the workers may hold."""

    code = "networks_full"


class NotOnvif(ServiceError):
    """An answer that no ONVIF camera would give, or a request that the camera refuses."""

    code, status = "not_onvif", 502


class Unauthorized(ServiceError):
    """No key, or a key that is not known."""

    code, status = "unauthorized", 401
    headers = {"WWW-Authenticate": 'Bearer realm="actogram"'}  # noqa: RUF012 - never written to


class TooManyAttempts(ServiceError):
    """Wrong keys in a row, from one address, for one key or in total."""

    code, status = "too_many_attempts", 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many wrong API keys; try again in {retry_after_s} s")
        self.headers = {"Retry-After": str(retry_after_s)}


class Forbidden(ServiceError):
    """A key whose role is too low, or a foreign origin."""

    code, status = "forbidden", 403


class StorageFull(ServiceError):
    """No space left for uploads or results."""

    code, status = "disk_full", 507


class BlobsUnavailable(ServiceError):
    """An object store that does not answer, or not as it should; ask again."""

    code, status = "blobs_unavailable", 503
    headers = {"Retry-After": "10"}  # noqa: RUF012 - never written to


class BlobsDenied(BlobsUnavailable):
    """An object store that refuses our credentials."""

    code = "blobs_denied"


class BlobsForeign(BlobsUnavailable):
    """A place in an object store where another installation keeps its blobs: what we do not know there is not ours."""

    code = "blobs_foreign"


class BlobsBucketMissing(BlobsUnavailable):
    """An object store without the bucket that is named."""

    code = "blobs_bucket_missing"


class DatabaseNewer(ServiceError):
    """A database that a newer version has migrated."""

    code = "database_newer"


class UnsafeBinding(ServiceError):
    """An address beyond loopback without any key."""

    code = "unsafe_binding"


class EngineUnavailable(ServiceError):
    """A cluster of workers that cannot be reached, or that does not start."""

    code, status = "engine_unavailable", 503


class DatabaseBusy(ServiceError):
    """A database that somebody else holds; ask again."""

    code, status = "busy", 503
    headers = {"Retry-After": "3"}  # noqa: RUF012 - never written to


class DatabaseUnavailable(ServiceError):
    """A database that does not answer, or not as it should."""

    code, status = "database_unavailable", 503
    headers = {"Retry-After": "30"}  # noqa: RUF012 - never written to


class DatabaseDamaged(ServiceError):
    """A database file that cannot be read."""

    code = "database_damaged"


class SecretKeyInvalid(ServiceError):
    """A key file that holds no key."""

    code = "secret_key_invalid"


class ReplicaMismatch(ServiceError):
    """A server that shares a database with another one, and not its key or its blobs."""

    code = "replica_mismatch"


class HomeInUse(ServiceError):
    """A home from which another server already serves."""

    code = "home_in_use"


class HomeUnusable(ServiceError):
    """A home that cannot be written to."""

    code = "home_unusable"


class FieldFault(BaseModel):
    """One field that was refused."""

    location: str = Field(description="Where: body, query or path, then the names on the way.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """Every error's body (RFC 9457)."""

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"type": "about:blank", "title": "Unsupported Media Type", "status": 415, "code": "unsupported_media",
         "detail": "notes.txt is not a video: no demuxer takes it"},
    ]})  # fmt: skip

    type: str = "about:blank"
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="Stable, for programs: branch on this one.")
    detail: str = Field(description="For people: the value found and the value expected.")
    errors: list[FieldFault] | None = Field(None, description="The fields at fault, where there are any.")


# The statuses of codes that come from the packages below, which know nothing of HTTP.
_STATUS = {
    "unsupported_media": 415, "source_truncated": 422, "source_error": 422, "too_large": 413, "source_forbidden": 403,
    "config_invalid": 422, "dataset_invalid": 422, "disk_full": 507, "model_unknown": 422, "layout_unknown": 422,
    "layout_not_served": 422, "networks_full": 429,
    "weights_missing": 503, "weights_corrupt": 503, "device_unavailable": 503, "connection_failed": 502,
    "auth_failed": 502, "not_found": 502, "tls_failed": 502, "timeout": 504, "codec_unsupported": 415, "ended": 502,
    "source_quarantined": 422, "decoder_failed": 422, "cancelled": 409, "too_long": 413,
}  # fmt: skip


def status_of(code: str) -> int:
    """The HTTP status of a code that pipelines or models gave; 500 when nothing better is known."""
    return _STATUS.get(code, 500)


def problem(status: int, code: str, detail: str, errors: Sequence[FieldFault] | None = None) -> Problem:
    """The body of an error."""
    faults = list(errors) if errors else None
    return Problem(title=HTTPStatus(status).phrase, status=status, code=code, detail=detail, errors=faults)


def answer(found: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem as a response."""
    body = found.model_dump(exclude_none=True)
    return JSONResponse(body, found.status, headers=dict(headers or {}), media_type=PROBLEM_TYPE)


def problem_of(error: ServiceError | PipelineError | ModelError) -> Problem:
    """The problem that an error of one of the three trees stands for."""
    status = error.status if isinstance(error, ServiceError) else status_of(error.code)
    return problem(status, error.code, str(error) or error.code)


def install(app: FastAPI) -> None:
    """Answer every error of an application with problem+json."""
    app.add_exception_handler(ServiceError, _on_known)
    app.add_exception_handler(PipelineError, _on_known)
    app.add_exception_handler(ModelError, _on_known)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for kind in (OverflowError, UnicodeError, RecursionError, sqlalchemy.exc.StatementError):
        app.add_exception_handler(kind, _on_unfit)
    app.add_exception_handler(Exception, _on_unknown)


def _on_known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, (ServiceError, PipelineError, ModelError))
    found = problem_of(error)
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("%s %s: %s: %s", request.method, request.url.path, found.code, found.detail)
    return answer(found, error.headers if isinstance(error, ServiceError) else None)


def _on_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # The input itself is left out: it may hold a credential.
    faults = [FieldFault(location=".".join(map(str, e["loc"])), message=str(e["msg"])) for e in error.errors()]
    detail = "; ".join(f"{fault.location}: {fault.message}" for fault in faults[:5])
    return answer(problem(422, "invalid_request", detail, faults))


_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_content_type"}


def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "http_error")
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _methods(request)):
        # Starlette names those of the first route alone, and each method has a route of its own.
        headers["Allow"] = ", ".join(sorted(allowed))
    return answer(problem(error.status_code, code, f"{request.method} {request.url.path}: {error.detail}"), headers)


def _methods(request: Request) -> set[str]:
    """The methods that the path of a request knows: those of the first router that has it.

    A later one may take its last part for an id, as `/v1/events/{event_id}` would take `/v1/events/days`.
    """
    for one in request.app.routes:
        known = {name for name in _METHODS if one.matches({**request.scope, "method": name})[0] is Match.FULL}
        if known:
            return known
    return set()


def _on_unfit(request: Request, error: Exception) -> JSONResponse:
    """A value that a check of ours let through and a layer below cannot hold: the client's, not a broken server."""
    if isinstance(error, sqlalchemy.exc.StatementError) and not _is_value(error):
        raise error
    logger.exception("%s %s: a value was not checked", request.method, request.url.path, exc_info=error)
    return answer(problem(422, "invalid_request", "a value is out of the range of what can be stored"))


def _is_value(error: sqlalchemy.exc.StatementError) -> bool:
    return isinstance(error, sqlalchemy.exc.DataError) or isinstance(error.orig, (OverflowError, UnicodeError))


def _on_unknown(_: Request, __: Exception) -> JSONResponse:
    # Starlette raises the error again after this answer, so that the trace is in the log and only there.
    return answer(problem(500, "internal", "the service failed on this request; its log has the reason"))
