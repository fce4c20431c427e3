"""What routes tell the OpenAPI document of their answers: problems by status, files, bodies of their own."""

from collections.abc import Mapping

from service.errors import PROBLEM_TYPE

Responses = dict[int | str, dict[str, object]]

PROBLEM_CONTENT = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
NO_SUCH_BYTES = {416: "`range_not_satisfiable`: the file has no such bytes"}
NO_STORE = {
    503: "`blobs_unavailable`, `blobs_denied`, `blobs_bucket_missing`: the object store does not do its part; `busy`, "
    "`database_unavailable`; see Retry-After"
}
_FILE = {"type": "string", "format": "binary"}


def problems(texts: Mapping[int, str]) -> Responses:
    """Answers that are problems, by status: the codes, and what each means."""
    return {status: {"description": text, "content": PROBLEM_CONTENT} for status, text in texts.items()}


def content(text: str, schemas: Mapping[str, Mapping[str, object]]) -> Responses:
    """The 200 of a route that builds its answer itself: media type → schema."""
    return {200: {"description": text, "content": {kind: {"schema": dict(one)} for kind, one in schemas.items()}}}


def picture(text: str, media_type: str) -> Responses:
    """The 200 of a route that answers bytes."""
    return content(text, {media_type: _FILE})


def file(text: str, *media_types: str) -> Responses:
    """A file, whole or in part: what a player asks for with `Range`."""
    part = {kind: {"schema": _FILE} for kind in media_types}
    return {
        **content(text, dict.fromkeys(media_types, _FILE)),
        206: {"description": "The bytes that `Range` asked for.", "content": part},
        **problems(NO_SUCH_BYTES),
    }
