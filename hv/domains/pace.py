"""Run to a moment of the machine's own time, by counts alone.

The core runs for a number of instructions; how many cycles those take, only the
run itself says. So a moment is approached in pieces that become smaller, and
reached or passed by a little. The pieces follow from counts of the machine:
the same run always stops at the same places.
"""

from hv.facts import RunReason, RunResult
from hv.hypervisor import Hypervisor

_LEAST = 64  # instructions of a piece
_MOST = 100_000  # ... so that consoles and pictures keep up
_GUESS = 4.0  # cycles of an instruction, before anything is known


def now(hypervisor: Hypervisor) -> int:
    """Return the machine's clock in cycles: that of the latest hart."""
    return max(hart.cycles for hart in hypervisor.harts)


class Pace:
    """Runs a hypervisor piece by piece."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor
        self._cost = _GUESS

    def piece(self, cycle: int | None = None, left: int = 0) -> RunResult:
        """Run for a piece, not far beyond a moment.

        The result's reason is ``budget`` if there is more to do.

        :param cycle: the moment; None is never.
        :param left: instructions that may be executed; 0 is any number.
        """
        count = min(left, _MOST) if left else _MOST
        before = now(self._hypervisor)
        if cycle is not None:
            fitting = int((cycle - before) / (2 * self._cost))
            count = min(count, max(_LEAST, fitting))
        result = self._hypervisor.run(count, on_end=True)
        spent = now(self._hypervisor) - before
        if result.insns and spent:
            self._cost = max(1.0, spent / result.insns)
        return result

    def until(self, cycle: int) -> RunResult:
        """Run until a moment, or until something else ends the run."""
        while now(self._hypervisor) < cycle:
            result = self.piece(cycle)
            if result.reason is not RunReason.BUDGET:
                return result
        return RunResult(RunReason.BUDGET, 0, 0, 0)
