"""Extension H: where a guest's access goes, through two stages of Sv32.

What the guest calls a physical address is one more virtual address. Its own
tables (``vsatp``) lead from gva to gpa, the hypervisor's (``hgatp``) from gpa
to the machine's memory; and the guest's tables are themselves at gpas::

    gva --- first stage ---> gpa --- second stage ---> pa
              |     ^
              v     |  each entry is read through the second stage
             gpa of an entry ---> pa of that entry

The rules are those of the RISC-V Privileged Specification (20240411), section
18.5. The second stage, Sv32x4, is Sv32 but for two things: a guest-physical
address has 34 bits, so its root has 4096 entries; and every access counts as
made in user mode. :func:`translate` says what one access does, and how many
entries are read on the way.

>>> tables = {0x8000_4800: 0}  # where gpa 80000000 would be
>>> guest = Guest(vsatp=1 << 31 | 0x80001, hgatp=1 << 31 | 0x80004)
>>> ram = Board(ram=range(0x8000_0000, 0x8001_0000))
>>> user = View(Mode.USER)
>>> result = translate(tables, guest, 0x1234, Access.LOAD, user, ram)
>>> result.outcome.gpa == 0x8000_1000, result.outcome.walk, result.refs
(True, True, 1)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from hv.spec.mmu import (
    ADDRESS_BITS,
    PAGE_SIZE,
    SV32,
    Access,
    AccessFault,
    Board,
    Mode,
    PageFault,
    Pte,
    View,
    missing,
    page_number,
    permits,
)

POINTER_MUST_NOT = Pte.D | Pte.A | Pte.U  # our choice, as in one stage


@dataclass(frozen=True, slots=True)
class Guest:
    """What beside the view decides a guest's access.

    :ivar mxr_all: sstatus.MXR of the hypervisor, which holds for both stages;
        the guest's own is in the view and holds for the first.
    """

    vsatp: int
    hgatp: int
    mxr_all: bool = False


@dataclass(frozen=True, slots=True)
class GuestPageFault:
    """The second stage says no: cause 20, 21 or 23, for the hypervisor.

    :ivar gpa: where it says no: the page wanted, or an entry of the guest's
        tables.
    :ivar walk: it is such an entry: about to be read, or, with ``write``, to
        get its A or D set.
    """

    access: Access
    gpa: int
    walk: bool = False
    write: bool = False

    @property
    def cause(self) -> int:
        """What scause or mcause says."""
        return {Access.FETCH: 20, Access.LOAD: 21, Access.STORE: 23}[
            self.access
        ]

    @property
    def tinst(self) -> int:
        """What htinst or mtinst says."""
        return 0x2000 | 0x20 * self.write if self.walk else 0


@dataclass(frozen=True, slots=True)
class Reached:
    """The access may go on, at this physical address."""

    pa: int


Outcome: TypeAlias = Reached | PageFault | AccessFault | GuestPageFault


@dataclass(frozen=True, slots=True)
class Result:
    """What happened.

    :ivar refs: entries read, of both stages.
    :ivar sets: (slot, bits) of the entries in which the hardware sets A or D,
        in order. After a fault these are the pages of the guest's tables that
        were read before it.
    """

    outcome: Outcome
    refs: int
    sets: tuple[tuple[int, Pte], ...]


class _Stop(Exception):  # noqa: N818 - the walk is over, not wrong
    """Ends a walk with this outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


@dataclass(slots=True)
class _Leaf:
    """Where the second stage leads, and the entry that says so, if any."""

    pa: int
    slot: int = 0
    pte: int = 0xFF


@dataclass(slots=True)
class _Walk:
    memory: Mapping[int, int]
    guest: Guest
    access: Access
    view: View
    board: Board
    refs: int = 0
    sets: list[tuple[int, Pte]] = field(default_factory=list)

    def mark(self, slot: int, bits: Pte) -> None:
        if bits:
            self.sets.append((slot, bits))

    def read(self, pa: int) -> int:
        """Read an entry, which must be in RAM."""
        if pa not in self.board.ram:
            raise _Stop(AccessFault(self.access))
        self.refs += 1
        return self.memory[pa]

    def second(
        self, gpa: int, access: Access, refusal: GuestPageFault
    ) -> _Leaf:
        """Translate gpa for an access of this kind, or stop."""
        if not self.guest.hgatp & SV32:
            return self.there(_Leaf(gpa), access)
        table = self.guest.hgatp & 0x3F_FFFC
        mode = View(Mode.USER, mxr=self.guest.mxr_all)
        for level, index in ((1, gpa >> 22), (0, gpa >> 12 & 0x3FF)):
            slot = table * PAGE_SIZE + 4 * index
            pte = self.read(slot)
            if not pte & Pte.V or pte & (Pte.R | Pte.W) == Pte.W:
                raise _Stop(refusal)
            if not pte & (Pte.R | Pte.X):
                if pte & POINTER_MUST_NOT:
                    raise _Stop(refusal)
                table = page_number(pte)
                continue
            size = PAGE_SIZE << 10 * level
            base = page_number(pte) * PAGE_SIZE
            lacks = missing(pte, access)
            if not permits(pte, access, mode) or base % size:
                raise _Stop(refusal)
            if self.board.ad_fault and lacks:
                raise _Stop(refusal)
            return self.there(_Leaf(base + gpa % size, slot, pte), access)
        raise _Stop(refusal)  # a pointer at level 0

    def there(self, leaf: _Leaf, access: Access) -> _Leaf:
        """Stop unless something answers."""
        beyond = leaf.pa >> ADDRESS_BITS
        if beyond or not self.board.answers(leaf.pa, access):
            raise _Stop(AccessFault(self.access))
        return leaf

    def page(self, gpa: int) -> Reached:
        """Reach what the guest wants."""
        leaf = self.second(gpa, self.access, GuestPageFault(self.access, gpa))
        self.mark(leaf.slot, missing(leaf.pte, self.access))
        return Reached(leaf.pa)

    def first(self, va: int) -> Reached:
        """Walk the guest's own tables."""
        table = self.guest.vsatp & 0x3F_FFFF
        for level in (1, 0):
            slot = table * PAGE_SIZE + 4 * (va >> 12 + 10 * level & 0x3FF)
            way = self.second(
                slot,
                Access.LOAD,
                GuestPageFault(self.access, slot, walk=True),
            )
            pte = self.read(way.pa)
            self.mark(way.slot, missing(way.pte, Access.LOAD))
            if not pte & Pte.V or pte & (Pte.R | Pte.W) == Pte.W:
                break
            if pte & (Pte.R | Pte.X):
                return self.leaf(pte, PAGE_SIZE << 10 * level, va, slot, way)
            if pte & POINTER_MUST_NOT:
                break
            table = page_number(pte)
        raise _Stop(PageFault(self.access))

    def leaf(
        self, pte: int, size: int, va: int, slot: int, way: _Leaf
    ) -> Reached:
        """Apply a leaf of the first stage; ``way`` is how it was read."""
        base = page_number(pte) * PAGE_SIZE
        lacks = missing(pte, self.access)
        if not permits(pte, self.access, self.view) or base % size:
            raise _Stop(PageFault(self.access))
        if self.board.ad_fault and lacks:
            raise _Stop(PageFault(self.access))
        before = len(self.sets)
        reached = self.page(base + va % size)
        if lacks:
            # The hardware writes to the guest's table in the guest's name.
            if not way.pte & Pte.W:
                del self.sets[before:]
                raise _Stop(
                    GuestPageFault(self.access, slot, walk=True, write=True)
                )
            self.mark(way.slot, missing(way.pte, Access.STORE))
            self.mark(way.pa, lacks)
        return reached


def translate(
    memory: Mapping[int, int],
    guest: Guest,
    va: int,
    access: Access,
    view: View,
    board: Board,
) -> Result:
    """Do what the hardware does for one access with V = 1, alignment aside.

    :param memory: the words of RAM, by physical address; only the words of
        page tables are looked at.
    :param view: the guest's mode and the bits of its vsstatus; MXR also if
        the hypervisor's is set.
    """
    walk = _Walk(memory, guest, access, view, board)
    try:
        outcome: Outcome = (
            walk.first(va) if guest.vsatp & SV32 else walk.page(va)
        )
    except _Stop as stop:
        outcome = stop.outcome
    return Result(outcome, walk.refs, tuple(walk.sets))
