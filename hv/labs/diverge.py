"""Where a guest and its reference part: the step, its source line, the trap.

For labs in which a VM must do what the bare machine does. Both are stepped, one
instruction or trap at a time, until something that their kernels can see is not
the same. What is told is what a person would look for: after which step, at
which line of the guest's source, what the last trap was; and the page tables,
if it was about memory.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import PurePath
from typing import Any

from hv.elf import read_symbols
from hv.guest import Guest
from hv.trace.causes import cause_name
from hv.views.walk import walk

STATE = (
    *("sstatus", "sie", "stvec", "sscratch", "sepc", "scause", "stval"),
    "satp",
)
# Exceptions (csrc/abi/cause.h) whose stval is the address of an access.
_ABOUT_MEMORY = {1: "fetch", 5: "load", 7: "store", 12: "fetch", 13: "load",
                 15: "store"}  # fmt: skip
_INTERRUPT = 1 << 31  # of scause
_FAR = 1 << 16  # bytes behind a symbol that still belong to it


@dataclass(frozen=True, slots=True)
class Trap:
    """A trap that the reference's guest took."""

    step: int
    pc: int  #: of the instruction that trapped, or would have come next
    cause: int
    value: int  #: stval


@dataclass(frozen=True, slots=True)
class Parting:
    """The first step after which the two are not the same."""

    step: int  #: counted from 1
    pc: int  #: before it
    what: str  #: a register, "mode", or "pc"
    expected: str
    got: str
    trap: Trap | None  #: the last one of the reference; may be this very step
    lines: tuple[str, ...]  #: all of that for a student, and the tables


def part(
    guest: Guest,
    reference: Guest,
    steps: int,
    image: bytes = b"",
    step_one: Callable[[Guest], object] = Guest.step,
) -> Parting | None:
    """Step two guests, of the same state, until they part; None: they do not.

    :param image: the guest's ELF file, for names and lines.
    :param step_one: how a guest is stepped; :func:`hv.labs.kit.moved` for a
        hypervisor that may never come to the end of a step.
    """
    trap: Trap | None = None
    for step in range(1, steps + 1):
        pc = reference.cpu[0].pc
        before = _state(reference)
        step_one(reference)
        step_one(guest)
        right, got = _state(reference), _state(guest)
        if _trapped(before, right, pc):
            trap = Trap(
                step,
                pc,
                reference.cpu[0].reg("scause"),
                reference.cpu[0].reg("stval"),
            )
        if right != got:
            what = next(name for name in right if right[name] != got[name])
            lines = tuple(
                _told(
                    guest, step, pc, (what, right[what], got[what]), trap, image
                )
            )
            return Parting(step, pc, what, right[what], got[what], trap, lines)
    return None


def _state(guest: Guest) -> dict[str, str]:
    """Return what a kernel can see of its vCPU, but time."""
    cpu = guest.cpu[0]
    found = {"pc": f"{cpu.pc:#x}", "mode": cpu.priv.value}
    found |= {name: f"{value:#x}" for name, value in cpu.registers.items()}
    return found | {name: f"{cpu.reg(name):#x}" for name in STATE}


def _trapped(before: dict[str, str], after: dict[str, str], pc: int) -> bool:
    entry = int(before["stvec"], 16)
    cause = int(after["scause"], 16)
    if entry & 1 and cause & _INTERRUPT:  # vectored
        entry += 4 * (cause & ~_INTERRUPT)
    return (
        after["sepc"] == f"{pc:#x}"
        and after["mode"] == "S"
        and int(after["pc"], 16) == entry & ~3
    )


def _told(
    guest: Guest,
    step: int,
    pc: int,
    differs: tuple[str, str, str],
    trap: Trap | None,
    image: bytes,
) -> Iterator[str]:
    what, right, got = differs
    yield f"step {step}, at {pc:#x}{where(image, pc)}: {what} is not the same"
    yield f"  expected  {right}"
    yield f"  got       {got}"
    if what == "pc" and got == f"{pc:#x}":
        yield "  the guest is still there: it was not done, and no trap taken"
    if trap is None:
        yield "  no trap has come before it"
        return
    when = "this step" if trap.step == step else f"step {trap.step}"
    yield (
        f"  the last trap: {when}, {cause_name(trap.cause)}, "
        f"at {trap.pc:#x}{where(image, trap.pc)}, stval {trap.value:#x}"
    )
    if trap.step == step and trap.cause in _ABOUT_MEMORY:
        yield "what the tables say:"
        yield walk(guest, trap.value, _ABOUT_MEMORY[trap.cause]).text


# ---- names and lines ---------------------------------------------------------


def where(image: bytes, pc: int) -> str:
    """Return `` (kernel.c:12 in trap)``, or as much of that as is known."""
    line, name = line_of(image, pc), function_of(image, pc)
    told = " in ".join(part for part in (line, name) if part)
    return f" ({told})" if told else ""


def function_of(image: bytes, pc: int) -> str:
    """Return the symbol that an address is behind; empty if there is none."""
    symbols = sorted((at, name) for name, at in read_symbols(image).items())
    index = bisect_right(symbols, (pc, "\uffff")) - 1
    if index < 0 or pc - symbols[index][0] > _FAR:
        return ""
    return symbols[index][1]


def line_of(image: bytes, pc: int) -> str:
    """Return file and line of an address, by DWARF; empty if not known."""
    rows = _rows(image)
    index = bisect_right(rows, (pc, "\uffff")) - 1
    return rows[index][1] if index >= 0 else ""


@cache
def _rows(image: bytes) -> list[tuple[int, str]]:
    """Return addresses from which on a line holds; "" ends a sequence."""
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 -- slow

    try:
        elf = ELFFile(BytesIO(image))
        if not elf.has_dwarf_info():
            return []
        info: Any = elf.get_dwarf_info()
        return sorted(
            row for unit in info.iter_CUs() for row in _unit(info, unit)
        )
    except Exception:  # noqa: BLE001 -- it helps people and decides nothing
        return []


def _unit(info: Any, unit: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401 -- pyelftools has no types
    program = info.line_program_for_CU(unit)
    if program is None:
        return
    files = program["file_entry"]
    first = 0 if program["version"] >= 5 else 1  # DWARF 5, 6.2.4
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        name = files[state.file - first].name.decode(errors="replace")
        line = (
            "" if state.end_sequence else f"{PurePath(name).name}:{state.line}"
        )
        yield int(state.address), line
