"""The standard SBI calls: what a kernel finds beneath it, bare or in a VM.

Source: RISC-V Supervisor Binary Interface Specification 2.0; the sections are
named below. A firmware serves them on the bare machine and the hypervisor in a
VM, and a kernel must not be able to tell which. Where the standard leaves an
order or an optional call to the implementation, both may differ, and a call
below names every error that may come.

>>> computer = Computer(memory=GuestMemory(first=0x80000, pages=1))
>>> computer.put(0x8000_0010, b"hello")
>>> hart = computer.harts[0]
>>> answer(console_write, computer, hart, (5, 0x8000_0010, 0)).value
5
>>> answer(console_write, computer, hart, (5, 0x8000_0FFC, 0)).error.name
'INVALID_PARAM'
>>> bytes(computer.printed)
b'hello'
"""

from collections.abc import Iterable

from hv.abi import SbiError
from hv.spec.calls import (
    A0,
    Arguments,
    Call,
    Refused,
    answer,
    need,
    writable,
)
from hv.spec.csr import STIP, Csr
from hv.spec.hart import WORD, Computer, Hart, Off, Shared, Style
from hv.spec.mmu import Mode
from hv.spec.p2m import GuestMemory

__all__ = ["GuestMemory", "answer", "console_write", "find"]

NEVER = (1 << 64) - 1
BASE, TIME, IPI, RFNC = 0x10, 0x54494D45, 0x735049, 0x52464E43
HSM, SRST, DBCN, STA = 0x48534D, 0x53525354, 0x4442434E, 0x535441
HV = 0x0A004856  # hv's own: hv.spec.hypercalls
EVERYWHERE = (BASE, TIME, IPI, RFNC, HSM, SRST, DBCN)
LAST_LEGACY = 8
CONSOLE_MOST = 4096  # bytes that the hypervisor takes at once


def nothing(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Answer 0: nothing that a kernel could see is done."""
    return 0


# --- 4. Base ------------------------------------------------------------------


def probe(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Say whether there is such an extension.

    Kernels that do not know of hypervisors are not told of one.
    """
    special = args[0] in (HV, STA) and computer.style is not Style.NATIVE
    return args[0] in EVERYWHERE or args[0] <= LAST_LEGACY or special


# --- 6. Timer -----------------------------------------------------------------


def set_timer(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Ask for a timer interrupt, and take back the one that is pending."""
    when = args[0] | args[1] << 32
    hart.csr[Csr.SIP] &= ~STIP
    hart.timer = None if when == NEVER else when
    return 0


# --- 7. IPI, and 3.1: hart masks ----------------------------------------------


def named(computer: Computer, mask: int, base: int) -> list[Hart]:
    """Return the harts of a mask: all of them must exist."""
    if base == WORD:
        return list(computer.harts)
    ids = [base + bit for bit in range(32) if mask >> bit & 1]
    need(all(n < len(computer.harts) for n in ids), SbiError.INVALID_PARAM)
    return [computer.harts[n] for n in ids]


def interrupt(harts: Iterable[Hart]) -> None:
    """Send a software interrupt to those that run."""
    for hart in harts:
        if not hart.stopped:
            hart.asked = True


def send_ipi(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Send an interrupt to other harts, or to itself."""
    interrupt(named(computer, args[0], args[1]))
    return 0


# --- 8. RFENCE ----------------------------------------------------------------


def remote_fence(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Fence on other harts: nothing is ever stale in this specification."""
    named(computer, args[0], args[1])
    return 0


# --- 9. Hart state management -------------------------------------------------


def start(hart: Hart, pc: int, *arguments: int) -> None:
    """Let a hart begin, as after a reset: untranslated, in kernel mode."""
    hart.x = [0] * 32
    hart.x[A0 : A0 + len(arguments)] = arguments
    hart.pc, hart.mode = pc, Mode.SUPERVISOR
    hart.csr.clear()
    hart.stopped = hart.waiting = hart.asked = False
    hart.timer = hart.reservation = None


def hart_start(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Start a stopped hart. Which of two mistakes is told first is free."""
    need(args[0] < len(computer.harts), SbiError.INVALID_PARAM)
    other = computer.harts[args[0]]
    mistakes = []
    if not other.stopped:
        mistakes.append(SbiError.ALREADY_AVAILABLE)
    if args[1] % 4 or not computer.memory.owns(args[1], 4):
        mistakes.append(SbiError.INVALID_ADDRESS)
    need(not mistakes, *mistakes)
    forget_shared(computer, other)
    start(other, args[1], args[0], args[2])
    if computer.style is not Style.NATIVE:
        open_to_paravirtual(other)
    return 0


def open_to_paravirtual(hart: Hart) -> None:
    """Give a kernel that has no CSRs what it would ask for with them."""
    hart.csr[Csr.SSTATUS] = 1 << 18  # SUM
    hart.csr[Csr.SCOUNTEREN] = 0b111


def hart_stop(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Stop the caller."""
    hart.stopped, hart.timer = True, None
    hart.csr[Csr.SIP] &= ~STIP
    return 0


def hart_status(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Say whether a hart runs: 0, or has stopped: 1."""
    need(args[0] < len(computer.harts), SbiError.INVALID_PARAM)
    return computer.harts[args[0]].stopped


def hart_suspend(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Wait, as wfi does; other kinds of suspension are not offered."""
    need(args[0] == 0, SbiError.NOT_SUPPORTED)
    hart.waiting, hart.shared.polls = True, False
    return 0


# --- 10. System reset ---------------------------------------------------------


def system_reset(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Switch off (0) or reboot (1 cold, 2 warm), for no reason or a failure."""
    need(args[0] <= 2 and args[1] <= 1, SbiError.INVALID_PARAM)
    computer.ended = Off(0, reset=True) if args[0] else Off(args[1])
    return 0


# --- 12. Debug console --------------------------------------------------------


def console_range(computer: Computer, args: Arguments) -> tuple[int, int]:
    """Return where, and how many bytes, as (length, low, high) name them."""
    size, gpa, high = args[0], args[1], args[2]
    there = high == 0 and computer.memory.spans(gpa, size)
    need(there, SbiError.INVALID_PARAM)
    return gpa, min(size, CONSOLE_MOST)


def console_write(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Print bytes of memory; return how many."""
    gpa, size = console_range(computer, args)
    need(computer.memory.owns(gpa, size), SbiError.INVALID_ADDRESS)
    computer.printed += computer.memory.bytes_at(gpa, size)
    return size


def console_read(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Store what was typed, as far as there is any; return how many bytes."""
    gpa, size = console_range(computer, args)
    need(writable(computer, gpa, size), SbiError.INVALID_ADDRESS)
    return take_typed(computer, gpa, size)


def take_typed(computer: Computer, gpa: int, size: int) -> int:
    """Move typed bytes to memory that is there."""
    data = bytes(computer.typed[:size])
    del computer.typed[: len(data)]
    computer.put(gpa, data)
    return len(data)


def console_byte(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Print one byte."""
    computer.printed.append(args[0] & 0xFF)
    return 0


# --- 16. Steal time -----------------------------------------------------------

STEAL_SIZE = 64


def set_steal(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Say where this hart's steal time is to be told, or (all ones) nowhere.

    What is written there from then on is for the scheduler to say.
    """
    low, high, flags = args[0], args[1], args[2]
    need(computer.style is not Style.NATIVE, SbiError.NOT_SUPPORTED)
    need(flags == 0, SbiError.INVALID_PARAM)
    if low == high == WORD:
        forget_steal(computer, hart)
        return 0
    need(low % STEAL_SIZE == 0, SbiError.INVALID_PARAM)
    there = high == 0 and writable(computer, low, STEAL_SIZE)
    need(there, SbiError.INVALID_ADDRESS)
    forget_steal(computer, hart)
    computer.put(low, bytes(STEAL_SIZE))
    computer.memory.held.append(low // 4096)
    hart.shared.steal = low
    return 0


def forget_steal(computer: Computer, hart: Hart) -> None:
    """Tell it nowhere."""
    if hart.shared.steal is not None:
        computer.memory.held.remove(hart.shared.steal // 4096)
    hart.shared.steal = None


def forget_shared(computer: Computer, hart: Hart) -> None:
    """Forget all that a paravirtual kernel has told about a hart."""
    forget_steal(computer, hart)
    if hart.shared.info is not None:
        computer.memory.held.remove(hart.shared.info // 4096)
    if computer.tables:
        computer.tables.loaded.pop(hart.id, None)
    hart.shared = Shared()


# --- the table ----------------------------------------------------------------


def constant(value: int) -> Call:
    """Make a call that answers a number."""
    return lambda _computer, _hart, _args: value


CALLS: dict[tuple[int, int], Call] = {
    (BASE, 0): constant(0x0200_0000),  # the version of the specification
    (BASE, 1): constant(0x4856),  # who implements it: hv
    (BASE, 2): constant(1),
    (BASE, 3): probe,
    (BASE, 4): nothing,  # mvendorid, marchid, mimpid: 0
    (BASE, 5): nothing,
    (BASE, 6): nothing,
    (TIME, 0): set_timer,
    (IPI, 0): send_ipi,
    (RFNC, 0): remote_fence,
    (RFNC, 1): remote_fence,
    (RFNC, 2): remote_fence,
    (HSM, 0): hart_start,
    (HSM, 1): hart_stop,
    (HSM, 2): hart_status,
    (HSM, 3): hart_suspend,
    (SRST, 0): system_reset,
    (DBCN, 0): console_write,
    (DBCN, 1): console_read,
    (DBCN, 2): console_byte,
    (STA, 0): set_steal,
}


def unknown(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Refuse: there is no such call here. That is an answer, not a crime."""
    raise Refused(SbiError.NOT_SUPPORTED)


def find(extension: int, function: int) -> Call:
    """Return the call of this number."""
    return CALLS.get((extension, function), unknown)
