"""Into a trap handler and out of it, as a native kernel sees it.

Source: Privileged Specification, 10.1 and 3.3.2. What enters where::

               trap                     sret
    sstatus    SPIE = SIE, SIE = 0      SIE = SPIE, SPIE = 1
               SPP = mode               mode = SPP, SPP = U
    sepc       pc                       pc = sepc
    scause     why
    stval      about what
    pc         stvec; vectored: + 4 * n for interrupt n
    mode       S
"""

from enum import IntEnum

from hv.spec.csr import EXTERNAL, SOFTWARE, TIMER, Csr, Status, pending
from hv.spec.hart import Hart
from hv.spec.mmu import Mode

INTERRUPT = 1 << 31
PRIORITY = (EXTERNAL, SOFTWARE, TIMER)  # 10.1.3


class Cause(IntEnum):
    """Exceptions (table 22). Page faults: see :mod:`hv.spec.mmu`."""

    FETCH_MISALIGNED = 0
    FETCH_ACCESS = 1
    ILLEGAL = 2
    BREAKPOINT = 3
    LOAD_MISALIGNED = 4
    LOAD_ACCESS = 5
    STORE_MISALIGNED = 6
    STORE_ACCESS = 7
    ECALL_FROM_USER = 8


def due(hart: Hart) -> int | None:
    """Return the interrupt that is taken before the next instruction.

    In user mode SIE does not count: interrupts are on.
    """
    on = hart.mode is Mode.USER or hart.csr[Csr.SSTATUS] & Status.SIE
    ready = pending(hart) & hart.csr[Csr.SIE] if on else 0
    return next((n for n in PRIORITY if ready >> n & 1), None)


def take(hart: Hart, cause: int, tval: int) -> None:
    """Enter the handler."""
    status = hart.csr[Csr.SSTATUS]
    kept = status & ~(Status.SIE | Status.SPIE | Status.SPP)
    was_on = Status.SPIE if status & Status.SIE else 0
    was_kernel = Status.SPP if hart.mode is Mode.SUPERVISOR else 0
    hart.csr[Csr.SSTATUS] = kept | was_on | was_kernel
    hart.csr[Csr.SEPC] = hart.pc & ~3
    hart.csr[Csr.SCAUSE] = cause
    hart.csr[Csr.STVAL] = tval
    vectored = cause & INTERRUPT and hart.csr[Csr.STVEC] & 1
    offset = 4 * (cause & ~INTERRUPT) if vectored else 0
    hart.pc = (hart.csr[Csr.STVEC] & ~3) + offset & 0xFFFF_FFFF
    hart.mode = Mode.SUPERVISOR
    hart.reservation = None  # our choice: no SC succeeds across a trap


def sret(hart: Hart) -> int:
    """Leave the handler; return where to."""
    status = hart.csr[Csr.SSTATUS]
    kept = status & ~(Status.SIE | Status.SPP)
    on_again = Status.SIE if status & Status.SPIE else 0
    hart.csr[Csr.SSTATUS] = kept | on_again | Status.SPIE
    hart.mode = Mode.SUPERVISOR if status & Status.SPP else Mode.USER
    return hart.csr[Csr.SEPC]
