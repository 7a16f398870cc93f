"""The two-stage walk of the machine is what hv.spec.two_stage says.

One real access at a time: loads and stores by an instruction of M in the
guest's name (MPRV with MPV), fetches in VS or VU. Every entry that the walk
reads is tried with all patterns of its eight low bits, alone and together with
others; what happened must be what the specification says - the trap with all
its registers, the address, the bits that were set, and how many entries were
read.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from hv.spec.mmu import Access, AccessFault, Board, Mode, PageFault, Pte, View
from hv.spec.two_stage import (
    Guest,
    GuestPageFault,
    Reached,
    Result,
    translate,
)
from tests.machine import asm
from tests.machine.core import Core, Machine, abi, core

__all__ = ["core"]  # a fixture

RAM = range(0x8000_0000, 0x8010_0000)
DEVICES = (range(0x10_0000, 0x10_1000), range(0x1000_0000, 0x1000_0100))
CODE, V_ROOT, V_TABLE, G_TABLE, G_ROOT = (
    RAM[0] + 0x1000 * page for page in range(5)
)
DATA = RAM[0] + 0x8000
VA = 0x4000_8024  # in a megapage at 80000000: DATA + 24
SV32, VMID = 1 << 31, 5 << 22
GOOD = Pte.V | Pte.R | Pte.W | Pte.X | Pte.U | Pte.A | Pte.D
GPA_BASE = RAM[0] >> 12
VIEWS = [
    View(mode, sum=sum_, mxr=mxr)
    for mode in Mode
    for sum_ in (False, True)
    for mxr in (False, True)
]
# Every entry that a walk of VA can read.
SLOTS = [
    V_ROOT + 4 * (VA >> 22),
    V_TABLE + 4 * (VA >> 12 & 0x3FF),
    G_ROOT + 4 * (RAM[0] >> 22),
    *(G_TABLE + 4 * (pa >> 12 & 0x3FF) for pa in (V_ROOT, V_TABLE, DATA)),
]
LOADED, ADDRESS, STORED = 5, 6, 7


def entry(page: int, bits: int) -> int:
    return page >> 12 << 10 | bits


@dataclass(frozen=True)
class Case:
    """The tables of one access: low bits of the entries, and their levels.

    ``None`` for the second stage's three means: its root has one megapage.
    ``v_leaf`` None: the first stage's root has a megapage.
    """

    v_root: int = Pte.V
    v_leaf: int | None = GOOD
    g_root: int = Pte.V
    g_of_root: int | None = GOOD
    g_of_table: int | None = GOOD
    g_of_page: int | None = GOOD
    page: int = DATA
    g_page: int = DATA
    g_root_page: int = V_ROOT
    g_table_page: int = V_TABLE


class Memory(Mapping[int, int]):
    """The words of a machine's RAM."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def __getitem__(self, pa: int) -> int:
        return self.machine.peek(pa)

    def __iter__(self) -> Iterator[int]:
        return iter(RAM[::4])

    def __len__(self) -> int:
        return len(RAM) // 4


class World:
    """A machine with extension H in M-mode, and a guest's tables."""

    def __init__(self, core: Core, *, ad_fault: bool) -> None:
        self.board = Board(ram=RAM, devices=DEVICES, ad_fault=ad_fault)
        self.machine = core.machine(ram=len(RAM), h_ext=True, ad_fault=ad_fault)
        self.memory = Memory(self.machine)
        machine = self.machine
        machine.poke(CODE, asm.lw(LOADED, 0, ADDRESS))
        machine.poke(CODE + 4, asm.sw(STORED, 0, ADDRESS))
        machine.set(abi.CSR_MTVEC, CODE)
        for page in (8, 9, 255):  # addi x5, x0, page number
            word = page << 20 | 0x293
            machine.poke(RAM[0] + 0x1000 * page, *[word] * 1024)

    def build(self, case: Case) -> None:
        """Write the tables, and forget what was cached."""
        poke = self.machine.poke
        big = case.v_leaf is None
        base = case.page & ~0x3F_FFFF if big else V_TABLE
        poke(V_ROOT + 4 * (VA >> 22), entry(base, case.v_root))
        leaf = 0 if case.v_leaf is None else entry(case.page, case.v_leaf)
        poke(V_TABLE + 4 * (VA >> 12 & 0x3FF), leaf)
        megapage = case.g_of_page is None
        base = RAM[0] if megapage else G_TABLE
        poke(G_ROOT + 4 * (RAM[0] >> 22), entry(base, case.g_root))
        for gpa, to, bits in (
            (V_ROOT, case.g_root_page, case.g_of_root),
            (V_TABLE, case.g_table_page, case.g_of_table),
            (DATA, case.g_page, case.g_of_page),
        ):
            slot = G_TABLE + 4 * (gpa >> 12 & 0x3FF)
            poke(slot, 0 if bits is None else entry(to, bits))
        self.machine.lib.hart_hfence_gvma(self.machine.hart, 0, 0)

    def spec(self, guest: Guest, kind: Access, view: View) -> Result:
        seen = View(view.mode, sum=view.sum, mxr=view.mxr or guest.mxr_all)
        return translate(self.memory, guest, VA, kind, seen, self.board)

    def state(self, guest: Guest, view: View) -> None:
        machine = self.machine
        machine.set(abi.CSR_VSATP, guest.vsatp)
        machine.set(abi.CSR_HGATP, guest.hgatp)
        machine.set(
            abi.CSR_VSSTATUS,
            abi.MSTATUS_SUM * view.sum | abi.MSTATUS_MXR * view.mxr,
        )

    def access(self, guest: Guest, kind: Access, view: View) -> None:
        """Make the access; what came of it is in the machine."""
        machine = self.machine
        self.state(guest, view)
        mstatus = abi.MSTATUS_MXR * guest.mxr_all
        machine.x[LOADED] = 0xFFFF_FFFF
        machine.x[ADDRESS] = VA
        machine.x[STORED] = 0x5EED
        if kind is Access.FETCH:
            machine.set(abi.CSR_MSTATUS, mstatus)
            machine.lib.hart_set_mode(machine.hart, view.mode, 1)
            machine.regs.pc = VA
        else:
            mstatus |= abi.MSTATUS_MPRV | view.mode << 11
            machine.priv(abi.PRIV_M)
            machine.set(abi.CSR_MSTATUS, mstatus)
            machine.set(abi.CSR_MSTATUSH, abi.MSTATUSH_MPV)
            machine.regs.pc = CODE + 4 * (kind is Access.STORE)
        machine.step()

    def ask(self, kind: Access) -> int:
        """hart_translate() in the present state: an address or ~cause."""
        machine = self.machine
        out = machine.ffi.new("uint32_t *")
        cause = machine.lib.hart_translate(
            machine.hart, VA, list(Access).index(kind), out
        )
        return ~int(cause) if cause >= 0 else int(out[0])


def agree(
    world: World, case: Case, guest: Guest, kind: Access, view: View
) -> Result:
    """Make one access and compare everything with the specification."""
    machine = world.machine
    world.build(case)
    wanted = world.spec(guest, kind, view)
    after = {slot: machine.peek(slot) for slot in SLOTS}
    for slot, bits in wanted.sets:
        after[slot] |= bits
    what = (case, guest, kind, view, wanted)
    refs, traps = machine.count.walk_refs, machine.count.traps_m
    world.access(guest, kind, view)
    assert machine.count.walk_refs - refs == wanted.refs, what
    trapped = machine.count.traps_m - traps
    if isinstance(wanted.outcome, Reached):
        pa = wanted.outcome.pa
        assert not trapped, what
        if kind is Access.STORE:
            assert machine.peek(pa) == 0x5EED, what
            machine.poke(pa, (pa - RAM[0]) >> 12 << 20 | 0x293)
        else:
            number = machine.x[LOADED]
            number = number if kind is Access.FETCH else number >> 20
            assert RAM[0] + number * 0x1000 == pa & ~0xFFF, what
    else:
        assert trapped == 1, what
        csr = machine.csr
        assert (csr.mcause, csr.mtval) == (wanted.outcome.cause, VA), what
        assert machine.get(abi.CSR_MSTATUSH) & abi.MSTATUSH_GVA, what
        second = wanted.outcome
        if not isinstance(second, GuestPageFault):
            second = GuestPageFault(kind, 0)
        assert (csr.mtval2, csr.mtinst) == (second.gpa >> 2, second.tinst), what
    assert {slot: machine.peek(slot) for slot in SLOTS} == after, what
    return wanted


@pytest.fixture(scope="module", params=["update", "fault"])
def world(core: Core, request: pytest.FixtureRequest) -> World:
    return World(core, ad_fault=request.param == "fault")


TWO = Guest(SV32 | V_ROOT >> 12, SV32 | VMID | G_ROOT >> 12)


@pytest.mark.parametrize(
    ("case", "guest", "refs"),
    [
        (Case(), TWO, 8),
        (Case(v_root=GOOD, v_leaf=None), TWO, 5),
        (Case(g_root=GOOD, g_of_page=None), TWO, 5),
        (Case(GOOD, None, GOOD, g_of_page=None), TWO, 3),
        (Case(), Guest(TWO.vsatp, 0), 2),
        (Case(GOOD, None), Guest(TWO.vsatp, 0), 1),
    ],
)
def test_how_many_entries_are_read(
    world: World, case: Case, guest: Guest, refs: int
) -> None:
    result = agree(world, case, guest, Access.LOAD, View(Mode.USER))
    assert isinstance(result.outcome, Reached)
    assert result.refs == refs


ENTRIES = ["v_root", "v_leaf", "g_root", "g_of_root", "g_of_table", "g_of_page"]
SHAPES = {
    "pages": Case(),
    "megapage first": Case(v_root=GOOD, v_leaf=None),
    "megapage second": Case(g_root=GOOD, g_of_page=None),
    "megapages": Case(v_root=GOOD, v_leaf=None, g_root=GOOD, g_of_page=None),
}


def changed(shape: Case, **bits: int) -> Case:
    """Change the low bits of some entries that this shape has."""
    found = {**shape.__dict__, **bits}
    return Case(
        **{k: v for k, v in found.items() if shape.__dict__[k] is not None}
    )


def patterns(shape: Case, name: str) -> Iterator[Case]:
    for bits in range(256):
        yield changed(shape, **{name: bits})


COMBINATIONS = list(itertools.product(Access, VIEWS, (False, True)))


def check_patterns(world: World, shape: Case, name: str, every: int) -> None:
    chance = random.Random(f"{shape} {name}")
    for case in patterns(shape, name):
        for kind, view, mxr_all in chance.sample(
            COMBINATIONS, len(COMBINATIONS) // every
        ):
            guest = Guest(TWO.vsatp, TWO.hgatp, mxr_all)
            agree(world, case, guest, kind, view)


KEYS = [
    pytest.param(shape, name, id=f"{key}-{name}")
    for key, shape in SHAPES.items()
    for name in ENTRIES
    if getattr(shape, name) is not None
]


@pytest.mark.parametrize(("shape", "name"), KEYS)
def test_every_pattern_of_one_entry(
    world: World, shape: Case, name: str
) -> None:
    """A sample of modes and accesses for each of the 256 patterns."""
    check_patterns(world, shape, name, 16)


@pytest.mark.nightly
@pytest.mark.parametrize(("shape", "name"), KEYS)
def test_every_pattern_in_every_mode(
    world: World, shape: Case, name: str
) -> None:
    check_patterns(world, shape, name, 1)


def check_marks(world: World) -> None:
    for unmarked in (GOOD & ~Pte.D, GOOD & ~(Pte.A | Pte.D)):
        for bits, kind in itertools.product(range(256), Access):
            for case in (
                Case(v_leaf=unmarked, g_of_table=bits),
                Case(v_root=unmarked, v_leaf=None, g_of_root=bits),
            ):
                agree(world, case, TWO, kind, View(Mode.USER))


def test_marks_in_the_guests_tables_are_stores(world: World) -> None:
    """What the second stage may say to A and D of the first: everything."""
    check_marks(world)


NOT_RAM = [*(device.start for device in DEVICES), RAM.stop, 1 << 32 | V_ROOT]


def check_tables_outside_ram(world: World) -> None:
    for page, kind in itertools.product(NOT_RAM, Access):
        for case, guest in (
            (Case(g_root_page=page), TWO),
            (Case(g_table_page=page), TWO),
            (Case(), Guest(SV32 | page >> 12, 0)),
        ):
            result = agree(world, case, guest, kind, View(Mode.USER))
            assert isinstance(result.outcome, AccessFault)


def test_the_guests_tables_are_in_ram(world: World) -> None:
    """A device may be mapped where they should be, and it may be read."""
    check_tables_outside_ram(world)


PAGES = [
    DATA,
    DATA + 0x1000,
    RAM.stop - 0x1000,
    RAM.stop,
    0x2000_0000,
    0,
    1 << 32 | DATA,
    3 << 32 | DATA,
    0x3FFFF_F000,
]
LIKELY = [GOOD, Pte.V, GOOD & ~Pte.D, GOOD & ~Pte.W & ~Pte.D, GOOD & ~Pte.U]


def random_case(chance: random.Random) -> Case:
    """Several entries at once, and pages that are not there."""
    shape = chance.choice(list(SHAPES.values()))
    bits = {
        name: chance.choice(LIKELY)
        if chance.random() < 0.7
        else chance.randrange(256)
        for name in chance.sample(ENTRIES, chance.randrange(1, 4))
    }
    if chance.random() < 0.3:
        bits["page"] = chance.choice(PAGES)
    if chance.random() < 0.3:
        bits["g_page"] = chance.choice(PAGES)
    return changed(shape, **bits)


def check_random(world: World, seed: int, count: int) -> set[type]:
    chance = random.Random(seed)
    seen: set[type] = set()
    for _ in range(count):
        guest = Guest(
            TWO.vsatp * (chance.random() < 0.95),
            TWO.hgatp * (chance.random() < 0.95),
            chance.random() < 0.3,
        )
        kind, view = chance.choice(list(Access)), chance.choice(VIEWS)
        result = agree(world, random_case(chance), guest, kind, view)
        seen.add(type(result.outcome))
    return seen


def test_random_tables(world: World) -> None:
    seen = check_random(world, 1, 3000)
    assert seen >= {Reached, PageFault, GuestPageFault}


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_random_tables(world: World, seed: int) -> None:
    check_random(world, seed, 30_000)


def test_asking_changes_nothing_and_says_the_same(world: World) -> None:
    chance = random.Random(7)
    machine = world.machine
    for _ in range(1500):
        world.build(random_case(chance))
        kind, view = chance.choice(list(Access)), chance.choice(VIEWS)
        world.state(TWO, view)
        machine.set(abi.CSR_MSTATUS, 0)
        machine.lib.hart_set_mode(machine.hart, view.mode, 1)
        state = machine.hash()
        wanted = world.spec(TWO, kind, view).outcome
        answer = world.ask(kind)
        if isinstance(wanted, Reached):
            assert answer == wanted.pa
        else:
            assert answer == ~wanted.cause
        assert machine.hash() == state
