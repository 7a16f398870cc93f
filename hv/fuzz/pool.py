"""Who does the pieces: this process, some of its own, or a Dask cluster.

Processes are started afresh (``spawn``): nothing is inherited, on any system.
One that dies loses nothing: its piece is done again. A piece that kills its
process twice is done with care, which tells which program it was; that is a
finding, and the rest of the piece is done without it. So is one that does not
come back: the only verdict that a clock has a part in, and a generous one.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Any, Protocol

from hv.cluster import connect
from hv.errors import HvError
from hv.fuzz import native
from hv.fuzz.piece import Finding, Result, Task, run_task
from hv.fuzz.verdict import Key

TRIES = 2
READY = b"ready"
NEVER = float("inf")
PATIENCE = 180.0  # seconds without a word, before a worker is given up
CRASH = Key("P27", "crash")


class Runner(Protocol):
    """Who does tasks."""

    def free(self) -> int:
        """Say how many tasks it would take now."""

    def submit(self, task: Task) -> None:
        """Take a task."""

    def results(self) -> Iterator[Result]:
        """Wait until a task is done; return all that are."""

    def close(self) -> None:
        """Give back processes and connections."""


class Here:
    """Do tasks in this process, one at a time."""

    def __init__(self) -> None:
        self._task: Task | None = None

    def free(self) -> int:
        """Say how many tasks it would take now."""
        return int(self._task is None)

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._task = task

    def results(self) -> Iterator[Result]:
        """Do the task."""
        if self._task is not None:
            task, self._task = self._task, None
            yield run_task(task)

    def close(self) -> None:
        """Do nothing."""


# ---- processes of our own ---------------------------------------------------


def serve(pipe: Connection) -> None:
    """Be a worker: do tasks until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is our parent's to end us
    pipe.send(READY)  # here we are: from now on, who waits may be impatient
    while True:
        try:
            task, careful = pipe.recv()
        except EOFError:
            return
        try:
            if careful:
                _carefully(task, pipe)
                pipe.send(None)
            else:
                pipe.send(run_task(task))
        except HvError as error:
            pipe.send(str(error))


def _carefully(task: Task, pipe: Connection) -> None:
    with native.load(task.core).context(
        oracles=task.oracles, audit_every=task.audit_every
    ) as context:
        for _ in context.careful(
            *(task.strategy, task.first, task.count),
            lambda seed, data: pipe.send((seed, data)),
        ):
            pass


@dataclass(slots=True)
class _Piece:
    """A task as it was submitted, and what is done of it."""

    result: Result
    open: int = 1


@dataclass(slots=True)
class _Job:
    piece: _Piece
    task: Task
    tries: int = 0
    last: tuple[int, bytes] | None = None

    @property
    def careful(self) -> bool:
        return self.tries >= TRIES


@dataclass(slots=True)
class _Worker:
    """A process; ``since`` is when it was at rest last, or never yet."""

    process: BaseProcess
    pipe: Connection
    since: float = NEVER
    job: _Job | None = field(default=None)


class Processes:
    """Do tasks in processes of our own.

    :param workers: how many; at least 1.
    :param patience: seconds that a piece, or in a piece that is done with care
        a program, may take before its worker is given up.
    """

    def __init__(self, workers: int, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._context = multiprocessing.get_context("spawn")
        self._queue: deque[_Job] = deque()
        self._workers = [self._start() for _ in range(workers)]

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve, args=(theirs,), daemon=True
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)

    @property
    def pids(self) -> list[int]:
        """The processes at work."""
        return [w.process.pid for w in self._workers if w.process.pid]

    def free(self) -> int:
        """Say how many tasks it would take now."""
        idle = sum(worker.job is None for worker in self._workers)
        return max(0, idle - len(self._queue))

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._queue.append(_Job(_Piece(Result(task=task)), task))
        self._assign()

    def _assign(self) -> None:
        for worker in self._workers:
            if worker.job is None and self._queue:
                worker.job = job = self._queue.popleft()
                if worker.since != NEVER:
                    worker.since = monotonic()
                with suppress(OSError):  # it is dead, as results() will see
                    worker.pipe.send((job.task, job.careful))

    def results(self) -> Iterator[Result]:
        """Wait until a task is done; return all that are."""
        busy = any(worker.job for worker in self._workers)
        while busy:
            done = list(self._look())
            yield from done
            if done:
                return
            busy = any(worker.job for worker in self._workers)

    def _look(self) -> Iterator[Result]:
        pipes: dict[Any, int] = {
            worker.pipe: i for i, worker in enumerate(self._workers)
        }
        for ready in wait(list(pipes), timeout=min(self._patience, 1.0)):
            yield from self._listen(pipes[ready])
        for worker in self._workers:
            if worker.job and monotonic() - worker.since > self._patience:
                worker.process.kill()
        self._assign()

    def _listen(self, index: int) -> Iterator[Result]:
        """Take what a worker says; its end of the pipe closes if it dies."""
        worker = self._workers[index]
        job = worker.job
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(index)
            if job is not None:
                yield from self._died(job, worker.process.exitcode)
            return
        if said == READY:
            worker.since = monotonic()
        if job is None or said == READY:
            return
        if isinstance(said, str):
            raise HvError(said)
        if isinstance(said, tuple):
            job.last = said
            worker.since = monotonic()
            return
        worker.job = None
        if isinstance(said, Result):
            yield from self._part(job.piece, said)
        else:  # with care it did not crash: as before, then
            self._queue.append(_Job(job.piece, job.task))

    def _bury(self, index: int) -> None:
        worker = self._workers[index]
        worker.pipe.close()
        worker.process.join()
        self._workers[index] = self._start()

    def _died(self, job: _Job, code: int | None) -> Iterator[Result]:
        if job.last is None:
            again = _Job(job.piece, job.task, job.tries + 1)
            self._queue.appendleft(again)
            return
        seed, data = job.last
        yield from self._crash(job, seed, data, code)

    def _crash(
        self, job: _Job, seed: int, data: bytes, code: int | None
    ) -> Iterator[Result]:
        """Note a program that kills its process; do what is beside it."""
        task = job.task
        found = Result(task=task)
        found.sums.executed = 1
        found.find(
            Finding(
                key=CRASH,
                what=f"the core crashed or hung: exit status {code}",
                strategy=task.strategy,
                seed=seed,
                data=data,
                original=data,
            )
        )
        before = replace(task, count=seed - task.first)
        after = replace(
            task, first=seed + 1, count=task.first + task.count - seed - 1
        )
        for part in (before, after):
            if part.count:
                job.piece.open += 1
                self._queue.append(_Job(job.piece, part))
        yield from self._part(job.piece, found)

    def _part(self, piece: _Piece, part: Result) -> Iterator[Result]:
        piece.result.add(part)
        piece.open -= 1
        if piece.open == 0:
            yield piece.result

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()


# ---- a Dask cluster ---------------------------------------------------------


class Dask:
    """Do tasks on a Dask cluster whose workers have hv installed.

    A worker that is lost is Dask's to replace; its piece is done again.

    :param address: of the scheduler, ``tcp://host:8786``.
    :raises UsageError: if there is no scheduler, or no ``distributed``.
    """

    def __init__(self, address: str, *, timeout: str = "10s") -> None:
        self._client = connect(address, timeout=timeout)
        import distributed  # noqa: PLC0415 -- an extra; it is there

        self._pending: Any = distributed.as_completed([])

    def free(self) -> int:
        """Say how many tasks it would take now: two for each thread."""
        threads = sum(self._client.nthreads().values())
        pending: int = self._pending.count()
        return max(0, 2 * int(threads) - pending)

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._pending.add(self._client.submit(run_task, task, retries=TRIES))

    def results(self) -> Iterator[Result]:
        """Wait until a task is done; return it."""
        if self._pending.count():
            yield next(self._pending).result()

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()
