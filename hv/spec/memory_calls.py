"""hv's calls about memory: address spaces, page tables, the balloon.

Lists lie in the caller's memory and are read once, before anything is done.
"""

from collections.abc import Sequence

from hv.abi import SbiError
from hv.spec import p2m
from hv.spec.calls import Arguments, as_answered, need, writable
from hv.spec.csr import PPN, SV32, Csr
from hv.spec.hart import Computer, Hart, Style
from hv.spec.typed import typed_call

PAGE_SIZE = 4096
UPDATES_MOST, UPDATE_SIZE = 64, 8
MAP_MOST = 1024
WORKS, STUCK = 1, 2  # what a balloon driver says of itself


def words(computer: Computer, gpa: int, count: int) -> list[int]:
    """Read words that are there."""
    return [computer.memory[gpa + 4 * n] for n in range(count)]


# --- address spaces and tables ------------------------------------------------


def set_root(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Switch the address space: a value of satp, or 0 for no translation."""
    satp = args[0]
    need(computer.style is not Style.DIRECT, SbiError.NOT_SUPPORTED)
    need(satp & ~(SV32 | PPN) == 0, SbiError.INVALID_PARAM)
    need(satp == 0 or satp & SV32, SbiError.INVALID_PARAM)
    root = (satp & PPN) * PAGE_SIZE  # 34 bits: it may lie beyond them all
    there = satp == 0 or computer.memory.owns(root, PAGE_SIZE)
    need(there, SbiError.INVALID_ADDRESS)
    hart.csr[Csr.SATP] = satp
    return 0


def pt_update(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Store entries {slot, value} and forget what they mapped: all or none."""
    gpa, count = args[0], args[1]
    fits = 1 <= count <= UPDATES_MOST and gpa % 4 == 0
    need(fits, SbiError.INVALID_PARAM)
    there = computer.memory.owns(gpa, count * UPDATE_SIZE)
    need(there, SbiError.INVALID_ADDRESS)
    flat = words(computer, gpa, 2 * count)
    updates = list(zip(flat[::2], flat[1::2], strict=True))
    for slot, _ in updates:
        need(slot % 4 == 0, SbiError.INVALID_PARAM)
        need(computer.memory.owns(slot, 4), SbiError.INVALID_ADDRESS)
    if computer.tables:
        typed_call(computer, lambda tables: tables.update(updates))
    for slot, value in updates:
        computer.put(slot, value.to_bytes(4, "little"))
    return 0


# --- style `direct`: hv.spec.direct -------------------------------------------


def memory_map(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Store the machine frame numbers of a run of frames."""
    first, count, gpa = args[0], args[1], args[2]
    tables, memory = computer.tables, computer.memory
    need(tables is not None, SbiError.NOT_SUPPORTED)
    fits = 1 <= count <= MAP_MOST and gpa % 4 == 0
    need(fits, SbiError.INVALID_PARAM)
    index = first - memory.first
    inside = index >= 0 and index + count <= memory.pages
    there = inside and writable(computer, gpa, 4 * count)
    need(there, SbiError.INVALID_ADDRESS)
    assert tables is not None  # noqa: S101
    frame_of = {gfn: hfn for hfn, gfn in tables.frames.items()}
    for n in range(count):
        frame = frame_of[first + n].to_bytes(4, "little")
        computer.put(gpa + 4 * n, frame)
    return 0


def pt_pin(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Make a page a table."""
    return typed_call(computer, lambda t: t.pin(args[0], args[1]))


def pt_unpin(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Let a table be a page again."""
    return typed_call(computer, lambda t: t.unpin(args[0]))


def set_roots(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Switch to two roots, one for each mode."""
    return typed_call(
        computer, lambda t: t.set_roots(hart.id, args[0], args[1])
    )


# --- the balloon: hv.spec.p2m -------------------------------------------------


def balloon(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Tell how the balloon does; answer how many frames to give back."""
    need(args[0] in (WORKS, STUCK), SbiError.INVALID_PARAM)
    need(computer.style is not Style.DIRECT, SbiError.NOT_SUPPORTED)
    computer.balloon_said = args[0]
    memory = computer.memory
    return memory.pages - len(memory.gone) - memory.target


def frames(computer: Computer, args: Arguments) -> Sequence[int]:
    """Read a list of frame numbers."""
    gpa, count = args[0], args[1]
    need(computer.style is not Style.DIRECT, SbiError.NOT_SUPPORTED)
    fits = 1 <= count <= p2m.MAX_LIST and gpa % 4 == 0
    need(fits, SbiError.INVALID_PARAM)
    need(computer.memory.owns(gpa, 4 * count), SbiError.INVALID_ADDRESS)
    return words(computer, gpa, count)


def balloon_give(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Give frames back: they are no memory until taken again."""
    as_answered(computer.memory.give(frames(computer, args)))
    return args[1]


def balloon_take(computer: Computer, hart: Hart, args: Arguments) -> int:
    """Take frames of the balloon: they are zero."""
    as_answered(computer.memory.take(frames(computer, args)))
    return args[1]
