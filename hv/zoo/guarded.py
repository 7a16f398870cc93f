"""Do work that may kill the process that does it.

A core with a bug may write anywhere. What it does is done in a child that was
forked for it, and what became of that is told.
"""

import faulthandler
import os
import pickle
import signal
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

_T = TypeVar("_T")

LIMIT = 60  # seconds of processor time: what does not end is an outcome, too
WATCHDOG = 600  # seconds more, of time: whoever waits does not wait for ever


@dataclass(frozen=True, slots=True)
class Died:
    """The child ended before its work did."""

    how: str


def guarded(work: Callable[[], _T], limit: float = LIMIT) -> _T | Died:
    """Return what the work returns, or how the child that did it died.

    :param work: what it returns must be picklable.
    :param limit: seconds of processor time after which the child is killed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _serve(work, writer, limit)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and answer:
        result: _T = pickle.loads(answer)  # noqa: S301 -- our own child's
        return result
    return died(status, limit)


def died(status: int, limit: float) -> Died:
    """Return how a child ended, by what :func:`os.waitpid` says of it."""
    if not os.WIFSIGNALED(status):
        return Died(f"exit status {os.waitstatus_to_exitcode(status)}")
    number = signal.Signals(os.WTERMSIG(status))
    if number in (signal.SIGPROF, signal.SIGALRM):
        return Died(f"it did not end within {limit} s")
    return Died(f"the host process died: {number.name}")


def be_quiet() -> None:
    """Die without a word, as a child whose death is somebody's answer."""
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    faulthandler.disable()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # what a library says as it dies


def end_within(limit: float) -> None:
    """Be killed after so many seconds of processor time from now on."""
    signal.setitimer(signal.ITIMER_PROF, limit)
    signal.alarm(WATCHDOG + ceil(limit))


def _serve(work: Callable[[], object], writer: int, limit: float) -> None:
    """Be the child; never return."""
    code = 1
    try:
        be_quiet()
        end_within(limit)
        answer = pickle.dumps(work())
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(answer)
        code = 0
    finally:
        os._exit(code)
