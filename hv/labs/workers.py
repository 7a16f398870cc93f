"""Who grades the submissions of a batch: this process, some, or a cluster.

Each is an executor for as long as it is entered. A worker that dies takes
with it what it was about, no more: :func:`died` tells that from a mistake.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ParamSpec, TypeVar

from hv.cluster import connect

TRIES = 2  # of Dask's, after the first

_P = ParamSpec("_P")
_T = TypeVar("_T")

Pool = Callable[[], AbstractContextManager[Executor]]


class _Here(Executor):
    """Do a job as soon as it is submitted."""

    def submit(
        self, job: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]:
        future: Future[_T] = Future()
        try:
            future.set_result(job(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 -- the future's to raise
            future.set_exception(error)
        return future


def processes(workers: int) -> Pool:
    """Return a pool of so many processes; 0: this one.

    They are not forked: a worker has nothing of ours but what it is sent.
    """
    if workers == 0:
        return _Here
    context = multiprocessing.get_context("spawn")
    return lambda: ProcessPoolExecutor(workers, mp_context=context)


def dask(address: str, *, timeout: str = "10s") -> Pool:
    """Return a pool that is a Dask cluster, whose workers have hv installed.

    :param address: of the scheduler, ``tcp://host:8786``.
    """

    @contextmanager
    def entered() -> Iterator[Executor]:
        client: Any = connect(address, timeout=timeout)
        try:
            yield client.get_executor(retries=TRIES)
        finally:
            client.close()

    return entered


def died(error: BaseException) -> bool:
    """Say whether a job failed because who did it died."""
    # The second is a class of distributed, which need not be here.
    return isinstance(error, BrokenExecutor) or (
        type(error).__name__ == "KilledWorker"
    )
