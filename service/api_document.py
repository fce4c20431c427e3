"""What the OpenAPI document says of every path alike: the key, and the problems that any request may meet."""

import copy
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from service.api_messages import describe_messages
from service.responses import PROBLEM_CONTENT, problems

_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_FIXED = frozenset({"pattern", "format", "enum", "const"})
_NO_NUL = "^[^\\u0000]*$"
_SCHEME = {"type": "http", "scheme": "bearer", "description": "An API key, made with `actogram keys create`."}
_ANY = {
    403: "`forbidden`: the key's role is too low, a foreign origin, or a host that is not this machine's",
    408: "`body_too_slow`: the body did not arrive in time",
    413: "`too_large`: the body is over the limit",
    415: "`unsupported_content_type`: a body that is compressed, or of a type that this path does not take",
    422: "`invalid_request`: what was sent does not hold what it should; `errors` names the fields",
    431: "`headers_too_large`",
    500: "`internal`: the service failed on this request; its log has the reason",
    503: "`busy`, `database_unavailable`: ask again, see Retry-After",
}
_WITH_KEY = {
    401: "`unauthorized`: no key, or one that is not known",
    429: "`too_many_attempts`: too many wrong keys; see Retry-After",
}
_WITH_PATH = {404: "`not_found`: there is none of that id"}
_WITH_BODY = {400: "`http_error`: the body cannot be read"}
_CHANGING = {507: "`disk_full`: the disk is full, nothing was stored"}
_SECONDS = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


def describe(app: FastAPI) -> None:
    """Put the API key, the problems and the messages into the document.

    A dependency that did it for the key could not serve WebSockets too.
    """
    build = app.openapi
    known: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        if not known:
            # A copy: FastAPI keeps its own, and another thread may be here too.
            known.append(_described(copy.deepcopy(build())))
        return known[0]

    app.openapi = openapi  # type: ignore[method-assign]


def _described(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"key": _SCHEME}
    # The second, empty one: none is needed while no key exists.
    document["security"] = [{"key": []}, {}]
    describe_messages(document)
    for path, method, operation in _operations(document):
        _add_problems(path, method, operation)
    _refuse_nul(document)
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    return document


def _refuse_nul(document: object) -> None:
    """Say of every text that it holds no NUL character, as every body is checked for one."""
    for schema in _schemas(document):
        if schema.get("type") == "string" and not _FIXED.intersection(schema):
            schema["pattern"] = _NO_NUL


def _schemas(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _schemas(inner)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        yield from ((path, method, one) for method, one in methods.items() if method in _METHODS)


def _add_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    # FastAPI's own word for a refused body is none of ours: every 422 is a problem like the others.
    if _refers_to(responses.get("422", {}), "HTTPValidationError"):
        del responses["422"]
    known = {
        **_ANY, **(_WITH_KEY if path.startswith("/v1/") or path == "/metrics" else {}),
        **(_WITH_PATH if "{" in path else {}), **(_WITH_BODY if "requestBody" in operation else {}),
        **(_CHANGING if method != "get" else {}),
    }  # fmt: skip
    for status, response in problems(known).items():
        responses.setdefault(str(status), response)
    for status in ("429", "503"):
        if responses.get(status, {}).get("content") == PROBLEM_CONTENT:
            responses[status]["headers"] = _SECONDS
    operation["responses"] = dict(sorted(responses.items()))


def _refers_to(response: dict[str, Any], name: str) -> bool:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return bool(schema.get("$ref", "").endswith(f"/{name}"))
