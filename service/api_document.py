"""What the OpenAPI document says of every path alike: the key, and the problems that any request may meet."""

from collections.abc import Iterator
from typing import Any, cast

from fastapi import FastAPI

from service.errors import PROBLEM_TYPE, Problem

_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_FIXED = frozenset({"pattern", "format", "enum", "const"})
_NO_NUL = "^[^\\u0000]*$"
_SCHEME = {"type": "http", "scheme": "bearer", "description": "An API key, made with `actogram keys create`."}
_CONTENT = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_GENERAL = {
    "4XX": "A problem; `code` says which: `unauthorized`, `forbidden`, `not_found`, `invalid_request`, ...",
    "5XX": "A problem; `busy` and `database_unavailable` pass, see Retry-After.",
}


def describe(app: FastAPI) -> None:
    """Put the API key and the problems into the document.

    A dependency that did it for the key could not serve WebSockets too.
    """
    build = app.openapi

    def openapi() -> dict[str, Any]:
        document = build()
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"key": _SCHEME}
        # The second, empty one: none is needed while no key exists.
        document["security"] = [{"key": []}, {}]
        schemas = components.setdefault("schemas", {})
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs", {}) | {"Problem": problem}
        for operation in _operations(document):
            _add_problems(operation)
        _refuse_nul(document)
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


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


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from (cast("dict[str, Any]", found) for method, found in path.items() if method in _METHODS)


def _add_problems(operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    # FastAPI's own word for a refused body is none of ours: every 422 is a problem like the others.
    if _is_fastapis(responses.get("422", {})):
        del responses["422"]
    for status, response in responses.items():
        if _refers_to(response, "Problem"):
            responses[status] = {"description": response["description"], "content": _CONTENT}
    for status, text in _GENERAL.items():
        responses.setdefault(status, {"description": text, "content": _CONTENT})


def _is_fastapis(response: dict[str, Any]) -> bool:
    return _refers_to(response, "HTTPValidationError")


def _refers_to(response: dict[str, Any], name: str) -> bool:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return bool(schema.get("$ref", "").endswith(f"/{name}"))
