"""Between two fences: the old translation or the new one.

A machine may keep what it has read of the tables (in a TLB, or a hypervisor
in its shadow tables) until software executes ``sfence.vma``. So after a store
to a table, and before the fence, an access has not one right outcome but a
set: what :func:`hv.spec.mmu.translate` gives for *some* value that each entry
of the walk has had since the last fence that covers the address.

What a fence covers (Privileged Specification, 10.2.1):

- ``sfence.vma x0``: everything;
- ``sfence.vma rs1``: leaf entries of that address, and no pointer to a table.
  A megapage is one leaf: any address in it names it.

A write of satp fences nothing: translations read through the former root may
still be used. (With address-space identifiers this would be so only within
one; TRV32 has none by default.) A change of mode, SUM or MXR needs no fence.

>>> ram = Board(ram=range(0x8000_0000, 0x8001_0000))
>>> old, new = (0x80000 << 10 | rights for rights in (Pte.V | 0x42, Pte.V))
>>> history = History(ram, {0x8000_1004: old}, satp=1 << 31 | 0x80001)
>>> history.write(0x8000_1004, new)
>>> kernel = View(Mode.SUPERVISOR)
>>> sorted(type(o).__name__ for o in
...        history.allowed(0x40_0000, Access.LOAD, kernel))
['PageFault', 'Translated']
>>> history.fence(0x7F_F000)  # another page of the same megapage
>>> history.allowed(0x40_0000, Access.LOAD, kernel)
{PageFault(access=<Access.LOAD: 'load'>)}
"""

from collections.abc import Iterator, MutableMapping

from hv.spec.mmu import (
    MEGAPAGE_SIZE,
    PAGE_SIZE,
    SV32,
    Access,
    Board,
    Mode,
    Outcome,
    Pte,
    View,
    is_pointer,
    page_number,
    slot_of,
    translate,
)

__all__ = ["Access", "Board", "History", "Mode", "Pte", "View"]


class History:
    """Memory and satp, now and as they were since the last fences.

    :param memory: words of RAM by physical address, now. Changed by
        :meth:`write`.
    """

    def __init__(
        self, board: Board, memory: MutableMapping[int, int], satp: int
    ) -> None:
        self.board = board
        self.memory = memory
        self.satp = satp
        # Each change and each fence gets the next number. An old value counts
        # for those whose last fence came before it was overwritten.
        self._now = 0
        self._old_words: dict[int, list[tuple[int, int]]] = {}
        self._old_satps: list[tuple[int, int]] = []
        self._fenced_all = 0
        self._fenced_page: dict[int, int] = {}
        self._fenced_megapage: dict[int, int] = {}

    def write(self, slot: int, value: int) -> None:
        """Change a word of memory, by whoever's hand."""
        self._now += 1
        old = self.memory.get(slot, 0)
        self._old_words.setdefault(slot, []).append((self._now, old))
        self.memory[slot] = value

    def set_satp(self, satp: int) -> None:
        """Write satp, as software does."""
        self._now += 1
        self._old_satps.append((self._now, self.satp))
        self.satp = satp

    def fence(self, va: int | None = None) -> None:
        """Execute sfence.vma, for one address or for all."""
        self._now += 1
        if va is None:
            self._fenced_all = self._now
            self._old_words.clear()
            self._old_satps.clear()
            self._fenced_page.clear()
            self._fenced_megapage.clear()
        else:
            self._fenced_page[va // PAGE_SIZE] = self._now
            self._fenced_megapage[va // MEGAPAGE_SIZE] = self._now

    def allowed(self, va: int, access: Access, view: View) -> set[Outcome]:
        """Return every outcome that the architecture permits now."""
        return {
            translate(memory, satp, va, access, view, self.board)
            for satp, memory in self._walks(va)
        }

    def _walks(self, va: int) -> Iterator[tuple[int, dict[int, int]]]:
        """Yield every root and pair of entries that a walk might use."""
        if not self.satp & SV32:
            yield self.satp, {}
            return
        page = max(self._fenced_all, self._fenced_page.get(va // PAGE_SIZE, 0))
        megapage = max(
            self._fenced_all, self._fenced_megapage.get(va // MEGAPAGE_SIZE, 0)
        )
        roots = {self.satp}
        roots |= {satp for _, satp in self._old_satps if satp & SV32}
        for satp in roots:
            slot = slot_of(satp & 0x3F_FFFF, va, 1)
            for pte in self._values(slot, self._fenced_all):
                if is_pointer(pte):
                    below = slot_of(page_number(pte), va, 0)
                    for leaf in self._values(below, page):
                        yield satp, {slot: pte, below: leaf}
                elif pte in self._values(slot, megapage):
                    yield satp, {slot: pte}

    def _values(self, slot: int, fenced: int) -> set[int]:
        """Return what a word says, and has said since that fence."""
        old = self._old_words.get(slot, ())
        return {self.memory.get(slot, 0)} | {
            value for until, value in old if until > fenced
        }
