"""`actogram mcp`: a running server's cameras, events and videos as tools for assistants (Model Context Protocol)."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

import click

from actogram.client import ApiError, AsyncClient, ConnectionLost, Event, Job, Person, Stream

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

ResultT = TypeVar("ResultT")
_MOST = 100
_NOTE = (
    "People are numbered per camera and never named. A camera without a picture says nothing about who is there: check "
    "`has_picture` before you say that nobody is. Actions marked experimental are often wrong."
)


@click.command(
    help="Offer a server's cameras, events and videos to an assistant as tools, over standard input and output."
)
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Address of the server.")
@click.option("--key", envvar="ACTOGRAM_KEY", help="API key; a viewer's is enough [default: ACTOGRAM_KEY].")
def command(url: str, key: str | None) -> None:
    """Serve until standard input ends."""
    try:
        server = build_server(AsyncClient(url, key))
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"the package {error.name} is missing; install the extra `mcp` (see docs/python.md)"
        ) from error
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from error
    server.run(transport="stdio")


def build_server(client: AsyncClient) -> "MCPServer":
    """The tools over a client. All of them read, but for `analyze_video`; raises ModuleNotFoundError without `mcp`."""
    from mcp.server.mcpserver import Image, MCPServer
    from mcp_types import ToolAnnotations

    server = MCPServer("actogram", instructions=_NOTE)
    reads = ToolAnnotations(read_only_hint=True)

    @server.tool(annotations=reads)
    async def cameras() -> list[dict[str, object]]:
        """Every camera: its id, name, state, what is wrong with it, and whether it has a picture now."""
        return [_camera(one) async for one in client.streams()]

    @server.tool(annotations=reads)
    async def events(
        stream: str | None = None, action: str | None = None, since: str | None = None, until: str | None = None,
        min_score: float | None = None, limit: int = 20,
    ) -> list[dict[str, object]]:  # fmt: skip
        """What people did, the newest first. since, until: RFC 3339 times. limit: at most 100."""
        filters = {"stream": stream, "action": action, "since": since, "until": until, "min_score": min_score}
        found: list[dict[str, object]] = []
        async for one in client.events(**filters, limit=min(max(limit, 1), _MOST)):
            found.append(_event(one))
            if len(found) >= min(max(limit, 1), _MOST):
                break
        return found

    @server.tool(annotations=reads)
    async def snapshot(stream: str) -> Image:
        """A camera's picture now. Refused for cameras whose pictures are private, and for those without one."""
        return Image(data=await _told(client.snapshot(stream)), format="jpeg")

    @server.tool(annotations=reads)
    async def timeline(job_id: str) -> list[dict[str, object]]:
        """Who was in an analysed video, and did what from when to when."""
        return [_person(one) for one in await _told(client.timeline(job_id))]

    @server.tool()
    async def analyze_video(path: str) -> dict[str, object]:
        """Upload a video file of this computer, wait for its analysis, and say who did what, when."""
        job = await _told(client.analyze(path))
        return {**_job(job), "people": [_person(one) for one in await _told(client.timeline(job.job_id))]}

    return server


async def _told(answer: Awaitable[ResultT]) -> ResultT:
    """An answer; what the server refuses is told to the assistant in the server's own words."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        return await answer
    except (ApiError, ConnectionLost, OSError) as error:
        raise ToolError(str(error)) from error


def _camera(stream: Stream) -> dict[str, object]:
    return {
        "id": stream.stream_id, "name": stream.name, "state": stream.state, "error": stream.error,
        "has_picture": stream.has_picture,
    }  # fmt: skip


def _event(event: Event) -> dict[str, object]:
    return {
        "id": event.event_id, "camera": event.stream_id, "video": event.job_id, "person": event.track_id,
        "action": event.action, "state": event.state, "score": round(event.score, 2), "severity": event.severity,
        "start": event.start_time.isoformat(), "seconds": round(event.duration_s, 1), "zones": list(event.zones),
    }  # fmt: skip


def _job(job: Job) -> dict[str, object]:
    return {"job_id": job.job_id, "state": job.state, "name": job.name}


def _person(person: Person) -> dict[str, object]:
    actions = [
        {"action": one.action, "start_s": round(one.start_s, 2), "end_s": round(one.end_s, 2), "score": one.score}
        for one in person.actions
    ]
    return {"person": person.track_id, "start_s": person.start_s, "end_s": person.end_s, "actions": actions}
