"""Sv32: every leaf, in every situation, against the rules in a few lines.

``verdict`` is the specification again, in Python and by itself: of the table
at the head of csrc/machine/mmu.c, one line per row.
"""

import itertools
from dataclasses import dataclass

import pytest

from . import asm
from .asm import A0, A1
from .core import Core, Machine, abi
from .paging import (
    AD,
    CODE,
    DATA,
    DATA_VA,
    MEGA,
    MEGA_VA,
    ROOT,
    RWX,
    TABLE,
    VIRTUAL,
    A,
    D,
    R,
    U,
    V,
    W,
    X,
    fence,
    paged,
    pte,
    slot,
)

FETCH, LOAD, STORE = "fetch", "load", "store"
OK, PAGE, ACCESS = "ok", "page fault", "access fault"
CAUSES = {
    (FETCH, ACCESS): 1,
    (LOAD, ACCESS): 5,
    (STORE, ACCESS): 7,
    (FETCH, PAGE): 12,
    (LOAD, PAGE): 13,
    (STORE, PAGE): 15,
}
KINDS = {FETCH: 0, LOAD: 1, STORE: 2}


@dataclass(frozen=True)
class World:
    """What decides an access beside the entry."""

    user: bool
    sum: bool
    mxr: bool
    ad_fault: bool

    @property
    def mstatus(self) -> int:
        bits = abi.MSTATUS_SUM if self.sum else 0
        return bits | (abi.MSTATUS_MXR if self.mxr else 0)


WORLDS = [World(*bits) for bits in itertools.product([False, True], repeat=4)]


def verdict(flags: int, kind: str, world: World) -> str:
    """Say what must happen at an entry with these eight low bits.

    The entry names RAM, and is aligned if it is a leaf.
    """
    if not flags & V or (flags & W and not flags & R):
        return PAGE
    if not flags & (R | X):  # a pointer: to a table of zeroes, if it may be
        return PAGE
    readable = flags & R or (world.mxr and flags & X)
    right = {FETCH: flags & X, LOAD: readable, STORE: flags & W}[kind]
    if not right or (world.user and not flags & U):
        return PAGE
    if not world.user and flags & U and (kind == FETCH or not world.sum):
        return PAGE
    needed = A | D if kind == STORE else A
    if world.ad_fault and needed & ~flags:
        return PAGE
    return OK


def attempt(machine: Machine, kind: str, va: int) -> str:
    """Execute one instruction that accesses va; return what came of it."""
    traps = machine.count.traps_m
    if kind == FETCH:
        machine.regs.pc = va
    else:
        machine.regs.pc = VIRTUAL
        machine.x[A0] = va
        word = asm.lw(A1, 0, A0) if kind == LOAD else asm.sw(A1, 0, A0)
        machine.poke(CODE, word)
    machine.step()
    if machine.count.traps_m == traps:
        return OK
    assert machine.csr.mtval == va
    outcomes = {CAUSES[kind, what]: what for what in (PAGE, ACCESS)}
    return outcomes[machine.csr.mcause]


def translate(machine: Machine, kind: str, va: int) -> tuple[int, int]:
    pa = machine.ffi.new("uint32_t *")
    cause = machine.lib.hart_translate(machine.hart, va, KINDS[kind], pa)
    return cause, pa[0]


def enter(machine: Machine, world: World) -> None:
    """Go (back) to the world's mode with nothing cached."""
    machine.set(abi.CSR_MSTATUS, world.mstatus)
    machine.priv(abi.PRIV_U if world.user else abi.PRIV_S)
    fence(machine)


@pytest.mark.parametrize("mega", [False, True], ids=["4K", "4M"])
@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_every_leaf(core: Core, world: World, *, mega: bool) -> None:
    machine = paged(core, user=world.user, ad_fault=world.ad_fault)
    page, va = (MEGA, MEGA_VA) if mega else (DATA, DATA_VA)
    va += 0x5678 if mega else 0x678
    expected_pa = page + (va & (0x3FFFFF if mega else 0xFFF))
    at = slot(va, 1 if mega else 0)
    machine.poke(expected_pa, asm.NOP)
    for flags in range(256):
        for kind in KINDS:
            enter(machine, world)
            machine.poke(at, pte(page, flags))
            expected = verdict(flags, kind, world)
            said = translate(machine, kind, va)
            if expected == OK:
                assert said == (-1, expected_pa)
            else:
                assert said[0] == CAUSES[kind, expected]
            if kind == STORE:
                machine.x[A1] = asm.NOP
            assert attempt(machine, kind, va) == expected, (hex(flags), kind)
            # A and D: set by exactly the accesses that succeed.
            needed = (A | D if kind == STORE else A) if expected == OK else 0
            assert machine.peek(at) == pte(page, flags | needed)


def test_flags_of_pointers(core: Core) -> None:
    """D, A and U are reserved in an entry that points to a table."""
    machine = paged(core)
    machine.poke(slot(DATA_VA), pte(DATA, V | RWX | AD))
    for flags in range(0, 1024, 2):
        if flags & RWX:
            continue
        enter(machine, WORLDS[0])
        # The code page goes through the same entry: fetch first.
        machine.poke(slot(VIRTUAL, 1), pte(TABLE, V))
        attempt(machine, LOAD, VIRTUAL)
        machine.poke(slot(VIRTUAL, 1), pte(TABLE, V | flags))
        allowed = not flags & (A | D | U)
        assert attempt(machine, LOAD, DATA_VA) == (OK if allowed else PAGE)


def test_a_pointer_at_the_last_level(core: Core) -> None:
    machine = paged(core)
    machine.poke(slot(DATA_VA), pte(DATA, V))
    for kind in KINDS:
        enter(machine, WORLDS[0])
        assert attempt(machine, kind, DATA_VA) == PAGE


@pytest.mark.parametrize("kind", KINDS)
def test_misaligned_megapages(core: Core, kind: str) -> None:
    machine = paged(core)
    for bit in range(10):
        page = MEGA + (0x1000 << bit)
        enter(machine, WORLDS[0])
        machine.poke(slot(MEGA_VA, 1), pte(page, V | RWX | AD))
        assert attempt(machine, kind, MEGA_VA) == PAGE


# Addresses that are not there. Rights are looked at first.

BEYOND = [
    1 << 32 | DATA,  # would be DATA if bit 32 fell off
    2 << 32 | DATA,
    3 << 32 | DATA,
    0,
    abi.RAM_BASE + (8 << 20),  # the first byte behind RAM
    abi.RAM_BASE - 0x1000,
    abi.VIRTIO_BASE,
    0xFFFFF000,
]


@pytest.mark.parametrize("ad", [0, AD])
@pytest.mark.parametrize("page", BEYOND, ids=hex)
@pytest.mark.parametrize("kind", KINDS)
def test_a_leaf_that_names_nothing(
    core: Core, kind: str, page: int, ad: int
) -> None:
    machine = paged(core)
    entry = pte(page, V | RWX | ad)
    machine.poke(slot(DATA_VA), entry)
    assert translate(machine, kind, DATA_VA)[0] == CAUSES[kind, ACCESS]
    for _ in range(2):  # and it is not cached
        assert attempt(machine, kind, DATA_VA) == ACCESS
        enter(machine, WORLDS[0])
    assert machine.peek(slot(DATA_VA)) == entry  # A and D untouched


def test_rights_come_before_addresses(core: Core) -> None:
    machine = paged(core)
    for page in BEYOND:
        machine.poke(slot(DATA_VA), pte(page, V | R | AD))
        enter(machine, WORLDS[0])
        assert attempt(machine, STORE, DATA_VA) == PAGE
        machine.poke(slot(DATA_VA), pte(page, V | RWX | U | AD))
        enter(machine, WORLDS[0])
        assert attempt(machine, LOAD, DATA_VA) == PAGE
    machine = paged(core, ad_fault=True)
    machine.poke(slot(DATA_VA), pte(BEYOND[0], V | RWX))
    assert attempt(machine, LOAD, DATA_VA) == PAGE


def test_a_megapage_may_reach_beyond_ram(core: Core) -> None:
    machine = paged(core, ram=6 << 20)
    machine.poke(slot(MEGA_VA, 1), pte(MEGA, V | RWX | AD))
    assert attempt(machine, LOAD, MEGA_VA + 0x1FFFFC) == OK
    assert attempt(machine, LOAD, MEGA_VA + 0x200000) == ACCESS
    machine.poke(slot(MEGA_VA, 1), pte(1 << 32 | MEGA, V | RWX | AD))
    enter(machine, WORLDS[0])
    assert attempt(machine, LOAD, MEGA_VA) == ACCESS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("table", BEYOND, ids=hex)
def test_a_table_outside_ram(core: Core, kind: str, table: int) -> None:
    machine = paged(core)
    machine.poke(slot(MEGA_VA, 1), pte(table, V))
    assert attempt(machine, kind, MEGA_VA) == ACCESS
    assert translate(machine, kind, MEGA_VA)[0] == CAUSES[kind, ACCESS]


@pytest.mark.parametrize("root", BEYOND, ids=hex)
def test_a_root_outside_ram(core: Core, root: int) -> None:
    machine = paged(core)
    machine.set(abi.CSR_SATP, abi.SATP_MODE | root >> 12)
    assert attempt(machine, FETCH, VIRTUAL) == ACCESS
    machine.priv(abi.PRIV_S)
    assert translate(machine, STORE, VIRTUAL)[0] == 7


def test_a_device_page_can_be_mapped_but_not_executed(core: Core) -> None:
    machine = paged(core)
    machine.poke(slot(DATA_VA), pte(abi.TEST_BASE, V | RWX))
    assert attempt(machine, FETCH, DATA_VA) == ACCESS
    assert machine.peek(slot(DATA_VA)) == pte(abi.TEST_BASE, V | RWX)
    enter(machine, WORLDS[0])
    assert attempt(machine, LOAD, DATA_VA) == OK
    assert machine.peek(slot(DATA_VA)) == pte(abi.TEST_BASE, V | RWX | A)
    # The page is there, but nothing answers at this place in it.
    machine.poke(slot(DATA_VA), pte(abi.UART_BASE, V | RWX))
    enter(machine, WORLDS[0])
    assert attempt(machine, STORE, DATA_VA + 0x100) == ACCESS
    assert machine.peek(slot(DATA_VA)) == pte(abi.UART_BASE, V | RWX | AD)


# Who accesses in whose name.


def test_atomics_need_the_right_to_store(core: Core) -> None:
    for word in (asm.amoor_w(A1, 0, A0), asm.sc_w(A1, 0, A0)):
        machine = paged(core)
        machine.poke(slot(DATA_VA), pte(DATA, V | R | AD))
        machine.poke(CODE, word)
        machine.x[A0] = DATA_VA
        machine.step()
        assert machine.csr.mcause == abi.CAUSE_STORE_PAGE
    machine = paged(core)
    machine.poke(slot(DATA_VA), pte(DATA, V | X | AD))
    machine.poke(CODE, asm.lr_w(A1, A0))
    machine.x[A0] = DATA_VA
    machine.step()
    assert machine.csr.mcause == abi.CAUSE_LOAD_PAGE


def test_mprv_accesses_in_the_name_of_mpp(core: Core) -> None:
    machine = paged(core)
    machine.poke(slot(DATA_VA), pte(DATA, V | RWX | AD))
    machine.poke(DATA, 4711)
    for mpp, bits, cause in [
        (abi.PRIV_S, abi.MSTATUS_MPRV, -1),
        (abi.PRIV_U, abi.MSTATUS_MPRV, abi.CAUSE_LOAD_PAGE),
        (abi.PRIV_M, abi.MSTATUS_MPRV, abi.CAUSE_LOAD_ACCESS),
        (abi.PRIV_S, 0, abi.CAUSE_LOAD_ACCESS),
    ]:
        fence(machine)
        machine.csr.mcause, machine.x[A1] = 0, 0
        machine.x[A0] = DATA_VA
        machine.regs.pc = CODE  # fetches stay untranslated
        machine.poke(CODE, asm.lw(A1, 0, A0))
        machine.set(abi.CSR_MSTATUS, mpp << abi.MSTATUS_MPP_SHIFT | bits)
        machine.priv(abi.PRIV_M)
        assert translate(machine, LOAD, DATA_VA)[0] == cause
        machine.step()
        if cause < 0:
            assert machine.x[A1] == 4711
        else:
            assert machine.csr.mcause == cause


def test_untranslated_addresses(core: Core) -> None:
    machine = core.machine(ram=4096)
    for priv in (abi.PRIV_M, abi.PRIV_S):
        machine.priv(priv)
        for kind, fault in (FETCH, 1), (LOAD, 5), (STORE, 7):
            assert translate(machine, kind, ROOT - 4) == (-1, ROOT - 4)
            assert translate(machine, kind, ROOT)[0] == fault
        assert translate(machine, LOAD, abi.UART_BASE)[0] == -1
        assert translate(machine, FETCH, abi.UART_BASE)[0] == 1
