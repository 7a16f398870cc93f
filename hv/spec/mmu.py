"""Sv32: where an access goes, what it leaves behind, or how it fails.

A virtual address has three parts, and two tables turn it into a physical one::

    va:   31        22 21        12 11          0
         [  index 1   |  index 0   |   offset    ]

    satp's PPN --> table of level 1 --[index 1]--> entry --+
                                                           |
         a leaf (R or X): a megapage of 4 MiB <------------+
                                                           |
         a pointer: table of level 0 --[index 0]--> entry -+--> a page of 4 KiB

    entry: 31        20 19        10 9   8  7  6  5  4  3  2  1  0
          [   PPN[1]   |   PPN[0]   | RSW  |D |A |G |U |X |W |R |V ]

The rules are those of the RISC-V Privileged Specification (20240411), chapter
10.3.2. It is one ordered list: the first rule that applies decides.
:func:`translate` is that list, top to bottom.

>>> ram = Board(ram=range(0x8000_0000, 0x8001_0000))
>>> megapage = 0x8000_0000 >> 12 << 10 | Pte.V | Pte.R | Pte.A
>>> tables = {0x8000_1004: megapage}
>>> satp = 1 << 31 | 0x80001
>>> kernel = View(Mode.SUPERVISOR)
>>> hex(translate(tables, satp, 0x0040_0123, Access.LOAD, kernel, ram).pa)
'0x80000123'
>>> translate(tables, satp, 0x0040_0123, Access.STORE, kernel, ram)
PageFault(access=<Access.STORE: 'store'>)
"""

from collections.abc import Container
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from typing import Protocol, TypeAlias

PAGE_SIZE = 1 << 12
MEGAPAGE_SIZE = 1 << 22
ADDRESS_BITS = 32  # of a physical address; an entry could name 34
SV32 = 1 << 31  # satp.MODE


class Access(Enum):
    """What an access wants to do. An AMO is a store, and so is an SC."""

    FETCH = "fetch"
    LOAD = "load"
    STORE = "store"


class Mode(IntEnum):
    """Who makes it. Machine mode is not translated and is not here."""

    USER = 0
    SUPERVISOR = 1


class Pte(IntFlag):
    """The low bits of a page-table entry."""

    V = 1 << 0
    R = 1 << 1
    W = 1 << 2
    X = 1 << 3
    U = 1 << 4
    G = 1 << 5
    A = 1 << 6
    D = 1 << 7


NOTHING = Pte(0)


class Words(Protocol):
    """Words of RAM, by physical address: a dictionary will do."""

    def __getitem__(self, pa: int, /) -> int:
        """Return the word at an address."""


@dataclass(frozen=True, slots=True)
class View:
    """What beside the tables decides an access: the mode and two bits."""

    mode: Mode
    sum: bool = False  # sstatus.SUM: the kernel may touch user data
    mxr: bool = False  # sstatus.MXR: what can be executed can be read


@dataclass(frozen=True, slots=True)
class Board:
    """What answers on the bus, and the machine's choice about A and D.

    Code can be fetched from RAM only. A page with a device in any part of it
    exists for loads and stores; whether the device likes the access is
    another matter.
    """

    ram: Container[int]
    devices: tuple[range, ...] = ()
    ad_fault: bool = False  # A, D clear: page fault, not a hardware update

    def answers(self, pa: int, access: Access) -> bool:
        """Say whether there is anything in the page of ``pa``."""
        page = pa - pa % PAGE_SIZE
        if pa in self.ram:
            return True
        return access is not Access.FETCH and any(
            page <= device.start < page + PAGE_SIZE or page in device
            for device in self.devices
        )


@dataclass(frozen=True, slots=True)
class Translated:
    """The access may go on, at this physical address.

    Before it does, the hardware sets the bits ``sets`` in the entry at
    ``slot``. Without translation there is no entry.
    """

    pa: int
    slot: int | None = None
    sets: Pte = NOTHING


@dataclass(frozen=True, slots=True)
class PageFault:
    """The tables say no: scause 12, 13 or 15. Nothing has changed."""

    access: Access

    @property
    def cause(self) -> int:
        """What scause says."""
        return {Access.FETCH: 12, Access.LOAD: 13, Access.STORE: 15}[
            self.access
        ]


@dataclass(frozen=True, slots=True)
class AccessFault:
    """They name memory that is not there: scause 1, 5 or 7."""

    access: Access

    @property
    def cause(self) -> int:
        """What scause says."""
        return {Access.FETCH: 1, Access.LOAD: 5, Access.STORE: 7}[self.access]


Outcome: TypeAlias = Translated | PageFault | AccessFault


def page_number(pte: int) -> int:
    """Return the PPN of an entry: 22 bits."""
    return pte >> 10


def slot_of(table: int, va: int, level: int) -> int:
    """Return the address of the entry for ``va`` in a table (given by PPN)."""
    return table * PAGE_SIZE + 4 * (va >> 12 + 10 * level & 0x3FF)


def is_pointer(pte: int) -> bool:
    """Say whether an entry points to another table (if it is valid at all)."""
    return bool(pte & Pte.V) and not pte & (Pte.R | Pte.W | Pte.X)


def permits(pte: int, access: Access, view: View) -> bool:
    """Say whether a leaf gives this view the right to this access."""
    for_user = bool(pte & Pte.U)
    if view.mode is Mode.USER and not for_user:
        return False
    # SUM lets the kernel's data accesses through, never its fetches.
    through = view.sum and access is not Access.FETCH
    if view.mode is Mode.SUPERVISOR and for_user and not through:
        return False
    match access:
        case Access.FETCH:
            return bool(pte & Pte.X)
        case Access.LOAD:
            return bool(pte & Pte.R) or (view.mxr and bool(pte & Pte.X))
        case Access.STORE:
            return bool(pte & Pte.W)


def missing(pte: int, access: Access) -> Pte:
    """Return those of A and D that this access needs and the leaf lacks."""
    needed = Pte.A | Pte.D if access is Access.STORE else Pte.A
    return needed & ~Pte(pte & 0xFF)


def translate(  # noqa: PLR0911 - one return for each rule
    memory: Words,
    satp: int,
    va: int,
    access: Access,
    view: View,
    board: Board,
) -> Outcome:
    """Do what the hardware does for one access, alignment aside.

    :param memory: the words of RAM, by physical address; only the words of
        page tables are looked at.
    """
    if not satp & SV32:
        if board.answers(va, access):
            return Translated(va)
        return AccessFault(access)
    table = satp & 0x3F_FFFF
    for level in (1, 0):
        # A table that is not in RAM, or beyond what an address can name.
        slot = slot_of(table, va, level)
        if slot not in board.ram:
            return AccessFault(access)
        pte = memory[slot]
        # Not valid; or writable but not readable, which is reserved.
        if not pte & Pte.V or pte & (Pte.R | Pte.W) == Pte.W:
            return PageFault(access)
        if pte & (Pte.R | Pte.X):
            return _leaf(pte, slot, level, va, access, view, board)
        # A pointer. The specification reserves D, A and U in one "for future
        # standard use": software shall clear them. Our choice: page fault.
        if pte & (Pte.D | Pte.A | Pte.U):
            return PageFault(access)
        table = page_number(pte)
    return PageFault(access)  # a pointer at level 0, where no table follows


def _leaf(
    pte: int,
    slot: int,
    level: int,
    va: int,
    access: Access,
    view: View,
    board: Board,
) -> Outcome:
    """Apply the rules for a leaf: rights first, the address last."""
    if not permits(pte, access, view):
        return PageFault(access)
    page = page_number(pte)
    if level == 1:
        if page % 1024:
            return PageFault(access)  # a megapage must be aligned
        page += va >> 12 & 0x3FF
    if board.ad_fault and missing(pte, access):
        return PageFault(access)
    pa = page * PAGE_SIZE + va % PAGE_SIZE
    # Our choice: more than 32 bits, or nothing there, is an access fault and
    # leaves A and D alone.
    if pa >> ADDRESS_BITS or not board.answers(pa, access):
        return AccessFault(access)
    return Translated(pa, slot, missing(pte, access))
