"""The seam between who watches workers and what runs them: an engine starts workers, a handle speaks with one."""

from typing import Protocol

from service.protocol.messages import FromWorker, ToWorker


class WorkerGone(Exception):
    """The worker's process has ended, or does not take its commands."""


class NodeGone(WorkerGone):
    """The machine on which the worker ran is gone: nothing that the worker did is why."""


class WorkerHandle(Protocol):
    """One running worker, wherever it runs."""

    @property
    def pid(self) -> int:
        """The process, for people; 0 before it runs."""
        ...

    def send(self, command: ToWorker) -> None:
        """Queue a command, never blocks; raises WorkerGone."""
        ...

    def receive(self, timeout_s: float) -> FromWorker | None:
        """The next message; None when none came in time; raises ProtocolMismatch, WorkerGone."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status, negative for a signal; None when it still runs or nobody knows."""
        ...

    def close(self) -> None:
        """Give back what belongs to it; kills it when it still runs."""
        ...


class Engine(Protocol):
    """Starts workers."""

    def start(self) -> None:
        """Bring up what workers run on; may be called twice. Raises EngineUnavailable."""
        ...

    def launch(self, name: str) -> WorkerHandle:
        """Start a worker; returns before it is ready."""
        ...

    def stop(self) -> None:
        """Give back what `start` brought up, after the workers have ended; may be called twice."""
        ...
