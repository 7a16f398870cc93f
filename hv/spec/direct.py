"""Page tables that the machine walks although a guest wrote them.

Under the style ``direct`` a guest's own tables are in force, as those of Xen's
paravirtual guests. They hold machine frame numbers, and the hypervisor sees to
it that they name nothing but the guest's own memory and are never writable to
it. The idea is that of *types*: a page is a table or it is not, and

- it becomes one by :meth:`Tables.pin`, if nobody can write it and every entry
  in it is valid;
- it stays one while it is pinned, or in use as a root;
- what is in it changes by :meth:`Tables.update` alone.

The C core counts uses and references, and changes them as it goes. Nothing is
counted here: whenever a question comes up it is answered by looking at every
table. What a call may answer, in which order its mistakes are looked for, and
what has changed afterwards, is what the methods below say.

>>> vm = Tables(frames={0x80100 + i: 0x80000 + i for i in range(4)})
>>> vm.pin(0x8000_1000, 0)
<Answer.SUCCESS: 0>
>>> vm.write(0x8000_1000, 42)  # by the guest itself, or for it
False
>>> own = 0x80101 << 10 | 0x17  # V, R, W and U for that very table
>>> vm.update([(0x8000_1000, own)])
<Answer.INVALID_PARAM: -3>
>>> vm.update([(0x8000_1000, own & ~0x4)])
<Answer.SUCCESS: 0>
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from hv.spec.mmu import PAGE_SIZE, Access, Pte

ENTRIES = PAGE_SIZE // 4
LEAF, ROOT = 0, 1  # levels
MAX_UPDATES = 64

_POINTER = Pte.R | Pte.W | Pte.X | Pte.U | Pte.G | Pte.A | Pte.D
_NEEDS = {
    Access.FETCH: Pte.X,
    Access.LOAD: Pte.R,
    Access.STORE: Pte.W,
}


class Answer(IntEnum):
    """What a call answers: of SBI's errors, those that occur here."""

    SUCCESS = 0
    INVALID_PARAM = -3
    DENIED = -4
    INVALID_ADDRESS = -5


@dataclass
class Tables:
    """One VM's memory, and what the hypervisor knows of it.

    :ivar frames: the machine frame of each of its pages, by frame.
    :ivar memory: the words of each page, by offset; what is not there is 0.
    :ivar pinned: pages that its guest made tables, and their levels.
    :ivar loaded: the roots (kernel's, user's) that each vCPU runs on.
    :ivar held: pages that the hypervisor itself writes, one for each reason.
    """

    frames: dict[int, int]
    memory: dict[int, dict[int, int]] = field(default_factory=dict)
    pinned: dict[int, int] = field(default_factory=dict)
    loaded: dict[int, tuple[int, int]] = field(default_factory=dict)
    held: list[int] = field(default_factory=list)

    def read(self, gpa: int) -> int:
        """Return a word of memory."""
        return self.memory.get(gpa // PAGE_SIZE, {}).get(gpa % PAGE_SIZE, 0)

    def _store(self, gpa: int, word: int) -> None:
        page = self.memory.setdefault(gpa // PAGE_SIZE, {})
        page[gpa % PAGE_SIZE] = word

    # What is what ------------------------------------------------------------

    def level(self, page: int) -> int | None:
        """Say what a page is: ``ROOT``, ``LEAF``, or no table (None)."""
        if page in self.pinned:
            return self.pinned[page]
        if any(page in roots for roots in self.loaded.values()):
            return ROOT
        return None

    def tables(self) -> list[int]:
        """Return every page that is a table."""
        return [p for p in self.frames.values() if self.level(p) is not None]

    def entries(self, page: int) -> Iterator[int]:
        """Return what stands in a page, seen as a table, where there is V."""
        words = self.memory.get(page, {}).values()
        yield from (word for word in words if word & Pte.V)

    def writers(self, page: int) -> int:
        """Count who can write a page: mappings, and the hypervisor."""
        return self.held.count(page) + sum(
            bool(entry & Pte.W) and self.frames[entry >> 10] == page
            for table in self.tables()
            if self.level(table) == LEAF
            for entry in self.entries(table)
        )

    def references(self, page: int) -> int:
        """Count everything that can reach a page, its VM itself among them."""
        named = sum(
            self.frames[entry >> 10] == page
            for table in self.tables()
            for entry in self.entries(table)
        )
        loads = sum(roots.count(page) for roots in self.loaded.values())
        pins = int(page in self.pinned)
        return 1 + named + loads + pins + self.held.count(page)

    def uses(self, page: int) -> int:
        """Count those among them that rely on what it is."""
        if self.level(page) is None:
            return self.writers(page)
        return self.references(page) - 1 - self._readers(page)

    def _readers(self, page: int) -> int:
        """Count mappings of a table that can only read it."""
        return sum(
            self.frames[entry >> 10] == page
            for table in self.tables()
            if self.level(table) == LEAF
            for entry in self.entries(table)
        )

    # What may be -------------------------------------------------------------

    def valid(self, level: int, entry: int, itself: int | None = None) -> bool:
        """Say whether an entry may stand in a table of this level.

        :param itself: a page that is about to become a table.
        """
        if not entry & Pte.V:
            return True
        page = self.frames.get(entry >> 10)
        if page is None:  # no frame, or somebody else's
            return False
        if level == ROOT:
            return not entry & _POINTER and self.level(page) == LEAF
        if not entry & Pte.U or entry & Pte.G or not entry & (Pte.R | Pte.X):
            return False
        if not entry & Pte.W:
            return True
        table = self.level(page) is not None or page == itself
        return bool(entry & Pte.R) and not table

    def ram(self, gpa: int, size: int) -> bool:
        """Say whether a range lies in the VM's memory."""
        pages = self.frames.values()
        start, end = min(pages) * PAGE_SIZE, (max(pages) + 1) * PAGE_SIZE
        return start <= gpa and gpa + size <= end

    def writable(self, gpa: int, size: int) -> bool:
        """Say whether a range can be written, by or for the guest."""
        last = (gpa + max(size, 1) - 1) // PAGE_SIZE
        return self.ram(gpa, size) and all(
            self.level(page) is None
            for page in range(gpa // PAGE_SIZE, last + 1)
        )

    def write(self, gpa: int, word: int) -> bool:
        """Store a word outside tables; False: refused, nothing changed."""
        if not self.writable(gpa, 4):
            return False
        self._store(gpa, word)
        return True

    # Calls -------------------------------------------------------------------

    def pin(self, gpa: int, level: int) -> Answer:
        """Make a page a table."""
        page = gpa // PAGE_SIZE
        if level not in (LEAF, ROOT) or gpa % PAGE_SIZE:
            return Answer.INVALID_PARAM
        if not self.ram(gpa, PAGE_SIZE):
            return Answer.INVALID_ADDRESS
        if self.level(page) is not None or self.writers(page):
            return Answer.DENIED
        if not all(self.valid(level, e, page) for e in self.entries(page)):
            return Answer.INVALID_PARAM
        self.pinned[page] = level
        return Answer.SUCCESS

    def unpin(self, gpa: int) -> Answer:
        """Let a table be a page again, as soon as nobody uses it."""
        page = gpa // PAGE_SIZE
        if gpa % PAGE_SIZE:
            return Answer.INVALID_PARAM
        if not self.ram(gpa, PAGE_SIZE):
            return Answer.INVALID_ADDRESS
        if page not in self.pinned:
            return Answer.INVALID_PARAM
        if self.pinned[page] == LEAF and self.uses(page) > 1:
            return Answer.DENIED  # some root still points to it
        del self.pinned[page]
        return Answer.SUCCESS

    def set_roots(self, vcpu: int, kernel: int, user: int) -> Answer:
        """Let a vCPU run on two roots; on none, if both are 0."""
        roots = (kernel, user)
        if not any(roots):
            self.loaded.pop(vcpu, None)
            return Answer.SUCCESS
        for gpa in roots:
            if (
                gpa % PAGE_SIZE
                or not self.ram(gpa, PAGE_SIZE)
                or self.level(gpa // PAGE_SIZE) != ROOT
            ):
                return Answer.INVALID_ADDRESS
        self.loaded[vcpu] = (kernel // PAGE_SIZE, user // PAGE_SIZE)
        return Answer.SUCCESS

    def update(self, updates: Sequence[tuple[int, int]]) -> Answer:
        """Store entries (slot, value) in tables: all, or none."""
        if not 1 <= len(updates) <= MAX_UPDATES:
            return Answer.INVALID_PARAM
        for slot, _ in updates:
            if slot % 4:
                return Answer.INVALID_PARAM
            if not self.ram(slot, 4):
                return Answer.INVALID_ADDRESS
        for slot, entry in updates:
            level = self.level(slot // PAGE_SIZE)
            if level is None:
                return Answer.DENIED
            if not self.valid(level, entry):
                return Answer.INVALID_PARAM
        for slot, entry in updates:
            self._store(slot, entry)
        return Answer.SUCCESS

    # Accesses ----------------------------------------------------------------

    def access(
        self, vcpu: int, va: int, access: Access, *, user: bool
    ) -> int | None:
        """Return where an access of a vCPU goes; None: a page fault.

        The machine sets A, and D for a store, in the entry itself. Without
        roots an address is physical; there, only stores into tables fault.
        """
        if vcpu not in self.loaded:
            stores = access is Access.STORE and not self.writable(va, 1)
            return None if stores else va
        root = self.loaded[vcpu][int(user)]
        link = self.read(root * PAGE_SIZE + (va >> 22) * 4)
        if not link & Pte.V:
            return None
        table = self.frames[link >> 10]
        slot = table * PAGE_SIZE + (va >> 12) % ENTRIES * 4
        entry = self.read(slot)
        if not entry & Pte.V or not entry & _NEEDS[access]:
            return None
        dirty = Pte.D if access is Access.STORE else Pte(0)
        self._store(slot, entry | Pte.A | dirty)
        return self.frames[entry >> 10] * PAGE_SIZE + va % PAGE_SIZE
