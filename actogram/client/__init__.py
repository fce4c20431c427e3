"""A typed client of a running Actogram server, for programs that wait and for programs that do not.

`Client` blocks, `AsyncClient` awaits; both have the same methods over the same requests and answers.
"""

from actogram.client.awaiting import AsyncClient
from actogram.client.blocking import Client
from actogram.client.errors import ApiError, ConnectionLost
from actogram.client.live import Message
from actogram.client.values import ActionSpan, Event, Job, Person, Stream

__all__ = [
    "ActionSpan", "ApiError", "AsyncClient", "Client", "ConnectionLost", "Event", "Job", "Message", "Person", "Stream",
]  # fmt: skip
