"""Sv32, step by step: each entry that a walk reads, and why it stops.

The rules are those of :mod:`hv.spec.mmu`, whose single questions are asked
here; what is added is the story.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hv.facts import Access
from hv.spec import mmu
from hv.spec.mmu import SV32, Board, Mode, Pte, View

SUM, MXR = 1 << 18, 1 << 19  # of sstatus

# A word of memory by its address; None where no memory is.
Read = Callable[[int], int | None]

_PAGE_FAULT = {Access.FETCH: 12, Access.LOAD: 13, Access.STORE: 15}
_ACCESS_FAULT = {Access.FETCH: 1, Access.LOAD: 5, Access.STORE: 7}
_NEEDS = {Access.FETCH: Pte.X, Access.LOAD: Pte.R, Access.STORE: Pte.W}

RIGHTS = Pte.R | Pte.W | Pte.X


def letters(value: int, which: str = "VRWXUGAD") -> str:
    """Return the low bits of an entry as letters, those that are clear as dots.

    >>> letters(0xCF), letters(0x1B, "RWXU")
    ('VRWX..AD', 'R.XU')
    """
    return "".join(name if value & Pte[name] else "." for name in which)


@dataclass(frozen=True, slots=True)
class Entry:
    """A page-table entry that a walk has read.

    :param level: of the table it is in: 1 is the root.
    :param address: where it lies, in the memory that the walker reads.
    :param value: what it is; None where no memory is.
    :param table: what is to be said of the table that it is in.
    """

    level: int
    index: int
    address: int
    value: int | None
    table: str = ""

    @property
    def bits(self) -> str:
        """V R W X U G A D, a dot for each that is clear."""
        return letters(self.value or 0)

    @property
    def frame(self) -> int:
        """The page number in it: 22 bits."""
        return mmu.page_number(self.value or 0)

    @property
    def leaf(self) -> bool:
        """Whether it maps memory."""
        value = self.value or 0
        return bool(value & Pte.V and value & (Pte.R | Pte.X))

    @property
    def pointer(self) -> bool:
        """Whether it leads to another table."""
        return mmu.is_pointer(self.value or 0)

    def to_json(self) -> dict[str, object]:
        """Return everything, as what ``json.dumps`` takes."""
        return {
            "level": self.level,
            "index": self.index,
            "address": self.address,
            "value": self.value,
            "bits": self.bits,
            "table": self.table,
        }


@dataclass(frozen=True, slots=True)
class Lookup:
    """One address through one set of tables.

    :param entries: what was read, the root's first; none if untranslated.
    :param result: the translated address, or None.
    :param cause: what scause would say if there is no result.
    :param why: why there is none, in a few words.
    :param sets: those of A and D that the access would set.
    """

    entries: tuple[Entry, ...] = ()
    result: int | None = None
    cause: int | None = None
    why: str = ""
    sets: Pte = mmu.NOTHING

    def to_json(self) -> dict[str, object]:
        """Return everything, as what ``json.dumps`` takes."""
        return {
            "entries": [entry.to_json() for entry in self.entries],
            "result": self.result,
            "cause": self.cause,
            "why": self.why,
            "sets": [bit.name for bit in Pte if bit & self.sets],
        }


def look_up(
    read: Read, satp: int, va: int, access: Access, view: View, board: Board
) -> Lookup:
    """Walk tables for one access, as the machine would.

    :param read: the memory in which the tables lie.
    :param satp: MODE and PPN are looked at.
    """
    if not satp & SV32:
        return _placed(Lookup(), va, access, board)
    table = satp & 0x3F_FFFF
    done: tuple[Entry, ...] = ()
    for level in (1, 0):
        address = mmu.slot_of(table, va, level)
        index = va >> 12 + 10 * level & 0x3FF
        entry = Entry(level, index, address, read(address))
        done = (*done, entry)
        if entry.value is None:
            why = f"no memory at {address:08x}, where the table should be"
            return Lookup(done, None, _ACCESS_FAULT[access], why)
        if why := _unusable(entry):
            return Lookup(done, None, _PAGE_FAULT[access], why)
        if entry.leaf:
            return _leaf(Lookup(done), va, access, view, board)
        table = entry.frame
    raise AssertionError("a pointer at level 0 is unusable")


def _unusable(entry: Entry) -> str:
    """Return what is wrong with an entry, whoever reads it."""
    value = entry.value or 0
    if not value & Pte.V:
        return "V is clear"
    if value & (Pte.R | Pte.W) == Pte.W:
        return "W without R is reserved"
    if entry.leaf:
        return ""
    if entry.level == 0:
        return "a pointer at level 0, where no table follows"
    if value & (Pte.D | Pte.A | Pte.U):
        return "D, A or U in a pointer is reserved"
    return ""


def _leaf(
    found: Lookup, va: int, access: Access, view: View, board: Board
) -> Lookup:
    """Apply the rules for a leaf: rights first, the address last."""
    entry = found.entries[-1]
    pte = entry.value or 0
    asked = mmu.Access(access.value)
    refused = _PAGE_FAULT[access]
    if not mmu.permits(pte, asked, view):
        why = _forbidden(pte, access, view)
        return replace(found, cause=refused, why=why)
    page = entry.frame
    if entry.level == 1:
        if page % 1024:
            why = "a megapage must be aligned to 4 MiB"
            return replace(found, cause=refused, why=why)
        page += va >> 12 & 0x3FF
    sets = mmu.missing(pte, asked)
    if board.ad_fault and sets:
        why = f"{' and '.join(b.name or '' for b in Pte if b & sets)} clear"
        return replace(found, cause=refused, why=why)
    there = _placed(found, page << 12 | va & 0xFFF, access, board)
    return there if there.result is None else replace(there, sets=sets)


def _forbidden(pte: int, access: Access, view: View) -> str:
    """Return which right is missing."""
    user = bool(pte & Pte.U)
    if view.mode is Mode.USER and not user:
        return "U is clear: not for user mode"
    if view.mode is Mode.SUPERVISOR and user and access is Access.FETCH:
        return "U is set: the kernel may not execute it"
    if view.mode is Mode.SUPERVISOR and user and not view.sum:
        return "U is set, and SUM is clear: not for the kernel"
    return f"{_NEEDS[access].name} is clear: no {access}"


def _placed(found: Lookup, pa: int, access: Access, board: Board) -> Lookup:
    """End at a physical address, if something answers there."""
    if pa >> 32 or not board.answers(pa, mmu.Access(access.value)):
        why = f"nothing answers a {access} at {pa:08x}"
        return replace(found, cause=_ACCESS_FAULT[access], why=why)
    return replace(found, result=pa)
