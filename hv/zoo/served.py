"""A child that executes programs for somebody else, until one kills it.

A process for each program, as in :mod:`hv.zoo.guarded`, is what a verdict is
made by; to fork one takes longer than to execute fifty programs. So who has
many keeps a child to ask, and makes a new one when it has died.
"""

import os
import pickle
import signal
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from hv.fuzz.native import ALL_ORACLES, Core
from hv.fuzz.verdict import Verdict
from hv.zoo.guarded import Died, be_quiet, died, end_within

Answer = tuple[int, Verdict, float]  # index, its verdict, processor time


class Served:
    """Execute programs in a child; a context manager.

    :ivar used: seconds of processor time of the child that is there now; those
        of its predecessors are among the times of this process's children.
    """

    def __init__(
        self,
        core: Core,
        *,
        oracles: int = ALL_ORACLES,
        audit_every: int = 1,
        limit: float,
    ) -> None:
        """Have no child yet.

        :param limit: seconds of processor time for a program, after which
            the child is killed.
        """
        self.used = 0.0
        self._core = core
        self._how = {"oracles": oracles, "audit_every": audit_every}
        self._limit = limit
        self._child = 0
        self._to = self._back = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.restart()

    def restart(self) -> int:
        """Take the child away; the next question makes a new one.

        Returns how it ended, as :func:`os.waitpid` says it.
        """
        if not self._child:
            return 0
        os.close(self._to)
        os.close(self._back)
        os.kill(self._child, signal.SIGKILL)  # in vain, if it has died
        _, status = os.waitpid(self._child, 0)
        self._child, self.used = 0, 0.0
        return status

    def execute(self, data: bytes) -> Verdict:
        """Return the verdict on a program; that it kills is one, too."""
        answer = self.first([data])
        if isinstance(answer, Died):
            return Verdict(broke="P27", what=answer.how)
        return answer[1]

    def first(self, programs: Sequence[bytes]) -> tuple[int, Verdict] | Died:
        """Return the first program that breaks something, and what.

        If none does, the number of all, and a verdict that is well.
        """
        if not self._child:
            self._fork()
        question = pickle.dumps(programs)
        try:
            _send(self._to, question)
            index, verdict, self.used = pickle.loads(_receive(self._back))  # noqa: S301 -- our own child's
        except (EOFError, BrokenPipeError):
            return died(self.restart(), self._limit)
        return index, verdict

    def _fork(self) -> None:
        questions, self._to = os.pipe()
        self._back, answers = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._to)
            os.close(self._back)
            self._serve(questions, answers)
        os.close(questions)
        os.close(answers)

    def _serve(self, questions: int, answers: int) -> None:
        """Be the child; never return."""
        try:
            be_quiet()
            with self._core.context(**self._how) as context:
                while True:
                    programs = pickle.loads(_receive(questions))  # noqa: S301
                    index, verdict = len(programs), Verdict()
                    for i, data in enumerate(programs):
                        end_within(self._limit)
                        verdict = context.execute(data)
                        if not verdict.ok:
                            index = i
                            break
                    signal.setitimer(signal.ITIMER_PROF, 0)
                    signal.alarm(0)
                    answer = (index, verdict, time.process_time())
                    _send(answers, pickle.dumps(answer))
        finally:
            os._exit(0)


def _send(to: int, data: bytes) -> None:
    data = len(data).to_bytes(4, "little") + data
    while data:
        data = data[os.write(to, data) :]


def _receive(of: int) -> bytes:
    """Return what was sent.

    :raises EOFError: nothing, by somebody who is no more.
    """
    size = int.from_bytes(_exactly(of, 4), "little")
    return _exactly(of, size)


def _exactly(of: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(of, size - len(data))
        if not more:
            raise EOFError
        data += more
    return data
