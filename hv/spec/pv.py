"""What a paravirtual kernel has instead of traps: the shared-info page.

Each hart has 64 bytes of a page in the kernel's own memory (csrc/abi/pv.h). A
trap is told there, and to mask interrupts is to store a word there. Xen's
shared_info and VCPUOP_register_vcpu_info have this role, and Linux' lguest had
its lguest_data.

The kernel may write there what it likes. Whatever it does, it can mislead only
itself.
"""

from hv.spec.csr import EXTERNAL, SOFTWARE, SSIP, TIMER, Csr, pending
from hv.spec.hart import Computer, Hart, Trap
from hv.spec.mmu import Mode

INFO_SIZE = 64  # of one hart
IRQ_ENABLED, IRQ_PENDING, CAUSE, TVAL, EPC, PREV, STACK = range(0, 28, 4)
SAVED_A6, SAVED_A7, TIME_LOW, TIME_HIGH = 28, 32, 40, 44
PREV_KERNEL, PREV_IRQ = 1, 2
SP, A6, A7 = 2, 16, 17


def word(computer: Computer, hart: Hart, field: int) -> int:
    """Read a field."""
    info = hart.shared.info
    assert info is not None  # noqa: S101 - callers have looked
    return computer.memory[info + field]


def put(computer: Computer, hart: Hart, field: int, value: int) -> None:
    """Write a field."""
    info = hart.shared.info
    assert info is not None  # noqa: S101
    value &= 0xFFFF_FFFF
    computer.put(info + field, value.to_bytes(4, "little"))


def listens(hart: Hart) -> bool:
    """Say whether the kernel has said how traps are to reach it."""
    return hart.shared.info is not None and hart.shared.entry is not None


def due(computer: Computer, hart: Hart) -> int | None:
    """Tell what is pending; return the interrupt to take now.

    A software interrupt is taken back as it is told: there is no sip to clear.
    """
    if not listens(hart):
        return None
    sip = pending(hart)
    if word(computer, hart, IRQ_PENDING) != sip:
        put(computer, hart, IRQ_PENDING, sip)
    if not word(computer, hart, IRQ_ENABLED):
        return None
    for interrupt in (EXTERNAL, SOFTWARE, TIMER):
        if sip >> interrupt & 1:
            if interrupt == SOFTWARE:
                hart.csr[Csr.SIP] &= ~SSIP
            return interrupt
    return None


def take(computer: Computer, hart: Hart, why: Trap) -> None:
    """Tell of a trap, and enter the handler with interrupts off.

    A kernel that has not said where is killed: nobody could go on with it.
    """
    if not listens(hart):
        computer.ended = "no trap entry"
        return
    entry, stack = hart.shared.entry or (0, 0)
    kernel = hart.mode is Mode.SUPERVISOR
    was_on = word(computer, hart, IRQ_ENABLED)
    prev = PREV_KERNEL * kernel | PREV_IRQ * bool(was_on)
    now = computer.time(hart)
    for field, value in (
        (IRQ_ENABLED, 0),
        (CAUSE, why.cause),
        (TVAL, why.tval),
        (EPC, hart.pc),
        (PREV, prev),
        (STACK, hart.x[SP]),
        (TIME_LOW, now),
        (TIME_HIGH, now >> 32),
    ):
        put(computer, hart, field, value)
    if not kernel:
        hart.set(SP, stack)
    hart.mode, hart.pc, hart.reservation = Mode.SUPERVISOR, entry, None


def iret(computer: Computer, hart: Hart) -> None:
    """Go back to what the page describes, also to user mode."""
    prev = word(computer, hart, PREV)
    hart.pc = word(computer, hart, EPC) & ~3
    hart.set(SP, word(computer, hart, STACK))
    hart.set(A6, word(computer, hart, SAVED_A6))
    hart.set(A7, word(computer, hart, SAVED_A7))
    put(computer, hart, IRQ_ENABLED, bool(prev & PREV_IRQ))
    hart.mode = Mode.SUPERVISOR if prev & PREV_KERNEL else Mode.USER
