"""Frames and progress that the workers of other servers tell, for one client: these are in no log."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import websockets
from pydantic import ValidationError

from service.envelope import Envelope
from service.event_log import Message
from service.live.hub import DROPPABLE
from service.live.subscription import Subscribe

logger = logging.getLogger(__name__)

PEER = "x-actogram-passed-on"
"""Marks what a server asks another one for a client of its own; the other one asks nobody further."""
_LOOK_S = 2.0
_CONNECT_S = 3.0


@dataclass(frozen=True, slots=True)
class PeerUrls:
    """Where the other servers of a database are now; replica_wiring.py says it."""

    get: Callable[[], Sequence[str]]


class PeerFrames:
    """One client's connections to the other servers.

    headers: what the client shows there that it showed here.
    """

    def __init__(self, urls: PeerUrls, headers: Mapping[str, str]) -> None:
        self._urls = urls
        self._headers = headers
        self._following: dict[str, asyncio.Task[None]] = {}

    async def run(self, wanted: Subscribe, put: Callable[[Message], None]) -> None:
        """Follow whoever is there, until cancelled."""
        messages = _droppable(wanted)
        if not messages:
            return
        asked = wanted.model_dump(include={"type", "streams", "jobs", "max_rate_hz"}, exclude_none=True)
        text = json.dumps({**asked, "messages": messages})
        try:
            while True:
                self._follow_all(text, put)
                await asyncio.sleep(_LOOK_S)
        finally:
            for task in self._following.values():
                task.cancel()
            await asyncio.gather(*self._following.values(), return_exceptions=True)

    def _follow_all(self, text: str, put: Callable[[Message], None]) -> None:
        self._following = {url: task for url, task in self._following.items() if not task.done()}
        for url in self._urls.get():
            if url not in self._following:
                self._following[url] = asyncio.create_task(self._follow(url, text, put))

    async def _follow(self, url: str, text: str, put: Callable[[Message], None]) -> None:
        # One that is gone, or goes: whoever looks again in a moment connects anew where there is something.
        with contextlib.suppress(OSError, TimeoutError, websockets.WebSocketException):
            async with websockets.connect(
                f"{url.replace('http', 'ws', 1)}/v1/ws", additional_headers=self._headers, proxy=None,
                open_timeout=_CONNECT_S, max_size=4 << 20,
            ) as socket:  # fmt: skip
                await socket.send(text)
                async for told in socket:
                    message = _droppable_message(told)
                    if message is not None:
                        put(message)


def _droppable_message(told: str | bytes) -> Message | None:
    """What another server told, if it is of those that no log has."""
    try:
        found = Envelope.model_validate_json(told)
    except ValidationError:
        logger.debug("a message of another server is passed over")
        return None
    return found.message() if found.type in DROPPABLE else None


def _droppable(wanted: Subscribe) -> list[str]:
    """Which of the messages that are never stored a client wants."""
    if wanted.messages is None:
        return ["job.progress"]
    return [one for one in sorted(DROPPABLE) if {one, one.partition(".")[0]}.intersection(wanted.messages)]
