"""Videos to skeletons in several processes; a video that takes its process down costs that video alone."""

import errno
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from models.errors import ModelError
from pipelines.errors import DiskFull, SinkError, SourceError
from pipelines.stream.build import PeopleNetworks
from pipelines.training.prepare import VideoJob, tracks_of
from pipelines.training.prepare_parts import keep

Load = Callable[[], PeopleNetworks]
"""Opens the networks in a worker process: must be importable by name there."""
_SHARE_STEP = 0.02
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class VideoTask:
    """One video whose skeletons are to be kept under a path."""

    job: VideoJob
    path: Path


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told how it goes, by the index of the task: share done, refused and why."""

    on_share: Callable[[int, float], None] = lambda _index, _share: None
    on_refused: Callable[[int, str], None] = lambda _index, _why: None


@dataclass(frozen=True, slots=True)
class _Said:
    """A worker's word: `share` with a share, `done`, `refused` or `unwritten` with the reason."""

    kind: str
    share: float = 0.0
    why: str = ""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int | None = None


def run_tasks(tasks: Sequence[VideoTask], load: Load, num_workers: int, watcher: Watcher) -> None:
    """Carry out every task; what a process that ends takes with it is refused, and a new process goes on.

    Raises SinkError where results cannot be written.
    """
    waiting = deque(range(len(tasks)))
    with _workers(load, min(num_workers, len(tasks))) as workers:
        while waiting or any(worker.index is not None for worker in workers):
            for worker in workers:
                if worker.index is None and waiting:
                    _give(worker, tasks, waiting)
            busy = {worker.pipe: worker for worker in workers if worker.index is not None}
            for pipe in wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]  # only pipes are waited for
                if not _listen(worker, watcher):
                    workers[workers.index(worker)] = _started(load)


def _give(worker: _Worker, tasks: Sequence[VideoTask], waiting: deque[int]) -> None:
    worker.index = waiting.popleft()
    # A worker that has just ended is noticed when it is listened to.
    with _broken_pipe_ignored():
        worker.pipe.send(tasks[worker.index])


def _listen(worker: _Worker, watcher: Watcher) -> bool:
    """Take one word of a worker; False where it has ended instead, which its video pays for."""
    index = worker.index
    assert index is not None
    try:
        said: _Said = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        worker.pipe.close()
        watcher.on_refused(index, _last_words(worker.process.exitcode))
        return False
    if said.kind == "share":
        watcher.on_share(index, said.share)
        return True
    worker.index = None
    if said.kind == "unwritten":
        raise DiskFull(said.why) if "No space" in said.why else SinkError(said.why)
    if said.kind == "refused":
        watcher.on_refused(index, said.why)
    watcher.on_share(index, 1.0)
    return True


def _last_words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the process that read it was ended by {signal.Signals(-code).name}"
    return f"the process that read it ended with status {code}"


@contextmanager
def _broken_pipe_ignored() -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        if cause.errno not in (errno.EPIPE, errno.ECONNRESET, errno.EBADF):
            raise


@contextmanager
def _workers(load: Load, count: int) -> Iterator[list[_Worker]]:
    """Processes that wait for tasks; none is left when the block ends."""
    workers: list[_Worker] = []
    try:
        workers += [_started(load) for _ in range(count)]
        yield workers
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.pipe.close()
        for worker in workers:
            worker.process.join(_PATIENCE_S)
            worker.process.kill()
            worker.process.join()


def _started(load: Load) -> _Worker:
    # Not forked: threads of the networks' runtime do not survive a fork.
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, load), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection, load: Load) -> None:
    """The worker's process: one task after the other until nobody is at the other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    networks: PeopleNetworks | None = None
    try:
        while True:
            task: VideoTask = pipe.recv()
            networks = networks or load()
            pipe.send(_carried_out(task, networks, pipe))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _carried_out(task: VideoTask, networks: PeopleNetworks, pipe: Connection) -> _Said:
    last = 0.0

    def tell(share: float) -> None:
        nonlocal last
        if share - last >= _SHARE_STEP:
            last = share
            pipe.send(_Said("share", share))

    try:
        tracks = tracks_of(task.job, networks, tell)
    except (SourceError, ModelError) as refused:
        return _Said("refused", why=str(refused))
    except MemoryError:
        return _Said("refused", why="there is not enough memory to read it")
    try:
        keep(tracks, task.path)
    except SinkError as unwritten:
        return _Said("unwritten", why=str(unwritten))
    return _Said("done")
