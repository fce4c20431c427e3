"""The live channel as an iterator that survives lost connections: every event once, in order, or a gap that is told."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from actogram.client.errors import ApiError, ConnectionLost
from actogram.client.values import Event, Json, optional_text, table, text

FIRST_WAIT_S = 0.4
LONGEST_WAIT_S = 10.0
SILENCE_S = 45.0
"""The server sends heartbeats: nothing at all for this long is a dead connection."""


@dataclass(frozen=True, slots=True)
class Message:
    """One envelope of the live channel.

    type: such as `action.started`, `stream.state_changed`, `frame`; `gap` where messages were lost for good and the
          state must be asked for again. seq: where to resume after it.
    """

    type: str
    seq: int
    stream_id: str | None
    job_id: str | None
    data: Json
    raw: Json = field(repr=False, compare=False)

    @property
    def event(self) -> Event | None:
        """The event of an `action.*` message, else None."""
        if not self.type.startswith("action."):
            return None
        return Event.of({"stream_id": self.stream_id, "job_id": self.job_id, **self.data, "seq": self.seq})


class Resume:
    """Where a channel is, over all its connections: what to subscribe to next, and which messages are new."""

    def __init__(
        self,
        streams: Sequence[str] | None,
        messages: Sequence[str] | None,
        since_seq: int | None,
        max_rate_hz: float | None,
    ) -> None:
        wanted = {"streams": streams, "messages": messages, "max_rate_hz": max_rate_hz}
        self._interest = {name: value for name, value in wanted.items() if value is not None}
        self._seq = since_seq
        self._wait_s = FIRST_WAIT_S
        self._lost_s: float | None = None
        self._is_connected = False

    @property
    def is_connected(self) -> bool:
        """Whether the server has taken the subscription."""
        return self._is_connected

    @property
    def last_seq(self) -> int | None:
        """The number of the last message, to resume after it; None before the first."""
        return self._seq

    def subscription(self) -> Json:
        """The message that opens a connection."""
        since = {} if self._seq is None else {"since_seq": self._seq}
        return {"type": "subscribe", **self._interest, **since}

    def take(self, raw: Json) -> Iterator[Message]:
        """What a message tells the caller; raises ApiError where the server refuses the subscription."""
        kind = text(raw["type"])
        seq = raw.get("seq")
        number = seq if isinstance(seq, int) else (self._seq or 0)
        is_old = self._seq is not None and number <= self._seq
        if kind == "error":
            problem = table(raw.get("data"))
            raise ApiError(400, str(problem.get("code", "refused")), str(problem.get("detail", "refused")))
        if kind == "subscribed":
            self._wait_s, self._lost_s, self._is_connected = FIRST_WAIT_S, None, True
        # Frames and progress repeat the last stored number; anything stored comes once.
        elif kind in ("frame", "job.progress", "gap") or (kind != "heartbeat" and not is_old):
            yield Message(
                kind, number, optional_text(raw.get("stream_id")), optional_text(raw.get("job_id")),
                table(raw.get("data")), raw,
            )  # fmt: skip
        # Where the server's numbers are lower than ours, it has begun anew, and says so with these two.
        is_word = kind in ("subscribed", "gap")
        self._seq = number if is_word or self._seq is None else max(self._seq, number)

    def lost(self, now_s: float, patience_s: float | None) -> float:
        """The connection is gone: seconds before the next try, longer each time and never the same for many clients.

        Raises ConnectionLost when the server has been away for longer than `patience_s`.
        """
        self._is_connected = False
        self._lost_s = now_s if self._lost_s is None else self._lost_s
        if patience_s is not None and now_s - self._lost_s > patience_s:
            raise ConnectionLost(f"the live channel has been away for {patience_s:g} s")
        wait_s = self._wait_s * random.uniform(0.7, 1.3)  # noqa: S311 - spreads load, guards nothing
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)
        return wait_s
