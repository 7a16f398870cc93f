"""States of a computer, and what one instruction makes of them.

The words are those of Popek and Goldberg ("Formal Requirements for
Virtualizable Third Generation Architectures", CACM 17(7), 1974): a state is
memory, mode, program counter and relocation; an instruction that traps has
done nothing yet. Relocation is satp here, and a *resource* whatever else
belongs to the supervisor alone.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from hv.errors import UsageError
from hv.machine import Machine

_RAM, _SIZE = 0x80000000, 0x100000
_CODE, _DATA, _PROBE = 0x40000000, 0x40001000, 0x40002000  # virtual
# Behind the page of the code: what is on a place's other pages.
_DATA_AT, _OLD_AT, _NEW_AT, _ROOT_AT, _TABLE_AT = range(0x1000, 0x6000, 0x1000)
_V, _RWX, _U, _AD = 0x01, 0x0E, 0x10, 0xC0
NOP, _FENCE, _LOAD_A1 = 0x13, 0x12000073, 0x00052583  # lw a1, 0(a0)
_WORDS = (7, 77, 777, 7777)  # what the program finds in its memory
_UNTOUCHED = 0xFFFFFFFF  # no cause is this
_REGISTERS = ("ra", "a0", "a1", "a2")
_CSRS = ("satp", "sstatus", "sie", "stvec", "sscratch", "sepc")

SIE, SPIE, SPP, SUM, MXR = 1 << 1, 1 << 5, 1 << 8, 1 << 18, 1 << 19

#: What of a state belongs to the supervisor, besides the mode.
RESOURCES = ("place", "sstatus", "sie", "stvec", "sscratch", "sepc")


@dataclass(frozen=True, slots=True)
class State:
    """What a computer is in before the instruction.

    :ivar place: where in real memory the program and its data lie, 0 or 1;
        satp leads there, and the program sees the same at both.
    :ivar a0: the address of a word of the program's memory.
    :ivar a2: any value.
    """

    mode: str = "S"
    place: int = 0
    sstatus: int = 0
    sie: int = 0
    stvec: int = 0x40000800
    sscratch: int = 0
    sepc: int = 0x40000400
    a0: int = _DATA
    a2: int = 0


#: States to start from, of S-mode; they differ in everything.
STATES = (
    State(),
    State(
        place=1,
        sstatus=SPP | SIE,
        sie=0x202,
        stvec=0x40000C01,
        sscratch=0x1234,
        sepc=0x40000500,
        a0=_DATA + 4,
        a2=SUM | SPIE,
    ),
    State(
        sstatus=SPIE | SUM,
        sie=0x20,
        stvec=0x40000C00,
        sscratch=0xFFFFFFFF,
        sepc=0x40000604,
        a0=_DATA + 12,
        a2=0x80080201,
    ),
    State(
        place=1,
        sstatus=SPP | SPIE | SUM | MXR,
        sie=0x222,
        sscratch=0x55AA,
        sepc=0x40000700,
        a2=0x40000802,
    ),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a program knows: its own registers, pc and memory."""

    pc: int
    registers: tuple[int, ...]  #: ra, a0, a1, a2
    memory: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What is not the program's: the mode, and all resources.

    :ivar waiting: it sleeps until an interrupt comes.
    :ivar translation: ``old`` as long as the TLB has what a page table said
        before it was changed, then ``new``.
    """

    mode: str
    satp: int
    sstatus: int
    sie: int
    stvec: int
    sscratch: int
    sepc: int
    waiting: bool = False
    translation: Literal["old", "new"] = "old"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one instruction.

    :ivar trap: None, or the cause. What traps has done nothing: the rest is
        then None.
    """

    trap: int | None
    seen: Seen | None = None
    held: Held | None = None


def base(place: int) -> int:
    """Return where a place is: pages for tables, code, data, two probes."""
    return _RAM + _SIZE * (1 + place)


@cache
def execute(profile: str, word: int, state: State) -> Outcome:
    """Execute a word; the same computer and state give the same."""
    if state.mode not in ("U", "S") or state.place not in (0, 1):
        raise UsageError(f"no such state: {state}")
    board = _board(profile)
    board.prepare(state)
    outcome = board.execute(word)
    if outcome.held and outcome.held.waiting:
        _board.cache_clear()  # nothing wakes it up again
    return outcome


@cache
def _board(profile: str) -> "_Board":
    return _Board(profile)


class _Board:
    """The machine: two places with a program's pages, and their tables."""

    def __init__(self, profile: str) -> None:
        self._machine = Machine(ram="8MiB", engine="ref", profile=profile)
        self._machine.boot(_RAM, 0, 0)
        self._cpu = self._machine.cpu[0]
        self._mem = self._machine.mem
        self._place = 0
        for place in (0, 1):
            home = base(place)
            root = home + _ROOT_AT
            slot = root + 4 * (_CODE >> 22)
            self._mem.write32(slot, (home + _TABLE_AT) >> 2 | _V)
            self._mem.write32(home + _OLD_AT, 1)
            self._mem.write32(home + _NEW_AT, 2)
        self._mem.write32(_RAM, _FENCE)

    def prepare(self, state: State) -> None:
        """Put everything into this state, the TLB too."""
        cpu, mem = self._cpu, self._mem
        home = self._place = base(state.place)
        flags = _V | _RWX | _AD | (_U if state.mode == "U" else 0)
        for page, at in enumerate((home, home + _DATA_AT, home + _OLD_AT)):
            mem.write32(home + _TABLE_AT + 4 * page, at >> 2 | flags)
        mem.write(
            home + _DATA_AT, b"".join(w.to_bytes(4, "little") for w in _WORDS)
        )
        cpu.set_priv("S")
        cpu.set_reg("satp", 0)
        self._step(_RAM)  # the fence
        cpu.set_reg("satp", 1 << 31 | (home + _ROOT_AT) >> 12)
        cpu.set_reg("sstatus", 0)
        cpu.set_priv(state.mode)
        self._probe()
        mem.write32(home + _TABLE_AT + 8, (home + _NEW_AT) >> 2 | flags)
        for name in _CSRS[1:]:
            cpu.set_reg(name, getattr(state, name))
        for name in ("scause", "mcause"):
            cpu.set_reg(name, _UNTOUCHED)
        cpu.ra, cpu.a0, cpu.a1, cpu.a2 = 0, state.a0, 0, state.a2
        cpu.a7 = _UNTOUCHED  # no extension of the firmware, if it is asked
        cpu.set_priv(state.mode)

    def execute(self, word: int) -> Outcome:
        """Execute a word, and look at everything."""
        cpu = self._cpu
        before = cpu.reg("satp"), cpu.priv
        self._mem.write32(self._place, word)
        self._step(_CODE)
        for cause in (cpu.reg("scause"), cpu.reg("mcause")):
            if cause != _UNTOUCHED:
                return Outcome(cause)
        seen = Seen(
            cpu.pc,
            tuple(cpu.reg(name) for name in _REGISTERS),
            tuple(
                self._mem.read32(self._place + _DATA_AT + 4 * i)
                for i in range(len(_WORDS))
            ),
        )
        satp, sstatus, sie, stvec, sscratch, sepc = map(cpu.reg, _CSRS)
        held = Held(cpu.priv.value, satp, sstatus, sie, stvec, sscratch, sepc)
        cpu.set_reg("satp", before[0])
        cpu.set_reg("sstatus", 0)
        cpu.set_priv(before[1])
        found = self._probe()
        if found is None:
            return Outcome(None, seen, replace(held, waiting=True))
        return Outcome(
            None,
            seen,
            replace(held, translation="old" if found == 1 else "new"),
        )

    def _probe(self) -> int | None:
        """Load from the page of the probe; None if the machine sleeps."""
        self._mem.write32(self._place, _LOAD_A1)
        self._cpu.a0 = _PROBE
        try:
            self._step(_CODE)
        except UsageError:
            return None
        return self._cpu.a1

    def _step(self, pc: int) -> None:
        self._cpu.pc = pc
        self._machine.step()
