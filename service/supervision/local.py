"""The engine that places workers on this machine: one spawned process each, a pipe between."""

import multiprocessing
import queue
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from service.protocol.messages import FromWorker, ToWorker, decode, encode_command
from service.supervision.engine import WorkerGone

_COMMANDS_MAX = 4096


class LocalEngine:
    """Workers as processes of this machine.

    run_worker: what a worker process does with its end of the pipe, from its first line to its last; picklable.
    """

    def __init__(self, run_worker: Callable[[Connection], None]) -> None:
        self._run_worker = run_worker
        self._context = multiprocessing.get_context("spawn")

    def start(self) -> None:
        """Nothing to do: this machine runs."""

    def stop(self) -> None:
        """Nothing to do: every worker ends with its handle."""

    def launch(self, name: str) -> "LocalWorker":
        """Start a worker process."""
        ours, theirs = self._context.Pipe(duplex=True)
        process = self._context.Process(target=self._run_worker, args=(theirs,), name=f"actogram-{name}", daemon=True)
        process.start()
        theirs.close()
        return LocalWorker(process, ours)


class LocalWorker:
    """A worker process and its pipe."""

    def __init__(self, process: multiprocessing.process.BaseProcess, connection: Connection) -> None:
        self._process = process
        self._connection = connection
        self._commands: queue.Queue[ToWorker | None] = queue.Queue(_COMMANDS_MAX)
        # A pipe that the worker does not read would block its writer, and with it the watchdog: so it has its own.
        self._writer = threading.Thread(target=self._write, name=f"commands-{process.name}", daemon=True)
        self._writer.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid or 0

    def send(self, command: ToWorker) -> None:
        """Queue a command."""
        try:
            self._commands.put_nowait(command)
        except queue.Full as error:
            raise WorkerGone(f"worker {self.pid} has not taken {_COMMANDS_MAX} commands") from error

    def receive(self, timeout_s: float) -> FromWorker | None:
        """The next message, or None; raises ProtocolMismatch, WorkerGone."""
        try:
            return decode(self._connection.recv_bytes()) if self._connection.poll(timeout_s) else None
        except (EOFError, OSError) as error:
            raise WorkerGone(f"worker {self.pid} has ended") from error

    def kill(self) -> None:
        """SIGKILL: a worker stuck in a decoder heeds nothing else."""
        self._process.kill()

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status, once it has ended."""
        self._process.join(timeout_s)
        return self._process.exitcode

    def close(self) -> None:
        """Kill what still runs, close the pipe."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join(5)
        while True:
            try:
                self._commands.put_nowait(None)
                break
            except queue.Full:
                self._commands.get_nowait()
        self._writer.join(5)
        self._connection.close()

    def _write(self) -> None:
        while (command := self._commands.get()) is not None:
            try:
                self._connection.send_bytes(encode_command(command))
            except (OSError, ValueError):
                return
