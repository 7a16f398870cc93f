"""Lab 1: the walk, the rights, accessed and dirty, the TLB and its fence."""

import random
from itertools import product

from hv.labs.kit import (
    AD,
    DATA,
    DATA_VA,
    FENCE_ASID_A2,
    MEGA,
    MEGA_VA,
    MXR,
    OTHER,
    OTHER_VA,
    RAM,
    ROOT,
    RWX,
    SUM,
    TABLE,
    VIRTUAL,
    A,
    D,
    Paged,
    R,
    U,
    V,
    W,
    X,
    pte,
)
from hv.labs.points import expect, points

GOOD = V | RWX | AD
ACCESSES = ("fetch", "load", "store")


def agree(machine: Paged, va: int, access: str, what: str) -> None:
    """The machine translates as the tables say."""
    oracle = machine.walk(va, access).own
    got = machine.machine.translate(va, access)
    cause = getattr(got, "cause", None)
    expect(
        f"exception {cause}" if cause is not None else got,
        f"exception {oracle.cause}" if oracle.result is None else oracle.result,
        f"{what}: {access} at {va:#x}",
        machine.picture(va, access),
    )


def mapped() -> Paged:
    """DATA_VA, OTHER_VA and the megapage at MEGA_VA are mapped."""
    machine = Paged()
    machine.entry(DATA_VA, pte(DATA, GOOD))
    machine.entry(OTHER_VA, pte(OTHER, GOOD))
    machine.entry(MEGA_VA, pte(MEGA, GOOD), level=1)
    return machine


@points(5, "bare: nothing is translated")
def test_bare() -> None:
    with Paged() as machine:
        machine.cpu.set_reg("satp", 0)
        got = machine.machine.translate(DATA)
        expect(got, DATA, "an address with satp = 0 is physical")


@points(10, "walk: a page of 4 KiB")
def test_walk_page() -> None:
    with mapped() as machine:
        for va, value in ((DATA_VA, 1), (OTHER_VA, 2)):
            agree(machine, va + 0x123, "load", "a page of 4 KiB")
            expect(machine.load(va), value, f"a load at {va:#x}")


@points(10, "walk: a megapage")
def test_walk_megapage() -> None:
    with mapped() as machine:
        machine.mem.write32(MEGA + 0x7008, 44)
        expect(
            machine.load(MEGA_VA + 0x7008),
            44,
            "a load in the eighth page of a megapage",
            machine.picture(MEGA_VA + 0x7008),
        )
        machine.entry(MEGA_VA, pte(MEGA + 0x1000, GOOD), level=1)
        agree(machine, MEGA_VA, "load", "a megapage whose PPN[0] is not 0")


@points(15, "rights: U, S, SUM, MXR")
def test_rights() -> None:
    with mapped() as machine:
        for flags, status in product(range(16), (0, SUM, MXR, SUM | MXR)):
            entry = pte(DATA, V | AD | flags << 1)
            machine.entry(DATA_VA, entry)
            machine.cpu.set_reg("sstatus", status)
            for mode, access in product("US", ACCESSES):
                machine.cpu.set_priv(mode)
                agree(
                    machine,
                    DATA_VA,
                    access,
                    f"entry {entry:#x} in {mode} with sstatus {status:#x}",
                )


@points(10, "walk: entries that are no entries")
def test_malformed() -> None:
    with mapped() as machine:
        agree(machine, DATA_VA, "load", "a good entry")
        for flags in (0, R, RWX | AD, V | W, V | W | X, V):
            machine.entry(DATA_VA, pte(DATA, flags))
            agree(machine, DATA_VA, "load", f"a leaf with flags {flags:#x}")
        machine.entry(DATA_VA, pte(DATA, GOOD))
        for flags in (V | A, V | D, V | U, V | AD | U):
            machine.entry(VIRTUAL, pte(TABLE, flags), level=1)
            agree(machine, DATA_VA, "load", f"a pointer, flags {flags:#x}")


@points(10, "walk: addresses that do not exist")
def test_outside() -> None:
    with mapped() as machine:
        agree(machine, DATA_VA, "load", "a good entry")
        for pa in (1 << 33 | DATA, 0x70000000, RAM + (8 << 20)):
            for flags in (GOOD, V | R | AD):
                machine.entry(DATA_VA, pte(pa, flags))
                for access in ACCESSES:
                    agree(machine, DATA_VA, access, f"a page at {pa:#x}")
        for pa in (1 << 32 | TABLE, 0x70000000):
            machine.entry(VIRTUAL, pte(pa, V), level=1)
            agree(machine, DATA_VA, "load", f"a table at {pa:#x}")


@points(10, "accessed and dirty")
def test_accessed_dirty() -> None:
    with mapped() as machine:
        slot = machine.slot(DATA_VA)
        for flags, store, after in (
            (V | RWX, False, A),
            (V | RWX, True, AD),
            (V | RWX | A, True, AD),
            (V | R, True, 0),
        ):
            machine.entry(DATA_VA, pte(DATA, flags))
            machine.fence()
            if store:
                machine.store(DATA_VA, 1)
            else:
                machine.load(DATA_VA)
            expect(
                machine.mem.read32(slot) & AD,
                after | flags & AD,
                f"A (0x40) and D (0x80) of an entry with flags {flags:#x} "
                f"after a {'store' if store else 'load'}",
            )


@points(10, "TLB: a hit walks no tables")
def test_tlb_hit() -> None:
    with mapped() as machine:
        expect(machine.load(DATA_VA), 1, "the first load")
        before = dict(machine.counters)
        machine.entry(DATA_VA, pte(OTHER, GOOD))
        expect(
            machine.load(DATA_VA),
            1,
            "a load after its entry was changed, without a fence: the TLB "
            "still has the old translation",
        )
        after = dict(machine.counters)
        for name in ("load_misses", "walk_refs"):
            expect(after[name], before[name], f"{name} after a hit")
        machine.load(OTHER_VA)
        refs = machine.counters["walk_refs"] - after["walk_refs"]
        expect(refs, 2, "entries read (walk_refs) by the walk of a page")


def remapped(machine: Paged) -> None:
    """Load from both pages; let each name the other's frame; tell nobody."""
    machine.load(DATA_VA)
    machine.load(OTHER_VA)
    machine.entry(DATA_VA, pte(OTHER, GOOD))
    machine.entry(OTHER_VA, pte(DATA, GOOD))


@points(10, "TLB: what a fence drops")
def test_fence() -> None:
    with mapped() as machine:
        remapped(machine)
        machine.fence(DATA_VA)
        expect(machine.load(DATA_VA), 2, "a load behind sfence.vma of its page")
        expect(machine.load(OTHER_VA), 2, "a page that was not fenced")
        machine.fence()
        expect(machine.load(OTHER_VA), 1, "a load behind sfence.vma of all")
        for page in range(3):
            machine.load(MEGA_VA + 0x1000 * page)
        machine.entry(MEGA_VA, 0, level=1)
        machine.fence(MEGA_VA)
        for page in range(3):
            expect(
                machine.load(MEGA_VA + 0x1000 * page),
                "load page fault",
                f"page {page} of a megapage that is gone and was fenced "
                "by its first address",
            )


@points(5, "TLB: address spaces")
def test_asid() -> None:
    with mapped() as machine:
        machine.load(DATA_VA)
        machine.entry(DATA_VA, pte(OTHER, GOOD))
        machine.satp(ROOT, asid=5)
        expect(machine.load(DATA_VA), 2, "a load in another address space")
        machine.entry(DATA_VA, pte(DATA, GOOD))
        machine.cpu.set_reg("a2", 7)
        machine.execute(FENCE_ASID_A2)
        expect(machine.load(DATA_VA), 2, "a fence of another space (7, not 5)")
        machine.cpu.set_reg("a2", 5)
        machine.execute(FENCE_ASID_A2)
        expect(machine.load(DATA_VA), 1, "a load behind a fence of its space")


@points(5, "walk: any tables at all")
def test_random_tables(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with mapped() as machine:
        agree(machine, DATA_VA, "load", "a good entry")
        for _ in range(60):
            level = draw.randrange(2)
            pa = draw.choice((DATA, MEGA, TABLE, ROOT, 0x10000000, 1 << 33))
            va = draw.choice((DATA_VA, OTHER_VA, MEGA_VA)) + draw.randrange(
                4096
            )
            machine.entry(va, pte(pa, draw.randrange(256)), level=level)
            machine.cpu.set_priv(draw.choice("US"))
            machine.cpu.set_reg("sstatus", draw.choice((0, SUM, MXR)))
            for access in ACCESSES:
                agree(machine, va, access, f"tables of seed {seed}")
