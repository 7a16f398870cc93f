"""Lab 5: shadows that are kept, that follow, and that make room.

The oracle of what the guest may see is the bare machine, which does the same
instructions on the same tables; how much that cost is read from the counters.
"""

import random
from itertools import product

from hv.facts import Sync
from hv.labs.kit import (
    AD,
    CODE,
    DATA,
    DATA_VA,
    MEGA,
    OTHER,
    RAM,
    ROOT,
    RWX,
    SUM,
    VIRTUAL,
    A,
    Paged,
    R,
    U,
    V,
    X,
    pte,
)
from hv.labs.points import expect, fail, points

GOOD = V | RWX | AD
AMOSWAP_A1_A0 = 0x08B525AF  # amoswap.w a1, a1, (a0)
ROOT_TWO, TABLE_TWO = RAM + 0x6000, RAM + 0x7000
TABLES, PAGES = RAM + 0x10000, RAM + 0x80000
WINDOW = VIRTUAL + 0x100000  #: the regions' tables, to be stored to
ROOT_VA = VIRTUAL + 0x200000  #: the root
WATCHED = (Sync.LAZY, Sync.TRACE, Sync.TRACE_STRICT)


def region(number: int, page: int = 0) -> int:
    """Return the address of a page of a region of 4 MiB."""
    return 0x10000000 + 0x400000 * number + 0x1000 * page


def table(number: int) -> int:
    """Return where the table of a region lies."""
    return TABLES + 0x1000 * number


def frame(number: int) -> int:
    """Return where a page of data lies, which holds 100 and its number."""
    return PAGES + 0x1000 * number


class Regions(Paged):
    """A guest with regions of 4 MiB, each with a table of its own.

    Page 0 of region i is frame i; the tables are mapped, too, and the root.
    """

    def __init__(
        self,
        count: int,
        style: str = "emulate",
        *,
        sync: str = Sync.DEFAULT,
        shadow_frames: int = 0,
    ) -> None:
        super().__init__(style, sync=sync, shadow_frames=shadow_frames)
        for i in range(count):
            self.entry(region(i), pte(table(i), V), level=1)
            self.entry(WINDOW + 0x1000 * i, pte(table(i), GOOD))
            self.mem.write32(table(i), pte(frame(i), GOOD))
        for i in range(64):
            self.mem.write32(frame(i), 100 + i)
        self.entry(ROOT_VA, pte(ROOT, GOOD))

    def rewrite(self, number: int, page: int, entry: int) -> None:
        """Let the guest store to an entry of a region's table."""
        fault = self.store(WINDOW + 0x1000 * number + 4 * page, entry)
        expect(fault, "", f"a store to the table of region {number}")

    def relink(self, number: int, entry: int) -> None:
        """Let the guest store to a region's entry of the root."""
        fault = self.store(ROOT_VA + 4 * (region(number) >> 22), entry)
        expect(fault, "", f"a store to the root's entry of region {number}")

    def sees(self, number: int, page: int, value: int, what: str) -> None:
        """The guest loads what it should."""
        va = region(number, page)
        expect(self.load(va), value, what, self.picture(va))

    def count(self, name: str) -> int:
        """Return what was counted so far."""
        return int(self.counters[name])


def no_more_than(guest: Paged, va: int, what: str) -> None:
    """The shadow grants nothing that the guest's leaf does not grant."""
    expect(
        guest.excess(va),
        0,
        f"{what}: rights (R 2, W 4, X 8) that only the shadow's leaf has",
        guest.picture(va),
    )


@points(10, "cache: back in an address space that is known")
def test_cache() -> None:
    for sync in WATCHED:
        with Paged("emulate", sync=sync) as guest:
            guest.entry(DATA_VA, pte(DATA, GOOD))
            guest.mem.write32(ROOT_TWO + 4 * (VIRTUAL >> 22), pte(TABLE_TWO, V))
            guest.mem.write32(TABLE_TWO, pte(CODE, GOOD))
            guest.mem.write32(TABLE_TWO + 4, pte(OTHER, GOOD))
            before: list[int] = []
            for i in range(6):
                root, right = ((ROOT, 1), (ROOT_TWO, 2))[i % 2]
                guest.satp(root)
                got = guest.load(DATA_VA)
                expect(got, right, f"a load in space {right} ({sync})")
                made = guest.counters["shadow_tables"]
                filled = guest.counters["shadow_fills"]
                if i == 1:
                    before = [made, filled]
            for name, was, now in zip(
                ("tables made", "entries filled"), before, (made, filled),
                strict=True,
            ):  # fmt: skip
                expect(
                    now - was,
                    0,
                    f"{name} when the guest goes back and forth between two "
                    f"address spaces, without a fence ({sync})",
                )


@points(10, "cache: one table of each key")
def test_keys() -> None:
    with Regions(40) as guest:
        for turn in range(2):
            for i in range(40):
                guest.sees(i, 0, 100 + i, f"a load in region {i} of 40")
            if not turn:
                fills = guest.count("shadow_fills")
        expect(guest.count("shadow_fills") - fills, 0, "fills, a second time")
        guest.audit()
    with Regions(1) as guest:
        guest.rewrite(0, 1, pte(frame(1), GOOD | U))
        for status, user in ((SUM, 101), (0, "load page fault"), (SUM, 101)):
            guest.cpu.set_reg("sstatus", status)
            what = f"region 0, sstatus {status:#x}"
            guest.sees(0, 0, 100, f"a page of the kernel: {what}")
            expect(guest.load(region(0, 1)), user, f"a page of users: {what}")


@points(10, "cache: who holds a table, gives it back")
def test_holds() -> None:
    with Regions(3) as guest:
        for i in range(3):
            guest.sees(i, 0, 100 + i, f"a load in region {i}")
        shadows = guest.shadows()
        expect(
            sum(shadow.holds for shadow in shadows),
            1,
            "holds of all tables: one vCPU runs on one root",
            *(
                f"    {s.made.kind} of {s.made.gfn:#x}: {s.holds}"
                for s in shadows
            ),
        )
        guest.audit()


def stores(guest: Regions, expected: int, before: int, what: str) -> None:
    """Compare the exits for stores to tables since then."""
    expect(
        guest.count("exit_trace") - before,
        expected,
        f"exits for a store to a table (exit_trace): {what}",
    )


@points(15, "protect: a store to a table is seen, once")
def test_protect() -> None:
    with Regions(3, sync=Sync.TRACE) as guest:
        guest.entry(region(2), 0, level=1)
        guest.sees(0, 0, 100, "a load in region 0")
        guest.rewrite(2, 5, pte(frame(30), GOOD))
        stores(guest, 0, 0, "it is no table yet")
        guest.entry(region(2), pte(table(2), V), level=1)
        guest.sees(2, 5, 130, "a load in region 2, which has a table now")
        before = guest.count("exit_trace")
        guest.rewrite(2, 5, pte(frame(31), GOOD))
        stores(
            guest, 1, before,
            "the first one, to a page that was writable before it became a "
            "table",
        )  # fmt: skip
        guest.rewrite(2, 6, pte(frame(32), GOOD))
        stores(guest, 1, before, "a second store to it, before the next fence")
        guest.fence()
        guest.sees(2, 5, 131, "a load behind the fence")
        guest.rewrite(2, 5, pte(frame(33), GOOD))
        stores(guest, 2, before, "the first one behind a fence")
        guest.fence()
        guest.sees(2, 5, 133, "a load behind the second fence")
        guest.sees(2, 6, 132, "another entry that was written")
        guest.audit()


@points(5, "store: emulated under trace-strict")
def test_strict() -> None:
    with Regions(1, sync=Sync.TRACE_STRICT) as guest:
        guest.sees(0, 0, 100, "a load in region 0")
        for i in range(1, 6):
            guest.rewrite(0, 0, pte(frame(i), GOOD))
            stores(guest, i, 0, "each of them")
            guest.sees(0, 0, 100 + i, "a load, without a fence")
        before = guest.count("shadow_fills")
        guest.fence()
        guest.sees(0, 0, 105, "a load behind a fence")
        fills = guest.count("shadow_fills") - before
        expect(fills, 0, "entries filled again behind a fence")


@points(5, "store: a table that nothing leads to is data")
def test_idle() -> None:
    for sync in (Sync.TRACE, Sync.TRACE_STRICT):
        with Regions(2, sync=sync) as guest:
            guest.sees(1, 0, 101, "a load in region 1")
            guest.relink(1, 0)
            stores(guest, 1, 0, f"to the root, {sync}")
            expect(guest.load(region(1)), "load page fault", "it is gone")
            guest.rewrite(1, 0, pte(frame(7), GOOD))
            guest.rewrite(1, 1, pte(frame(8), GOOD))
            stores(
                guest, 2, 0,
                f"what was the table of region 1 is data again, {sync}",
            )  # fmt: skip
            left = [s for s in guest.shadows() if s.made.gfn == table(1) >> 12]
            expect(len(left), 0, "shadows of what is no table any more")
            guest.relink(1, pte(table(1), V))
            guest.sees(1, 0, 107, "a load, when it is a table again")
            guest.audit()


@points(5, "store: what cannot be emulated")
def test_amo() -> None:
    for sync in (Sync.TRACE, Sync.TRACE_STRICT):
        with Regions(3, sync=sync) as guest:
            for i in range(3):
                guest.sees(i, 0, 100 + i, f"a load in region {i}")
            before = guest.count("exit_trace")
            for _ in range(3):
                guest.relink(1, pte(table(2), V))
            stores(guest, 3, before, f"three to the root, {sync}")
            slot = ROOT_VA + 4 * (region(0) >> 22)
            guest.cpu.a0, guest.cpu.a1 = slot, pte(table(2), V)
            expect(
                guest.execute(AMOSWAP_A1_A0) or guest.cpu.a1,
                pte(table(0), V),
                f"amoswap.w on an entry of the root ({sync})",
            )
            guest.fence()
            guest.sees(0, 0, 102, "a load behind the fence")
            guest.audit()


@points(10, "resync: what is still right, stays")
def test_resync() -> None:
    for sync, most in ((Sync.TRACE, 1), (Sync.LAZY, 3)):
        with Regions(1, sync=sync) as guest:
            for i in range(1, 12):
                guest.rewrite(0, i, pte(frame(i), GOOD))
            for i in range(12):
                guest.sees(0, i, 100 + i, f"a load of page {i}")
            guest.rewrite(0, 3, pte(frame(40), GOOD))
            guest.fence()
            before = guest.count("shadow_fills")
            for i in range(12):
                right = 140 if i == 3 else 100 + i
                guest.sees(0, i, right, f"page {i} behind the fence")
            fills = guest.count("shadow_fills") - before
            if not 1 <= fills <= most:
                fail(
                    f"entries filled again, of 12 pages of which one was "
                    f"changed ({sync})",
                    f"  expected  1 to {most}",
                    f"  got       {fills}",
                )
            guest.audit()


CHANGES = (
    (GOOD, GOOD, "another frame"),
    (GOOD, V | R | AD, "no store any more"),
    (GOOD, V | X | AD, "no load any more"),
    (GOOD, V | RWX | A, "D is clear"),
    (GOOD, V | RWX, "A is clear"),
    (GOOD, GOOD | U, "users' now"),
    (GOOD | U, GOOD, "the kernel's now"),
    (V | R | AD, GOOD, "more than before"),
    (GOOD, 0, "not valid"),
    (GOOD, V, "no leaf"),
)


@points(10, "resync: what is not right any more, goes")
def test_rights() -> None:
    for sync, status in product(WATCHED, (0, SUM)):
        with Regions(1, sync=sync) as guest, Regions(1, "") as bare:
            for which in (guest, bare):
                which.cpu.set_reg("sstatus", status)
            for old, new, why in CHANGES:
                results = []
                for which in (guest, bare):
                    which.rewrite(0, 1, pte(frame(1), old))
                    which.fence()
                    which.load(region(0, 1))
                    which.store(region(0, 1), 55)
                    at = frame(2 if new == GOOD else 1)
                    which.rewrite(0, 1, pte(at, new))
                    which.fence()
                    if which is guest:
                        no_more_than(guest, region(0, 1), f"{why} ({sync})")
                    got = which.load(region(0, 1))
                    if which is guest:
                        no_more_than(guest, region(0, 1), f"{why} ({sync})")
                    results.append((got, which.store(region(0, 1), 66)))
                expect(
                    results[0],
                    results[1],
                    f"a load and a store behind the fence: {why} ({sync}, "
                    f"sstatus {status:#x})",
                    guest.picture(region(0, 1)),
                )
                for which in (guest, bare):
                    which.mem.write32(frame(1), 101)
                    which.mem.write32(frame(2), 102)


@points(15, "evict: a small pool is enough, only slower")
def test_evict() -> None:
    for frames, sync in product((4, 6), WATCHED):
        with Regions(12, sync=sync, shadow_frames=frames) as guest:
            for turn in range(3):
                for i in range(12):
                    guest.sees(
                        i, 0, 100 + i,
                        f"region {i} of 12, turn {turn}, {frames} tables, "
                        f"{sync}",
                    )  # fmt: skip
            made = guest.count("shadow_tables")
            evicted = guest.count("shadow_evictions")
            expect(
                made - evicted,
                len(guest.shadows()),
                "tables made, and not evicted, are in use: nothing else "
                f"took one ({frames} tables)",
            )
            guest.audit()
    with Regions(12, shadow_frames=16) as guest:
        for _ in range(3):
            for i in range(12):
                guest.sees(i, 0, 100 + i, f"region {i} of 12, 16 tables")
        expect(
            guest.count("shadow_evictions"), 0, "evictions where all have room"
        )
    with Regions(12, shadow_frames=6) as guest:
        for i in range(12):
            guest.sees(i, 0, 100 + i, f"region {i} of 12")
        for _ in range(2):
            before = guest.count("shadow_evictions")
            for i in range(4):
                guest.sees(i, 0, 100 + i, f"region {i} of 4, 6 tables")
        expect(
            guest.count("shadow_evictions") - before,
            0,
            "evictions, once 4 regions, the code and the root are all in a "
            "pool of 6",
        )


def change(draw: random.Random, guest: Regions, bare: Regions) -> None:
    """Let both change a table, in the same way."""
    which, page = draw.randrange(6), draw.randrange(3)
    flags = draw.choice((GOOD, GOOD, GOOD | U, V | R | A, V | RWX, 0, 0xFF))
    entry = pte(frame(draw.randrange(64)), flags)
    link = draw.choice((pte(table(draw.randrange(6)), V), pte(MEGA, GOOD), 0))
    to_root = page == 2 and which < 3
    for machine in (guest, bare):
        if to_root:
            machine.relink(which, link)
        else:
            machine.rewrite(which, page, entry)


@points(5, "any changes, any policy, a small pool")
def test_random(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    for sync in WATCHED:
        frames = draw.choice((4, 5, 7, 64))
        with (
            Regions(6, sync=sync, shadow_frames=frames) as guest,
            Regions(6, "") as bare,
        ):
            for _ in range(12):
                status = draw.choice((0, SUM))
                for which in (guest, bare):
                    which.cpu.set_reg("sstatus", status)
                for _ in range(draw.randrange(1, 4)):
                    change(draw, guest, bare)
                    guest.load(region(draw.randrange(6), draw.randrange(3)))
                for which in (guest, bare):
                    which.fence()
                for _ in range(4):
                    va = region(draw.randrange(6), draw.randrange(3))
                    what = f"{va:#x} ({sync}, {frames} tables, seed {seed})"
                    got, right = guest.load(va), bare.load(va)
                    expect(got, right, f"a load of {what}", guest.picture(va))
                    no_more_than(guest, va, what)
                    got, right = guest.store(va, 7), bare.store(va, 7)
                    expect(got, right, f"a store to {what}", guest.picture(va))
            guest.audit()
