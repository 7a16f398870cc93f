"""The calls that SBI had before it had extensions: 5. of its specification.

Their number is in a7 alone, and the answer in a0 alone. They are deprecated,
and every kernel of some age still prints by them.
"""

from hv.abi import SbiError
from hv.spec.access import reach
from hv.spec.calls import Arguments, Call, Refused, need
from hv.spec.csr import SSIP, Csr
from hv.spec.hart import Computer, Hart, Off, Trap
from hv.spec.mmu import Access
from hv.spec.sbi import console_byte, interrupt, set_timer


def getchar(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Return a byte that was typed, or -1."""
    return computer.typed.pop(0) if computer.typed else -1


def clear_ipi(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Take the caller's own software interrupt back."""
    hart.csr[Csr.SIP] &= ~SSIP
    hart.asked = False
    return 0


def legacy_named(computer: Computer, hart: Hart, va: int) -> list[Hart]:
    """Return the harts of a mask in memory, at a virtual address; 0: all.

    Harts that do not exist do not count. The mask is found as by a load of the
    kernel, but for A, which is left as it is (our choice).
    """
    if va == 0:
        return list(computer.harts)
    need(va % 4 == 0, SbiError.INVALID_ADDRESS)
    unseen = computer.copy()
    try:
        pa = reach(unseen, unseen.harts[hart.id], va, Access.LOAD)
    except Trap:
        raise Refused(SbiError.INVALID_ADDRESS) from None
    need(pa in computer.memory, SbiError.INVALID_ADDRESS)
    mask = computer.memory[pa]
    return [other for other in computer.harts if mask >> other.id & 1]


def legacy_send_ipi(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Send an interrupt."""
    interrupt(legacy_named(computer, hart, args[0]))
    return 0


def legacy_fence(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Fence."""
    legacy_named(computer, hart, args[0])
    return 0


def legacy_shutdown(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Switch off."""
    computer.ended = Off()
    return 0


LEGACY: tuple[Call, ...] = (
    set_timer,
    console_byte,
    getchar,
    clear_ipi,
    legacy_send_ipi,
    legacy_fence,
    legacy_fence,
    legacy_fence,
    legacy_shutdown,
)
