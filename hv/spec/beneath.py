"""What lies beneath a kernel, as far as the kernel can tell.

A firmware or a hypervisor has M-mode, and shows itself only where it is called
and in how traps and interrupts arrive.
"""

from typing import Protocol

from hv.spec import csr, trap
from hv.spec.csr import Csr
from hv.spec.hart import Computer, Hart, Trap


class Beneath(Protocol):
    """Who has M-mode: a firmware, or a hypervisor."""

    def arrive(self, computer: Computer, hart: Hart) -> bool:
        """Make pending what has become due; say whether anything did."""

    def wakes(self, hart: Hart) -> bool:
        """Say whether what is pending ends the hart's sleep."""

    def due(self, computer: Computer, hart: Hart) -> int | None:
        """Return the interrupt that the kernel is to take now."""

    def trap(self, computer: Computer, hart: Hart, why: Trap) -> None:
        """Tell the kernel of a trap."""

    def call(self, computer: Computer, hart: Hart) -> None:
        """Serve an ecall of the kernel; pc is behind it."""


class Nothing:
    """Nothing beneath: interrupts and traps as the architecture has them."""

    def arrive(self, computer: Computer, hart: Hart) -> bool:
        """Do nothing."""
        return False

    def wakes(self, hart: Hart) -> bool:
        """Say whether an enabled interrupt is pending (P 3.3.3)."""
        return bool(csr.pending(hart) & hart.csr[Csr.SIE])

    def due(self, computer: Computer, hart: Hart) -> int | None:
        """Return what the architecture says."""
        return trap.due(hart)

    def trap(self, computer: Computer, hart: Hart, why: Trap) -> None:
        """Enter the handler."""
        trap.take(hart, why.cause, why.tval)

    def call(self, computer: Computer, hart: Hart) -> None:
        """Do nothing."""
