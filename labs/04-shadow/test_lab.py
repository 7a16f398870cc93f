"""Lab 4: the shadow says what the guest's tables say, and not a bit more.

Three oracles: the bare machine, which does what a guest may expect; hv.walk(),
which reads both pairs of tables in Python; and the counters of exits.
"""

import random
from functools import partial
from itertools import product

from hv.labs.kit import (
    AD,
    DATA,
    DATA_VA,
    LW_A1_A0,
    MEGA,
    MEGA_VA,
    MXR,
    OTHER,
    RWX,
    SUM,
    SW_A1_A0,
    TABLE,
    VIRTUAL,
    A,
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


def mapped(style: str = "emulate") -> Paged:
    """DATA_VA and the megapage at MEGA_VA are mapped, for the kernel."""
    guest = Paged(style)
    guest.entry(DATA_VA, pte(DATA, GOOD))
    guest.entry(MEGA_VA, pte(MEGA, GOOD), level=1)
    return guest


def shadowed(guest: Paged, va: int) -> str:
    return "yes" if guest.shadow_leaf(va) else "no"


def no_more_than(guest: Paged, va: int, what: str) -> None:
    """The shadow grants nothing that the guest's leaf does not grant."""
    expect(
        guest.excess(va),
        0,
        f"{what}: rights (R 2, W 4, X 8) that only the shadow's leaf has",
        guest.picture(va),
    )


def user(guest: Paged) -> None:
    """Let the code's page and DATA_VA be the user's."""
    guest.entry(VIRTUAL, pte(0x80003000, GOOD | U))


@points(10, "bare: untranslated memory is shadowed, too")
def test_bare() -> None:
    with Paged("emulate") as guest:
        guest.cpu.set_reg("satp", 0)
        before = guest.counters["exit_shadow"]
        guest.mem.write32(0x80003000, 0x13)
        expect(
            str(guest.one(0x80003000)),
            "True",
            "a nop with satp = 0 is executed",
        )
        expect(
            guest.counters["exit_shadow"] - before,
            1,
            "exits to fill a shadow (exit_shadow)",
        )


@points(15, "fill: the first access")
def test_first() -> None:
    with mapped() as guest:
        expect(guest.load(DATA_VA), 1, "a load", guest.picture(DATA_VA))
        walk = guest.walk(DATA_VA)
        expect(walk.verdict.value, "ok", "the walk's verdict", walk.text)
        no_more_than(guest, DATA_VA, "after a load")


@points(15, "fill: the second access costs no exit")
def test_second() -> None:
    with mapped() as guest:
        guest.load(DATA_VA)
        before = guest.counters["exits"]
        expect(guest.load(DATA_VA), 1, "the second load")
        expect(guest.store(DATA_VA, 5), "", "a store where D is set already")
        expect(
            guest.counters["exits"],
            before,
            "exits, after a page was touched for the first time",
            guest.picture(DATA_VA, "store"),
        )
        guest.entry(DATA_VA, pte(DATA, GOOD | U))
        guest.cpu.set_reg("sstatus", SUM)
        guest.fence()
        guest.load(DATA_VA)
        before = guest.counters["exits"]
        expect(guest.load(DATA_VA), 5, "a load of a user's page with SUM")
        expect(
            guest.counters["exits"],
            before,
            "exits, after a user's page was touched with SUM",
            guest.picture(DATA_VA),
        )


@points(20, "rights: what the bare machine allows, no more, no less")
def test_rights() -> None:
    with mapped() as guest, mapped("") as bare:
        for flags, status in product(
            (R, R | W, X, R | X, RWX), (0, SUM, MXR, SUM | MXR)
        ):
            for more in (0, U):
                for which in (guest, bare):
                    which.entry(DATA_VA, pte(DATA, V | AD | flags | more))
                    which.cpu.set_reg("sstatus", status)
                    which.fence()
                what = f"flags {flags | more:#x}, sstatus {status:#x}"
                expect(
                    guest.load(DATA_VA),
                    bare.load(DATA_VA),
                    f"a load: {what}",
                    partial(guest.picture, DATA_VA),
                )
                expect(
                    guest.store(DATA_VA, 1),
                    bare.store(DATA_VA, 1),
                    f"a store: {what}",
                    partial(guest.picture, DATA_VA, "store"),
                )
                no_more_than(guest, DATA_VA, what)


def in_user(guest: Paged, word: int) -> str:
    """Execute a word in U at VIRTUAL: where that leads to."""
    guest.mem.write32(0x80003000, word)
    guest.cpu.set_priv("U")
    guest.cpu.a0, guest.cpu.a1 = DATA_VA, 1
    done = guest.one(VIRTUAL)
    return f"pc {guest.cpu.pc:#x}, a1 {guest.cpu.a1}" if done else "stuck"


@points(10, "roles: the user does not see the kernel's pages")
def test_roles() -> None:
    with mapped() as guest, mapped("") as bare:
        for flags in (GOOD, GOOD | U, GOOD | U, GOOD):
            results = []
            for which in (guest, bare):
                user(which)
                which.entry(DATA_VA, pte(DATA, flags))
                which.machine.cpu[0].set_reg("sstatus", 0)
                which.entry(VIRTUAL, pte(0x80003000, GOOD))
                which.fence()
                user(which)
                results.append(
                    [in_user(which, word) for word in (LW_A1_A0, SW_A1_A0)]
                )
            expect(results[0], results[1], f"load, store in U: {flags:#x}")


@points(15, "dirty: the first store is seen")
def test_dirty() -> None:
    with mapped() as guest:
        slot = guest.slot(DATA_VA)
        guest.entry(DATA_VA, pte(DATA, V | RWX))
        guest.fence()
        expect(guest.load(DATA_VA), 1, "a load")
        got = guest.mem.read32(slot) & AD
        expect(got, A, "A and D of the guest's entry after a load")
        no_more_than(guest, DATA_VA, "D is clear")
        expect(guest.store(DATA_VA, 9), "", "the first store")
        got = guest.mem.read32(slot) & AD
        expect(
            got,
            AD,
            "A and D of the guest's entry after a store",
            guest.picture(DATA_VA, "store"),
        )
        expect(guest.mem.read32(DATA), 9, "what the store has written")


@points(10, "fences: what the guest changed")
def test_fence() -> None:
    with mapped() as guest:
        guest.load(DATA_VA)
        guest.entry(DATA_VA, pte(OTHER, GOOD))
        guest.fence(DATA_VA)
        expect(guest.load(DATA_VA), 2, "a load behind the fence")
        expect(shadowed(guest, DATA_VA), "yes", "the shadow has a leaf again")
        guest.entry(VIRTUAL, pte(TABLE, V), level=1)
        for page in (0, 7, 1023):
            va = MEGA_VA + 0x1000 * page
            guest.mem.write32(MEGA + 0x1000 * page, page + 3)
            expect(guest.load(va), page + 3, f"page {page} of a megapage")


@points(5, "any tables at all")
def test_random(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with mapped() as guest, mapped("") as bare:
        for _ in range(30):
            entry = pte(draw.choice((DATA, OTHER, MEGA)), draw.randrange(256))
            status = draw.choice((0, SUM, MXR))
            for which in (guest, bare):
                which.entry(DATA_VA, entry)
                which.cpu.set_reg("sstatus", status)
                which.fence()
            what = f"entry {entry:#x}, sstatus {status:#x}, seed {seed}"
            tables = partial(guest.picture, DATA_VA)
            got, right = guest.load(DATA_VA), bare.load(DATA_VA)
            expect(got, right, f"a load: {what}", tables)
            stored, well = guest.store(DATA_VA, 4), bare.store(DATA_VA, 4)
            expect(stored, well, f"a store: {what}", tables)
            no_more_than(guest, DATA_VA, what)
        guest.load(MEGA_VA)
        expect(shadowed(guest, MEGA_VA), "yes", "a megapage is shadowed")
