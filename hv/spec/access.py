"""What an instruction does to memory: translate, then load or store.

Of two faults, the misaligned address is told, not the page (Privileged
Specification, 3.7.1, leaves the choice). :func:`reach` sets A and D as the
hardware does, before the access; a device may still refuse that.
"""

from hv.spec import typed
from hv.spec.csr import Csr, Status
from hv.spec.hart import Computer, Hart, Style, Trap
from hv.spec.mmu import Access, Translated, View, translate
from hv.spec.trap import Cause


def view(hart: Hart) -> View:
    """Return what beside the tables decides the hart's accesses."""
    status = hart.csr[Csr.SSTATUS]
    return View(
        hart.mode,
        sum=bool(status & Status.SUM),
        mxr=bool(status & Status.MXR),
    )


def reach(computer: Computer, hart: Hart, va: int, access: Access) -> int:
    """Translate, set A and D, return the physical address; or trap."""
    if computer.style is Style.DIRECT:
        return typed.reach(computer, hart, va, access)
    to = translate(
        computer.memory,
        hart.csr[Csr.SATP],
        va,
        access,
        view(hart),
        computer.board,
    )
    if not isinstance(to, Translated):
        raise Trap(to.cause, va)
    if to.slot is not None and to.sets:
        entry = computer.memory[to.slot] | to.sets
        computer.put(to.slot, entry.to_bytes(4, "little"))
    return to.pa


def fetch(computer: Computer, hart: Hart) -> int:
    """Fetch the instruction at pc."""
    if hart.pc % 4:
        raise Trap(Cause.FETCH_MISALIGNED, hart.pc)
    pa = reach(computer, hart, hart.pc, Access.FETCH)
    return computer.memory[pa]


def load(computer: Computer, hart: Hart, va: int, size: int) -> int:
    """Load. Alignment comes before translation (P 3.7.1; our choice)."""
    if va % size:
        raise Trap(Cause.LOAD_MISALIGNED, va)
    pa = reach(computer, hart, va, Access.LOAD)
    value = computer.load(pa, size)
    if value is None:
        raise Trap(Cause.LOAD_ACCESS, va)
    return value


def store(
    computer: Computer, hart: Hart, va: int, size: int, value: int
) -> None:
    """Store."""
    if va % size:
        raise Trap(Cause.STORE_MISALIGNED, va)
    pa = reach(computer, hart, va, Access.STORE)
    if not computer.store(pa, size, value):
        raise Trap(Cause.STORE_ACCESS, va)
