"""A hart and a computer, as a kernel sees them: on bare metal or in a VM.

The state is what a kernel can name: integer registers, pc, mode, the
supervisor's CSRs, memory. M-mode is not in it: what lies beneath a kernel (a
firmware, a hypervisor) shows only in what it does when it is called
(:mod:`hv.spec.sbi`, :mod:`hv.spec.hypercalls`) and in its timer.

>>> computer = Computer(memory=GuestMemory(first=0x80000, pages=1))
>>> hart = computer.harts[0]
>>> hart.set(1, -1)
>>> hart.set(0, 7)
>>> hex(hart.x[1]), hart.x[0]
('0xffffffff', 0)
"""

from collections import defaultdict
from collections.abc import MutableMapping
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from hv.spec.direct import Tables
from hv.spec.mmu import Board, Mode
from hv.spec.p2m import GuestMemory

WORD = 0xFFFF_FFFF


def signed(value: int, bits: int = 32) -> int:
    """Return the low bits of a value as a two's complement number.

    >>> signed(0xFFFF_FFFF), signed(0x80, 8), signed(0x7F, 8)
    (-1, -128, 127)
    """
    value &= (1 << bits) - 1
    return value - (value >> bits - 1 << bits)


class Trap(Exception):  # noqa: N818 - the architecture's word
    """The instruction does not complete: why, and what stval says."""

    def __init__(self, cause: int, tval: int = 0) -> None:
        super().__init__(cause, tval)
        self.cause = cause
        self.tval = tval


class Style(Enum):
    """What a computer's kernel is told of what lies beneath it."""

    NATIVE = "native"  # nothing: SBI calls, privileged instructions
    PV = "pv"  # all: hypercalls, traps by the shared page
    DIRECT = "direct"  # and its page tables are the machine's


class Devices(Protocol):
    """What answers on the bus beside RAM."""

    ranges: tuple[range, ...]

    def load(self, pa: int, size: int, /) -> int | None:
        """Return what a register says; None: it refuses."""

    def store(self, pa: int, size: int, value: int, /) -> bool:
        """Write a register; False: it refuses."""


class NoDevices:
    """A bus with RAM alone."""

    ranges: tuple[range, ...] = ()

    def load(self, pa: int, size: int) -> int | None:
        """Refuse."""
        return None

    def store(self, pa: int, size: int, value: int) -> bool:
        """Refuse."""
        return False


@dataclass
class Shared:
    """What a paravirtual kernel has told about one hart (abi/pv.h).

    :ivar info: its part of the shared-info page.
    :ivar entry: where its traps enter, and the stack for those of users.
    :ivar steal: where its steal time is told (SBI 16).
    :ivar kicked: a kick that no poll has seen.
    :ivar polls: it sleeps in a poll.
    """

    info: int | None = None
    entry: tuple[int, int] | None = None
    steal: int | None = None
    kicked: bool = False
    polls: bool = False


@dataclass
class Hart:
    """One hart.

    :ivar csr: the CSRs that are state, by number.
    :ivar reservation: the word that LR has reserved.
    :ivar waiting: it executed wfi, or a call that sleeps.
    :ivar timer: the time of its next timer interrupt.
    :ivar external: the line from the interrupt controller.
    :ivar asked: a software interrupt on its way from another hart.
    :ivar times: ticks that it ran, waited for a hart, slept, was off.
    """

    id: int = 0
    x: list[int] = field(default_factory=lambda: [0] * 32)
    pc: int = 0
    mode: Mode = Mode.SUPERVISOR
    csr: MutableMapping[int, int] = field(
        default_factory=lambda: defaultdict(int)
    )
    reservation: int | None = None
    waiting: bool = False
    stopped: bool = False
    cycle: int = 0
    retired: int = 0
    timer: int | None = None
    external: bool = False
    asked: bool = False
    times: tuple[int, int, int, int] = (0, 0, 0, 0)
    shared: Shared = field(default_factory=Shared)

    def set(self, register: int, value: int) -> None:
        """Write a register; x0 stays 0 (Unprivileged ISA, 2.1)."""
        if register:
            self.x[register] = value & WORD


@dataclass(frozen=True)
class Off:
    """How a computer was switched off."""

    code: int = 0
    reset: bool = False


@dataclass(kw_only=True)
class Computer:
    """All that a kernel can see of the computer it runs on.

    :ivar memory: RAM; pages in the balloon are not there.
    :ivar tables: of style ``direct``: which of its pages are tables.
    :ivar typed: console input that nobody has read.
    :ivar printed: console output.
    :ivar ended: it was switched off, or (a string) killed for this reason.
    :ivar time_div: cycles per tick of time.
    :ivar balloon_said: what its balloon driver said last.
    """

    memory: GuestMemory
    harts: list[Hart] = field(default_factory=lambda: [Hart()])
    style: Style = Style.NATIVE
    tables: Tables | None = None
    devices: Devices = field(default_factory=NoDevices, compare=False)
    typed: bytearray = field(default_factory=bytearray)
    printed: bytearray = field(default_factory=bytearray)
    ended: Off | str | None = None
    time_div: int = 1
    balloon_said: int = 0

    @property
    def board(self) -> Board:
        """What answers at a physical address."""
        return Board(ram=self.memory, devices=self.devices.ranges)

    def copy(self) -> "Computer":
        """Return the same state, for later: devices are not part of it."""
        return deepcopy(self, {id(self.devices): self.devices})

    def time(self, hart: Hart) -> int:
        """Return what ``time`` reads."""
        return hart.cycle // self.time_div

    def load(self, pa: int, size: int) -> int | None:
        """Load from a physical address; None: an access fault."""
        if pa in self.memory:
            return int.from_bytes(self.memory.bytes_at(pa, size), "little")
        return self.devices.load(pa, size)

    def store(self, pa: int, size: int, value: int) -> bool:
        """Store to a physical address; False: an access fault."""
        if pa not in self.memory:
            value &= (1 << 8 * size) - 1
            return self.devices.store(pa, size, value)
        value &= (1 << 8 * size) - 1
        self.put(pa, value.to_bytes(size, "little"))
        return True

    def put(self, pa: int, data: bytes) -> None:
        """Change RAM, by whoever's hand. Reservations of it are lost.

        (Unprivileged ISA, 13.2, demands that of other harts' stores; that a
        hart's own store counts as well is our choice.)
        """
        self.memory.write(pa, data)
        for hart in self.harts:
            word = hart.reservation
            if word is not None and pa < word + 4 and word < pa + len(data):
                hart.reservation = None
