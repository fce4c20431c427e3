"""What a watchdog knows about its worker: the connection, the state, when it last gave a sign of life, what it said."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.protocol.messages import Values
from service.supervision.engine import WorkerHandle
from service.supervision.types import WorkerHealth, WorkerState


@dataclass(slots=True)
class WorkerRecord:
    """Plain data without a lock: its watchdog guards it.

    handle: None while no process runs.  launched_s, beat_s: seconds on the watchdog's clock, of the process that runs
    or ran last; beat_s is the last message.  facts: what it said when it was ready.  error: code and text of why it
    cannot start.
    """

    handle: WorkerHandle | None = None
    state: WorkerState = "starting"
    restarts: int = 0
    launched_s: float = 0.0
    beat_s: float = 0.0
    rss_bytes: int = 0
    facts: Values = field(default_factory=dict)
    error: tuple[str, str] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it takes tasks."""
        return self.state == "ready" and self.handle is not None

    def require_handle(self) -> WorkerHandle:
        """The connection of a process that runs."""
        assert self.handle is not None
        return self.handle

    def begin(self, handle: WorkerHandle, now_s: float) -> None:
        """A process was launched."""
        self.handle = handle
        self.state = "starting"
        self.launched_s = self.beat_s = now_s

    def become_ready(self, facts: Values) -> None:
        """Its networks are warm; one that is already told to drain stays so."""
        self.facts = facts
        self.error = None
        if self.state == "starting":
            self.state = "ready"

    def end(self) -> None:
        """Its process is gone."""
        self.handle = None
        self.rss_bytes = 0
        self.state = "backing_off"

    def health(self, name: str, counts: Mapping[str, int], now_s: float) -> WorkerHealth:
        """The worker as others see it; `counts` says how many tasks of each kind it has."""
        age_s = now_s - self.beat_s if self.handle is not None and self.beat_s else None
        return WorkerHealth(
            name, self.state, self.handle.pid if self.handle else None, self.restarts, counts, age_s, self.rss_bytes,
            dict(self.facts), self.error,
        )  # fmt: skip
