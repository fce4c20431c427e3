"""The assistant's tools, by the protocol's own client, over a real service."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from mcp import Client as McpClient

from actogram.client import AsyncClient, Client
from actogram.mcp import build_server, command
from tests.service.conftest import Running, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as found:
        yield found


def ask(service: Running, tool: str, **arguments: object) -> tuple[bool, str]:
    """Whether a tool failed, and all that it said."""

    async def call() -> tuple[bool, str]:
        async with AsyncClient(service.url) as client, McpClient(build_server(client)) as assistant:
            result = await assistant.call_tool(tool, arguments)
            return bool(result.is_error), "\n".join(getattr(part, "text", "") for part in result.content)

    return asyncio.run(call())


def test_every_tool_says_what_it_is_for(service: Running) -> None:
    async def list_tools() -> dict[str, tuple[str, bool]]:
        async with AsyncClient(service.url) as client, McpClient(build_server(client)) as assistant:
            tools = (await assistant.list_tools()).tools
            return {
                one.name: (one.description or "", bool(one.annotations and one.annotations.read_only_hint))
                for one in tools
            }

    found = asyncio.run(list_tools())

    assert {name for name, (_, reads) in found.items() if not reads} == {"analyze_video"}
    assert set(found) == {"cameras", "events", "snapshot", "timeline", "analyze_video"}
    assert all(words for words, _ in found.values())


def test_assistant_sees_cameras_and_whether_they_have_a_picture(service: Running) -> None:
    with Client(service.url) as client:
        client.add_stream("Ward 3", "rtsp://192.0.2.1/live", enabled=False)

    failed, said = ask(service, "cameras")

    assert not failed
    assert json.loads(said)["name"] == "Ward 3"
    assert json.loads(said)["has_picture"] is False


def test_assistant_has_a_video_analysed(service: Running, tmp_path: Path) -> None:
    video = tmp_path / "clip.mp4"
    video.write_text("script frames 5 ok")

    failed, said = ask(service, "analyze_video", path=str(video))

    assert not failed
    assert json.loads(said)["people"][0]["actions"][0]["action"] == "wave"


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("snapshot", {"stream": "nowhere"}, "not_found"),
        ("timeline", {"job_id": "job_0"}, "not_found"),
        ("analyze_video", {"path": "/nowhere.mp4"}, "No such file"),
    ],
)
def test_refusal_is_told_in_the_servers_words(
    tool: str, arguments: dict[str, object], words: str, service: Running
) -> None:
    failed, said = ask(service, tool, **arguments)

    assert failed
    assert words in said


def test_events_are_asked_for_by_filter(service: Running) -> None:
    assert ask(service, "events", action="fall", limit=5) == (False, "")


def test_address_that_is_none_is_refused_with_words() -> None:
    result = CliRunner().invoke(command, ["--url", "localhost"])

    assert result.exit_code == 2
    assert "expected an address" in result.output
