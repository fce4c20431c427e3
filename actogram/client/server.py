"""What both clients share: the address, how requests become httpx's, and when one may be sent again."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import InvalidStatus

from actogram.client import calls
from actogram.client.calls import Reply, Request
from actogram.client.errors import ApiError, ConnectionLost
from actogram.client.live import FIRST_WAIT_S
from actogram.client.values import Job

TRIES = 5
"""How often a request is sent again, at most."""
_AGAIN = (429, 503)
_LONGEST_WAIT_S = 30.0
_NOT_AGAIN = (401, 403, 404)


def quiet(_: Job) -> None:
    """Nobody looks at the progress."""


class Server:
    """Address, key and time limit of a server."""

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"found {url!r}, expected an address such as http://127.0.0.1:8000")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s

    @property
    def socket_url(self) -> str:
        """Of the live channel."""
        return f"ws{self._url.removeprefix('http')}/v1/ws"

    def arguments_of(self, request: Request, stack: ExitStack) -> dict[str, object]:
        """A request as httpx takes it; an upload's file is open as long as the stack."""
        found: dict[str, object] = {"params": dict(request.params), "headers": dict(request.headers)}
        if request.file is not None:
            video = stack.enter_context(request.file.open("rb"))
            found["files"] = {"file": (request.file.name, video, calls.media_type(request.file))}
            found["data"] = dict(request.form)
        elif request.json is not None:
            found["json"] = request.json
        return found


def reply_of(response: httpx.Response) -> Reply:
    """An answer of httpx that has been read."""
    is_json = "json" in response.headers.get("content-type", "").partition(";")[0]
    wait = response.headers.get("retry-after", "")
    return Reply(
        response.status_code, _parsed(response.content) if is_json else None, response.content,
        float(wait) if wait.isdecimal() else None,
    )  # fmt: skip


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:  # the first line of JSON lines, or a proxy's page
        return None


def retry_delay(request: Request, tries: int, reply: Reply | None) -> float | None:
    """Seconds before a request is sent again; None where it must not be, or was often enough."""
    is_safe = request.method in ("GET", "DELETE") or "Idempotency-Key" in request.headers
    if tries >= TRIES or not is_safe or (reply is not None and reply.status not in _AGAIN):
        return None
    told_s = reply.retry_after_s if reply is not None else None
    if reply is not None and reply.status == 429 and told_s is None:
        return None
    return min(told_s if told_s is not None else FIRST_WAIT_S * 2**tries, _LONGEST_WAIT_S)


def upload_form(model: str | None, video: bool, tags: Mapping[str, str] | None) -> dict[str, str]:
    """The fields beside an upload's file."""
    wanted = {"model": model, "video": "true" if video else None, "tags": json.dumps(dict(tags)) if tags else None}
    return {name: value for name, value in wanted.items() if value is not None}


def query(wanted: Mapping[str, object]) -> dict[str, str]:
    """Filters as the parameters of an address; what is None is left out."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in wanted.items()
        if value is not None
    }


def answered(reply: Reply | None, cause: Exception | None, url: str) -> Reply:
    """The answer of the last try; raises ConnectionLost where there is none."""
    if reply is None:
        raise ConnectionLost(f"{url} does not answer: {cause}") from cause
    return reply


def succeeded(job: Job) -> Job:
    """A job that came to its end; raises ApiError with its own code for any other."""
    if job.state != "succeeded":
        raise ApiError(422, job.error_code or job.state, job.error or f"the job is {job.state}")
    return job


def refuse(error: InvalidStatus) -> None:
    """Raise ApiError for an answer that will stay the same; a server that is busy or starts is tried again."""
    status = error.response.status_code
    if status in _NOT_AGAIN:
        raise ApiError(status, f"http_{status}", f"the live channel answered {status}") from error
