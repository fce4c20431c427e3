"""What the OpenAPI document says of what is no request: messages over WebSockets and to webhooks, lines of results."""

import copy
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.errors import Problem
from service.jobs.result_schemas import ResultLine, ResultSummary, Timeline
from service.jobs.schemas import UPLOAD_SCHEMA, JobCreate
from service.live.subscription import Subscribe
from service.message_schemas import (
    ActionMessage,
    ClipMessage,
    JobMessage,
    LiveMessage,
    StreamMessage,
    TrackMessage,
    WebhookTestMessage,
)

_REF = "#/components/schemas/{model}"
_MODELS: tuple[type[BaseModel], ...] = (
    Problem, JobCreate, Timeline, ResultSummary, ResultLine, Subscribe, LiveMessage, WebhookTestMessage,
)  # fmt: skip
_TO_WEBHOOKS: dict[str, type[BaseModel]] = {
    "action": ActionMessage, "track": TrackMessage, "stream": StreamMessage, "clip": ClipMessage, "job": JobMessage,
    "webhook.test": WebhookTestMessage,
}  # fmt: skip
_SOCKETS: dict[str, dict[str, str | None]] = {
    "/v1/ws": {
        "description": "Send Subscribe, read LiveMessage; to resume, give the highest `seq` as `since_seq`.",
        "send": "Subscribe", "receive": "LiveMessage",
    },
    "/v1/streams/{stream_id}/ws": {
        "description": "The same, already subscribed to one stream, frames included; `?since_seq=` resumes.",
        "send": "Subscribe", "receive": "LiveMessage",
    },
    "/v1/streams/{stream_id}/push": {
        "description": "Frames of a stream of `push:`, as binary messages: one JPEG each, or pieces of MPEG-TS.",
        "send": None, "receive": None,
    },
}  # fmt: skip
_HEADERS = {
    "webhook-id": "The same at every try: drop what you have seen.",
    "webhook-timestamp": "Seconds since 1970; refuse what is older than five minutes.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}` (Standard Webhooks 1.0).",
}


def describe_messages(document: dict[str, Any]) -> None:
    """Add the schemas that no route returns, the webhooks, and the WebSockets, which OpenAPI has no words for."""
    _, found = models_json_schema([(model, "validation") for model in _MODELS], ref_template=_REF)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in {**found["$defs"], "VideoUpload": copy.deepcopy(UPLOAD_SCHEMA)}.items():
        # What a route returns is there already: there, fields with a default are always present.
        schemas.setdefault(name, schema)
    document["webhooks"] = {name: _webhook(name, model) for name, model in _TO_WEBHOOKS.items()}
    document["x-websockets"] = {path: _socket(about) for path, about in _SOCKETS.items()}


def _webhook(name: str, model: type[BaseModel]) -> dict[str, Any]:
    text = (model.__doc__ or "").strip()
    return {
        "post": {
            "summary": text.splitlines()[0],
            "description": "Posted to the URL of every webhook that asked for it, signed as Standard Webhooks 1.0.",
            "operationId": f"told_{name.replace('.', '_')}",
            "parameters": [
                {"name": header, "in": "header", "required": True, "description": why, "schema": {"type": "string"}}
                for header, why in _HEADERS.items()
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}},
            },
            "responses": {
                "2XX": {"description": "Taken."},
                "3XX": {"description": "Not followed: a dead letter, the next message goes on."},
                "4XX": {"description": "A dead letter, but for 408, 409, 421, 423, 425 and 429."},
                "5XX": {"description": "Tried again for 24 hours, in order; 501 and 505 are dead letters."},
            },
        }
    }


def _socket(about: dict[str, str | None]) -> dict[str, Any]:
    sides = {side: {"$ref": _REF.format(model=about[side])} for side in ("send", "receive") if about[side]}
    return {"description": about["description"], **sides}
