"""Random programs for the guest of world.py: calls, stores and accesses.

Half of what they try is meant to fail. Operands name live tables, pages that
have just stopped being one, other people's frames, and the edges of memory.
"""

from collections.abc import Callable
from random import Random

from hv.abi import Hypercall
from hv.spec import Access, Answer, Pte
from tests.direct.world import (
    CODE,
    FIRST,
    KERNEL,
    LEAF,
    LIST,
    LOAD,
    MARK,
    PAGE,
    PAGES,
    RAM,
    USER,
    Fetch,
    World,
    entry,
)

VALID = Pte.V | Pte.U  # A and D say that the machine was there
RIGHTS = (Pte.R, Pte.R | Pte.W, Pte.R | Pte.X, Pte.X, Pte.R | Pte.W | Pte.X)
INDICES = (CODE % 1024, 1, 2, 3, 4, LIST % 1024, 15, 16, 1023)
ROOT_INDICES = (RAM >> 22, 0, 513, 1023)


class Program:
    """One random program, made while it runs."""

    def __init__(self, world: World, random: Random) -> None:
        self.world, self.random = world, random
        self.log: list[str] = []

    def run(self, steps: int) -> None:
        """Do some random things; compare everything after each."""
        pick = self.random.choices(self.OPS, self.WEIGHTS, k=steps)
        for op in pick:
            self.log.append(op.__name__)
            try:
                op(self)
            except Fetch:
                self.log.append("... but could not fetch")
            self.world.same()

    # Operands ----------------------------------------------------------------

    def one_in(self, n: int) -> bool:
        return self.random.randrange(n) == 0

    def page(self) -> int:
        """Return a page: one that is or was a table, or any."""
        if self.one_in(3):
            return self.random.choice((LEAF, KERNEL, USER))
        return self.random.randrange(FIRST, FIRST + PAGES)

    def gpa(self) -> int:
        """Return the address of a page; sometimes not quite."""
        if self.one_in(12):
            end = RAM + PAGES * PAGE
            return self.random.choice((0, RAM - PAGE, end, end - 2, RAM + 4))
        return self.page() * PAGE

    def frame(self) -> int:
        """Return a machine frame, mostly of our own."""
        own = self.world.frame_of[self.page()]
        if not self.one_in(8):
            return own
        return self.random.choice(
            (*self.world.foreign, own | 1 << 20, own | 1 << 21, 0, FIRST + 256)
        )

    def value(self, level: int) -> int:
        """Return something to stand in a table of this level."""
        random = self.random
        if self.one_in(6):
            return random.choice((0, self.frame() << 10, 0xFFFF_FFFE))
        if self.one_in(8):
            return entry(self.frame(), random.randrange(1024))
        if level == 1:
            tables = [
                page
                for page in self.world.frame_of
                if self.world.spec.level(page) == 0
            ]
            if tables and not self.one_in(4):
                table = self.world.frame_of[random.choice(tables)]
                return entry(table, int(Pte.V))
            return entry(self.frame(), int(Pte.V))
        return entry(self.frame(), VALID | random.choice(RIGHTS))

    def slot(self) -> tuple[int, int]:
        """Return a slot, mostly in a table, and a value for it."""
        gpa = self.gpa()
        level = self.world.spec.level(gpa // PAGE)
        if level is None and not self.one_in(6):
            tables = self.world.spec.tables()
            if tables:
                gpa = self.random.choice(tables) * PAGE
                level = self.world.spec.level(gpa // PAGE)
        index = self.random.choice(ROOT_INDICES if level == 1 else INDICES)
        slot = gpa + 4 * index
        old = self.world.spec.read(slot)
        if old and self.one_in(3):  # only its flags
            return slot, old ^ 1 << self.random.randrange(8)
        return slot, self.value(level or 0)

    # Operations --------------------------------------------------------------

    def pin(self) -> None:
        """Pin a page at some level."""
        world, gpa = self.world, self.gpa()
        level = self.random.choice((0, 0, 1, 1, 2))
        error = world.call(0, Hypercall.PT_PIN, gpa, level)
        world.same_answer(error, world.spec.pin(gpa, level))

    def unpin(self) -> None:
        """Unpin a page, be it pinned or not."""
        world, gpa = self.world, self.gpa()
        error = world.call(0, Hypercall.PT_UNPIN, gpa)
        world.same_answer(error, world.spec.unpin(gpa))

    def set_roots(self) -> None:
        """Give vCPU 1 two roots, or none."""
        if self.one_in(6):
            self.world.set_roots(0, 0)
        else:
            self.world.set_roots(self.gpa(), self.gpa())

    def _list_page(self) -> int:
        """Return a page that a list can be written to, if any can."""
        pages = range(LIST, FIRST + PAGES)
        good = [p for p in pages if self.world.spec.writable(p * PAGE, PAGE)]
        return self.random.choice(good or [LIST])

    def update(self) -> None:
        """Update up to four entries in one call."""
        world = self.world
        updates = [self.slot() for _ in range(self.random.randrange(5))]
        at = self._list_page() * PAGE + 256
        for i, (slot, value) in enumerate(updates):
            world.poke(at + 8 * i, slot)
            world.poke(at + 8 * i + 4, value)
        error = world.call(0, Hypercall.PT_UPDATE, at, len(updates))
        world.same_answer(error, world.spec.update(updates))

    def fence(self) -> None:
        """Forget translations; nothing else may change."""
        va = self.random.choice((0, RAM, LOAD))
        error = self.world.call(
            0, Hypercall.FENCE, va, self.random.choice((0, 4))
        )
        self.world.same_answer(error, Answer.SUCCESS)

    def untranslated(self) -> None:
        """Load from a page or store there: make a table, or break one."""
        page = self.page()
        va = page * PAGE + 4 * self.random.choice((*INDICES, *ROOT_INDICES))
        kind = self.random.choice((Access.LOAD, Access.STORE, Access.STORE))
        if page != CODE:
            self.world.access(0, va, kind, user=False)

    def write_entry(self) -> None:
        """Prepare an entry in a page that may become a table."""
        page = self.page()
        index = self.random.choice((*INDICES, *ROOT_INDICES))
        if page != CODE:
            value = self.value(self.random.randrange(2))
            if self.one_in(6):  # the page itself
                value = entry(self.world.frame_of[page], VALID | RIGHTS[1])
            self.world.poke(page * PAGE + 4 * index, value)

    def cut(self) -> None:
        """Take a right from an entry that the machine has used."""
        world = self.world
        used = [
            table * PAGE + offset
            for table in world.spec.tables()
            for offset, word in world.spec.memory.get(table, {}).items()
            if word & Pte.V and word & Pte.A
        ]
        if not used:
            return
        slot = self.random.choice(used)
        right = self.random.choice((Pte.W, Pte.W, Pte.X))
        value = world.spec.read(slot) & ~int(right)
        at = self._list_page() * PAGE + 256
        world.poke(at, slot)
        world.poke(at + 4, value)
        error = world.call(0, Hypercall.PT_UPDATE, at, 1)
        world.same_answer(error, world.spec.update([(slot, value)]))

    def recycle(self) -> None:
        """Take a root that was in use apart, change it, and use it again."""
        world = self.world
        if 1 not in world.spec.loaded:
            return
        page = world.spec.loaded[1][0]
        world.access(1, LOAD, Access.LOAD, user=False)
        world.set_roots(0, 0)
        error = world.call(0, Hypercall.PT_UNPIN, page * PAGE)
        world.same_answer(error, world.spec.unpin(page * PAGE))
        world.same()
        world.access(0, page * PAGE + (RAM >> 22) * 4, Access.STORE, user=False)

    def access(self) -> None:
        """Let vCPU 1 access something through the tables, in either mode."""
        if not self.world.spec.loaded:
            return
        user = self.one_in(3)
        kind = self.random.choice((Access.LOAD, Access.STORE))
        va = self._mapped(self.world.spec.loaded[1][user])
        # Not where an alias of our own instructions may be.
        self.world.access(1, va + 0x400, kind, user=user)

    def _mapped(self, root: int) -> int:
        """Return a page's address that a root may translate."""
        spec, pick = self.world.spec, self.random.choice
        links = [o for o, w in spec.memory.get(root, {}).items() if w & 1]
        if not links or self.one_in(4):
            return (pick(ROOT_INDICES) << 22) + pick(INDICES) * PAGE
        link = pick(links)
        table = spec.frames[spec.read(root * PAGE + link) >> 10]
        slots = [o for o, w in spec.memory.get(table, {}).items() if w & 1]
        return (link // 4 << 22) + (pick(slots or [0]) // 4) * PAGE

    def translate(self) -> None:
        """Ask from outside where an access would go; nothing changes."""
        if self.world.spec.loaded:
            user = self.one_in(3)
            va = self._mapped(self.world.spec.loaded[1][user])
            kind = self.random.choice(list(Access))
            self.world.translate(1, va + 8, kind, user=user)

    def fetch(self) -> None:
        """Let vCPU 1 execute the mark, where it may be."""
        va = self.random.choice((MARK, MARK + PAGE, MARK & (PAGE - 1)))
        if self.world.spec.loaded:
            self.world.access(1, va, Access.FETCH, user=self.one_in(2))

    def console_read(self) -> None:
        """Let the hypervisor write a byte into memory: XSA-98."""
        world, gpa = self.world, self.gpa()
        if gpa // PAGE in (CODE, *world.spec.held):
            return
        fine = world.spec.ram(gpa, 1) and world.spec.writable(gpa, 1)
        world.lib.hv_console_give(world.host, world.vm, b"!", 1)
        error = world.call(0, Hypercall.CONSOLE_READ, gpa, 1)
        want = Answer.SUCCESS if fine else Answer.INVALID_ADDRESS
        world.same_answer(error, want)
        if fine:
            world.forget(gpa // PAGE)

    def memory_map(self) -> None:
        """Ask for frames, to be written somewhere."""
        world, gpa = self.world, self.gpa() & ~3
        if gpa // PAGE in (CODE, *world.spec.held):
            return
        error = world.call(0, Hypercall.MEMORY_MAP, FIRST, 4, gpa)
        fine = world.spec.writable(gpa, 16)
        want = Answer.SUCCESS if fine else Answer.INVALID_ADDRESS
        world.same_answer(error, want)
        for i in range(4 * fine):
            world.spec.write(gpa + 4 * i, world.frame_of[FIRST + i])

    def set_shared(self) -> None:
        """Move vCPU 1's shared page."""
        world, gpa = self.world, self.page() * PAGE
        if gpa // PAGE == CODE:
            return
        error = world.call(1, Hypercall.SET_SHARED, gpa)
        fine = world.spec.writable(gpa, PAGE)
        world.same_answer(error, Answer.SUCCESS if fine else Answer.DENIED)
        if fine:
            before, world.spec.held[1] = world.spec.held[1], gpa // PAGE
            world.forget(before)

    def multicall(self) -> None:
        """Pin a page in a multicall whose list may lie right there."""
        world, page = self.world, self._list_page()
        target = self.random.choice((page * PAGE, self.gpa()))
        at, level = page * PAGE + 512, self.random.randrange(2)
        record = (int(Hypercall.PT_PIN), 77, target, level, 0, 0)
        for i, word in enumerate(record):
            world.poke(at + 4 * i, word)
        writable = world.spec.writable(at, 24)
        error = world.call(0, Hypercall.MULTICALL, at, 1)
        want = Answer.SUCCESS if writable else Answer.DENIED
        world.same_answer(error, want)
        if not writable:
            return
        world.spec.held.append(page)
        answer = world.spec.pin(target, level)
        world.spec.held.pop()
        world.spec.write(at + 4, answer & 0xFFFF_FFFF)

    OPS: tuple[Callable[..., None], ...] = (
        pin, unpin, set_roots, update, fence, untranslated, write_entry,
        access, fetch, console_read, memory_map, set_shared, multicall, recycle,
        cut, translate,
    )  # fmt: skip
    WEIGHTS: tuple[int, ...] = (6, 3, 3, 9, 1, 5, 5, 6, 2, 1, 1, 1, 2, 1, 1, 2)
