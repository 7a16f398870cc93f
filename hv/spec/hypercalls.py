"""hv's own calls: what each does, and what it answers instead.

The table is csrc/abi/hypercalls.def; extension HV in a7, the number in a6. What
holds for every call is in :mod:`hv.spec.calls`, above all that a refused call
has changed nothing. The calls about memory are in
:mod:`hv.spec.memory_calls`; here are the rest.

>>> vm = Computer(memory=GuestMemory(first=0x80000, pages=2), style=Style.PV)
>>> hart, args = vm.harts[0], (0x8000_0123, 0, 0, 0, 0, 0)
>>> answer(CALLS[Hypercall.SET_SHARED], vm, hart, args).error.name
'INVALID_PARAM'
>>> answer(CALLS[Hypercall.SET_SHARED], vm, hart, (0x8000_1000,)).error.name
'SUCCESS'
>>> hex(hart.shared.info)
'0x80001000'
"""

from dataclasses import dataclass, field

from hv.abi import Hypercall, SbiError
from hv.spec import memory_calls, pv, sbi
from hv.spec.calls import (
    A0,
    A1,
    A6,
    A7,
    Answer,
    Arguments,
    Call,
    Refused,
    Replaced,
    answer,
    need,
    writable,
)
from hv.spec.csr import pending
from hv.spec.firmware import Sbi
from hv.spec.hart import Computer, Hart, Off, Style, Trap
from hv.spec.p2m import GuestMemory

__all__ = ["CALLS", "GuestMemory", "Pv", "Style", "answer"]

PAGE_SIZE = 4096
VERSION = 1
PT_UPDATE, MULTICALL, CONSOLE, DIRECT, BALLOON, SCHED = (
    1 << n for n in range(6)
)
MULTICALL_MOST, RECORD_SIZE = 32, 24
RUNSTATE_SIZE = 32


def features(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Tell the version (leaf 0), and what there is (leaf 1)."""
    need(args[0] <= 1, SbiError.INVALID_PARAM)
    if args[0] == 0:
        return VERSION
    memory = DIRECT if computer.style is Style.DIRECT else BALLOON
    return PT_UPDATE | MULTICALL | CONSOLE | SCHED | memory


# --- traps --------------------------------------------------------------------


def set_shared(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Register the page by which traps are told.

    From then on it cannot become a table or go into the balloon.
    """
    gpa = args[0]
    need(gpa % PAGE_SIZE == 0, SbiError.INVALID_PARAM)
    need(computer.memory.owns(gpa, PAGE_SIZE), SbiError.INVALID_ADDRESS)
    need(writable(computer, gpa, PAGE_SIZE), SbiError.DENIED)
    held = computer.memory.held
    held.append(gpa // PAGE_SIZE)
    if hart.shared.info is not None:
        held.remove(hart.shared.info // PAGE_SIZE)
    hart.shared.info = gpa + hart.id * pv.INFO_SIZE
    return 0


def set_entry(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Register the trap handler and the stack for traps from user mode.

    Where they lead is the kernel's own affair: a wild one faults, later.
    """
    entry, stack = args[0], args[1]
    need(entry % 4 == 0 and stack % 16 == 0, SbiError.INVALID_PARAM)
    hart.shared.entry = (entry, stack)
    return 0


def iret(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Return from a trap. Without a page there is nothing to return to."""
    if hart.shared.info is None:
        computer.ended = "no trap entry"
    else:
        pv.iret(computer, hart)
    raise Replaced


# --- many calls at once -------------------------------------------------------

# They replace or end the caller's state, or could take away the list.
ALONE = {
    Hypercall.IRET,
    Hypercall.DELIVER,
    Hypercall.MULTICALL,
    Hypercall.BLOCK,
    Hypercall.SHUTDOWN,
    Hypercall.BALLOON_GIVE,
    Hypercall.BALLOON_TAKE,
    Hypercall.POLL,
}


def multicall(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Run a list of {number, error, four arguments}; store each error.

    Each is read when its turn has come. The list is held meanwhile: none of
    its calls makes it a table.
    """
    at, count = args[0], args[1]
    need(1 <= count <= MULTICALL_MOST and at % 4 == 0, SbiError.INVALID_PARAM)
    size = count * RECORD_SIZE
    need(computer.memory.owns(at, size), SbiError.INVALID_ADDRESS)
    need(writable(computer, at, size), SbiError.DENIED)
    pages = [at // PAGE_SIZE, (at + size - 1) // PAGE_SIZE]
    computer.memory.held += pages
    for record in range(at, at + size, RECORD_SIZE):
        number, _, *four = (
            computer.memory[record + n] for n in range(0, RECORD_SIZE, 4)
        )
        call = refuse_alone if number in ALONE else find(number)
        done = answer(call, computer, hart, (*four, 0, 0))
        error = done.error & 0xFFFF_FFFF
        computer.put(record + 4, error.to_bytes(4, "little"))
    for page in pages:
        computer.memory.held.remove(page)
    return count


def refuse_alone(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Refuse: not inside a multicall."""
    raise Refused(SbiError.DENIED)


# --- the console --------------------------------------------------------------


def console_write(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Print bytes of memory, at most 4096; return how many."""
    gpa, size = args[0], min(args[1], sbi.CONSOLE_MOST)
    there = computer.memory.spans(gpa, args[1])
    there = there and computer.memory.owns(gpa, size)
    need(there, SbiError.INVALID_ADDRESS)
    computer.printed += computer.memory.bytes_at(gpa, size)
    return size


def console_read(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Store what was typed, as far as there is any; return how many bytes."""
    gpa, size = args[0], min(args[1], sbi.CONSOLE_MOST)
    there = computer.memory.spans(gpa, args[1])
    there = there and writable(computer, gpa, size)
    need(there, SbiError.INVALID_ADDRESS)
    return sbi.take_typed(computer, gpa, size)


# --- time ---------------------------------------------------------------------


def sibling(computer: Computer, number: int) -> Hart:
    """Return a hart of the same VM."""
    need(number < len(computer.harts), SbiError.INVALID_PARAM)
    return computer.harts[number]


def sleeps(computer: Computer, hart: Hart) -> bool:
    """Say whether nothing has come that would end its sleep."""
    due = hart.timer is not None and hart.timer <= computer.time(hart)
    return hart.waiting and not (pending(hart) or hart.asked or due)


def sleep(computer: Computer, hart: Hart, *, polls: bool) -> None:
    """Sleep, if nothing has come."""
    hart.waiting = True
    hart.waiting = sleeps(computer, hart)
    hart.shared.polls = polls and hart.waiting


def block(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Unmask interrupts and sleep until there is one."""
    need(hart.shared.info is not None, SbiError.DENIED)
    pv.put(computer, hart, pv.IRQ_ENABLED, 1)
    sleep(computer, hart, polls=False)
    return 0


def poll(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Sleep until kicked, or an interrupt is pending, masked or not.

    A kick that came before counts: then the answer is 1, at once.
    """
    kicked, hart.shared.kicked = hart.shared.kicked, False
    if not kicked:
        sleep(computer, hart, polls=True)
    return kicked


def kick(computer: Computer, hart: Hart, args: Arguments) -> int:
    """End a hart's poll, or else its next one."""
    other = sibling(computer, args[0])
    if other.shared.polls and sleeps(computer, other):
        other.waiting = other.shared.polls = False
    else:
        other.shared.kicked = True
    return 0


def yield_to(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Let another hart of the VM run first: hv.spec.sched says when."""
    sibling(computer, args[0])
    return 0


def runstate(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Store what a hart did with its time: four sums of 64 bits.

    What they are, :mod:`hv.spec.charges` bounds; here they are as they are.
    """
    gpa = args[1]
    need(args[0] < len(computer.harts), SbiError.INVALID_PARAM)
    need(gpa % 4 == 0, SbiError.INVALID_PARAM)
    need(writable(computer, gpa, RUNSTATE_SIZE), SbiError.INVALID_ADDRESS)
    times = computer.harts[args[0]].times
    computer.put(gpa, b"".join(t.to_bytes(8, "little") for t in times))
    return 0


# --- the end ------------------------------------------------------------------

POWEROFF, REBOOT, CRASH = range(3)


def shutdown(computer: Computer, hart: Hart, args: Arguments) -> int:
    """End this VM; a crash is never a success."""
    reason, code = args[0], args[1]
    need(reason <= CRASH, SbiError.INVALID_PARAM)
    if reason == CRASH and code == 0:
        code = 1
    computer.ended = Off(code, reset=reason == REBOOT)
    raise Replaced


CALLS: dict[int, Call] = {
    Hypercall.FEATURES: features,
    Hypercall.SET_SHARED: set_shared,
    Hypercall.SET_ENTRY: set_entry,
    Hypercall.IRET: iret,
    Hypercall.DELIVER: sbi.nothing,  # every way back delivers
    Hypercall.SET_ROOT: memory_calls.set_root,
    Hypercall.FENCE: sbi.nothing,  # nothing is ever stale here
    Hypercall.PT_UPDATE: memory_calls.pt_update,
    Hypercall.MULTICALL: multicall,
    Hypercall.CONSOLE_WRITE: console_write,
    Hypercall.CONSOLE_READ: console_read,
    Hypercall.YIELD: sbi.nothing,  # hv.spec.sched
    Hypercall.BLOCK: block,
    Hypercall.SET_TIMER: sbi.set_timer,
    Hypercall.SHUTDOWN: shutdown,
    Hypercall.MEMORY_MAP: memory_calls.memory_map,
    Hypercall.PT_PIN: memory_calls.pt_pin,
    Hypercall.PT_UNPIN: memory_calls.pt_unpin,
    Hypercall.SET_ROOTS: memory_calls.set_roots,
    Hypercall.BALLOON: memory_calls.balloon,
    Hypercall.BALLOON_GIVE: memory_calls.balloon_give,
    Hypercall.BALLOON_TAKE: memory_calls.balloon_take,
    Hypercall.POLL: poll,
    Hypercall.KICK: kick,
    Hypercall.YIELD_TO: yield_to,
    Hypercall.RUNSTATE: runstate,
}


def find(number: int) -> Call:
    """Return the call of this number."""
    return CALLS.get(number, sbi.unknown)


@dataclass
class Pv(Sbi):
    """What a paravirtual kernel has beneath it.

    :ivar last: what the last call answered; None: it does not return.
    """

    last: Answer | None = field(default=None)

    def wakes(self, hart: Hart) -> bool:
        """Say whether anything is pending: who sleeps is not asked for sie."""
        return bool(pending(hart))

    def due(self, computer: Computer, hart: Hart) -> int | None:
        """Look into the shared page."""
        return pv.due(computer, hart)

    def trap(self, computer: Computer, hart: Hart, why: Trap) -> None:
        """Tell by the shared page."""
        pv.take(computer, hart, why)

    def call(self, computer: Computer, hart: Hart) -> None:
        """Serve one of our own calls, or a standard one."""
        if hart.x[A7] != sbi.HV:
            super().call(computer, hart)
            return
        args = tuple(hart.x[A0 : A0 + 6])
        self.last = None
        try:
            self.last = answer(find(hart.x[A6]), computer, hart, args)
        except Replaced:
            return
        hart.set(A0, self.last.error)
        hart.set(A1, self.last.value)
