"""The TLB: what it remembers, what makes it forget, what a miss costs."""

import pytest

from . import asm
from .asm import A0, A1, A2, ZERO
from .core import CData, Core, Machine, abi
from .paging import (
    AD,
    CODE,
    DATA,
    DATA_VA,
    MEGA,
    MEGA_VA,
    OTHER,
    ROOT,
    RWX,
    SATP,
    TABLE,
    VIRTUAL,
    A,
    D,
    R,
    U,
    V,
    W,
    paged,
    pte,
    slot,
)


@pytest.fixture
def machine(core: Core) -> Machine:
    return mapped(core)


def mapped(core: Core, **options: CData) -> Machine:
    """DATA_VA is DATA, whose first word is 1; OTHER's is 2; MEGA's is 3."""
    machine = paged(core, **options)
    machine.poke(slot(DATA_VA), pte(DATA, V | RWX | AD))
    machine.poke(slot(MEGA_VA, 1), pte(MEGA, V | RWX | AD))
    machine.poke(DATA, 1)
    machine.poke(OTHER, 2)
    machine.poke(MEGA, 3)
    return machine


def execute(machine: Machine, *words: int) -> None:
    """Run words in the mapped code page."""
    machine.regs.pc = VIRTUAL
    machine.poke(CODE, *words)
    for _ in words:
        machine.step()


def load(machine: Machine, va: int) -> int:
    machine.x[A0] = va
    execute(machine, asm.lw(A1, 0, A0))
    return int(machine.x[A1])


def remap(machine: Machine) -> None:
    """DATA_VA becomes OTHER, and nobody is told."""
    machine.poke(slot(DATA_VA), pte(OTHER, V | RWX | AD))


def test_a_translation_is_stale_until_the_fence(machine: Machine) -> None:
    assert load(machine, DATA_VA) == 1
    remap(machine)
    assert load(machine, DATA_VA) == 1
    execute(machine, asm.sfence_vma())
    assert load(machine, DATA_VA) == 2
    assert machine.count.fences == 1


def test_what_was_not_used_is_not_stale(machine: Machine) -> None:
    remap(machine)
    assert load(machine, DATA_VA) == 2


def test_invalid_entries_are_not_cached(machine: Machine) -> None:
    machine.poke(slot(DATA_VA), 0)
    load(machine, DATA_VA)
    assert machine.csr.mcause == abi.CAUSE_LOAD_PAGE
    machine.priv(abi.PRIV_S)
    remap(machine)
    assert load(machine, DATA_VA) == 2


def test_writing_satp_fences_nothing(machine: Machine) -> None:
    assert load(machine, DATA_VA) == 1
    remap(machine)
    machine.x[A2] = SATP
    execute(machine, asm.csrw(abi.CSR_SATP, A2))
    assert load(machine, DATA_VA) == 1


def test_a_new_satp_holds_for_the_very_next_fetch(core: Core) -> None:
    machine = mapped(core)
    machine.set(abi.CSR_SATP, 0)
    machine.poke(slot(abi.RAM_BASE, 1), pte(abi.RAM_BASE, V | RWX | AD))
    machine.regs.pc = CODE
    machine.x[A2] = SATP
    machine.poke(CODE, asm.csrw(abi.CSR_SATP, A2), asm.NOP)
    machine.poke(slot(abi.RAM_BASE, 1), 0)
    machine.run(2)
    assert (machine.csr.mcause, machine.csr.mepc) == (12, CODE + 4)


def test_untranslated_accesses_do_not_use_the_tlb(machine: Machine) -> None:
    assert load(machine, DATA_VA) == 1
    misses = machine.count.load_misses
    machine.set(abi.CSR_SATP, 0)
    machine.regs.pc = CODE
    machine.x[A0] = DATA
    machine.step()
    assert machine.x[A1] == 1
    assert machine.count.load_misses == misses


@pytest.mark.parametrize("word", [asm.ECALL, asm.NOP])
def test_traps_flush_nothing(machine: Machine, word: int) -> None:
    assert load(machine, DATA_VA) == 1
    remap(machine)
    execute(machine, word)
    machine.priv(abi.PRIV_S)
    assert load(machine, DATA_VA) == 1


# One address, one megapage.


def test_a_fence_of_one_page_spares_the_others(machine: Machine) -> None:
    machine.poke(slot(DATA_VA + 0x1000), pte(OTHER, V | RWX | AD))
    assert load(machine, DATA_VA) == 1
    assert load(machine, DATA_VA + 0x1000) == 2
    remap(machine)
    machine.poke(slot(DATA_VA + 0x1000), pte(DATA, V | RWX | AD))
    machine.x[A2] = DATA_VA + 0x123
    execute(machine, asm.sfence_vma(A2))
    assert load(machine, DATA_VA) == 2
    assert load(machine, DATA_VA + 0x1000) == 2  # stale


def test_a_fence_of_one_page_reaches_every_kind_of_access(
    machine: Machine,
) -> None:
    machine.poke(DATA, asm.NOP)
    machine.x[A0], machine.x[A2] = DATA_VA, DATA_VA
    execute(machine, asm.lw(A1, 0, A0), asm.sw(A1, 0, A0))
    machine.regs.pc = DATA_VA
    machine.step()
    misses = total_misses(machine)
    execute(machine, asm.sfence_vma(A2), asm.lw(A1, 0, A0), asm.sw(A1, 0, A0))
    machine.regs.pc = DATA_VA
    machine.step()
    assert total_misses(machine) == misses + 3


def total_misses(machine: Machine) -> int:
    count = machine.count
    return int(count.fetch_misses + count.load_misses + count.store_misses)


def test_a_fence_of_one_address_drops_all_fragments_of_its_megapage(
    machine: Machine,
) -> None:
    pages = [0, 0x3000, 0x3FF000]
    for page in pages:
        machine.poke(MEGA + page, 3)
        assert load(machine, MEGA_VA + page) == 3
    machine.poke(slot(MEGA_VA, 1), pte(abi.RAM_BASE, V | RWX | AD))
    for page in pages:
        assert load(machine, MEGA_VA + page) == 3
    machine.x[A2] = MEGA_VA + 0x5000  # a page that was never touched
    execute(machine, asm.sfence_vma(A2))
    for page in pages:
        assert load(machine, MEGA_VA + page) != 3


def test_a_fence_of_another_megapage_drops_none(machine: Machine) -> None:
    assert load(machine, MEGA_VA) == 3
    machine.poke(slot(MEGA_VA, 1), pte(abi.RAM_BASE, V | RWX | AD))
    machine.x[A2] = MEGA_VA + 0x400000
    execute(machine, asm.sfence_vma(A2))
    assert load(machine, MEGA_VA) == 3


# The context: nothing that decided an access may change unseen.


def test_sum_mxr_and_mode_take_effect_without_a_fence(core: Core) -> None:
    sum_, mxr = abi.MSTATUS_SUM, abi.MSTATUS_MXR
    user_page = pte(DATA, V | R | U | AD)
    exec_page = pte(DATA, V | abi.PTE_X | AD)
    for entry, needed in (user_page, sum_), (exec_page, mxr):
        machine = mapped(core)
        machine.poke(slot(DATA_VA), entry)
        machine.set(abi.CSR_MSTATUS, needed)
        assert load(machine, DATA_VA) == 1
        machine.set(abi.CSR_MSTATUS, 0)
        load(machine, DATA_VA)
        assert machine.csr.mcause == abi.CAUSE_LOAD_PAGE
    machine = paged(core, user=True)
    machine.poke(slot(DATA_VA), pte(DATA, V | R | AD))
    machine.poke(slot(VIRTUAL), pte(CODE, V | RWX | AD))
    machine.priv(abi.PRIV_S)
    load(machine, DATA_VA)
    assert machine.count.traps_m == 0
    machine.priv(abi.PRIV_U)
    machine.regs.pc = VIRTUAL
    machine.step()
    assert machine.csr.mcause == abi.CAUSE_FETCH_PAGE


def test_switching_sum_back_and_forth_misses_once_each(core: Core) -> None:
    machine = mapped(core)
    for _ in range(3):
        load(machine, DATA_VA)
    assert machine.count.load_misses == 1
    assert machine.count.fetch_misses == 1
    machine.set(abi.CSR_MSTATUS, abi.MSTATUS_SUM)
    load(machine, DATA_VA)
    assert machine.count.load_misses == 2
    assert machine.count.fetch_misses == 1  # a fetch does not depend on SUM


def test_a_store_needs_its_own_look_at_d(machine: Machine) -> None:
    machine.poke(slot(DATA_VA), pte(DATA, V | R | W))
    assert load(machine, DATA_VA) == 1
    assert machine.peek(slot(DATA_VA)) == pte(DATA, V | R | W | A)
    execute(machine, asm.sw(A1, 4, A0))
    assert machine.peek(slot(DATA_VA)) == pte(DATA, V | R | W | A | D)
    assert machine.count.ad_updates == 2


# ASIDs.


def in_space(machine: Machine, asid: int) -> Machine:
    machine.set(abi.CSR_SATP, SATP | asid << abi.SATP_ASID_SHIFT)
    return machine


def test_spaces_do_not_see_each_other(core: Core) -> None:
    machine = mapped(core, asid_bits=9)
    assert load(in_space(machine, 1), DATA_VA) == 1
    remap(machine)
    assert load(in_space(machine, 1), DATA_VA) == 1  # stale
    assert load(in_space(machine, 257), DATA_VA) == 2


@pytest.mark.parametrize("g", [0, abi.PTE_G])
def test_a_fence_of_one_space_spares_the_others(core: Core, g: int) -> None:
    machine = mapped(core, asid_bits=9)
    second = DATA_VA + 0x1000
    pages = {1: DATA_VA, 2: second}
    for va in pages.values():
        machine.poke(slot(va), pte(DATA, V | RWX | AD | g))
    for asid, va in pages.items():
        assert load(in_space(machine, asid), va) == 1
    for va in pages.values():
        machine.poke(slot(va), pte(OTHER, V | RWX | AD | g))
    machine.x[A2] = 2
    execute(in_space(machine, 3), asm.sfence_vma(ZERO, A2))
    assert load(in_space(machine, 1), DATA_VA) == 1
    assert load(in_space(machine, 2), second) == 2
    machine.x[A2], machine.x[A0] = 1, MEGA_VA
    execute(in_space(machine, 3), asm.sfence_vma(A0, A2))  # another page
    assert load(in_space(machine, 1), DATA_VA) == 1
    machine.x[A0] = DATA_VA
    execute(in_space(machine, 3), asm.sfence_vma(A0, A2))
    assert load(in_space(machine, 1), DATA_VA) == 2


def test_a_fence_of_one_page_of_one_space_spares_the_others(
    core: Core,
) -> None:
    """Without a megapage, too, where one entry is all that is looked at."""
    machine = mapped(core, asid_bits=9)
    assert load(in_space(machine, 1), DATA_VA) == 1
    remap(machine)
    machine.x[A0], machine.x[A2] = DATA_VA, 2
    execute(in_space(machine, 3), asm.sfence_vma(A0, A2))
    assert load(in_space(machine, 1), DATA_VA) == 1
    machine.x[A2] = 1
    execute(in_space(machine, 3), asm.sfence_vma(A0, A2))
    assert load(in_space(machine, 1), DATA_VA) == 2


def test_without_asids_every_fence_is_of_the_only_space(
    machine: Machine,
) -> None:
    assert load(machine, DATA_VA) == 1
    remap(machine)
    machine.x[A2] = 77
    execute(machine, asm.sfence_vma(ZERO, A2))
    assert load(machine, DATA_VA) == 2


# Size, and cost.


def test_the_tlb_is_direct_mapped(core: Core) -> None:
    machine = mapped(core)
    reach = 128 * 4096
    for page in (0, reach):
        load(machine, MEGA_VA + page)
        load(machine, MEGA_VA + page)
    assert machine.count.load_misses == 2
    load(machine, MEGA_VA)
    assert machine.count.load_misses == 3
    load(machine, MEGA_VA + 0x1000)
    load(machine, MEGA_VA)
    assert machine.count.load_misses == 4


@pytest.mark.parametrize(("va", "refs"), [(DATA_VA, 2), (MEGA_VA, 1)])
def test_what_a_miss_costs(core: Core, va: int, refs: int) -> None:
    machine = mapped(core, costs={"tlb_miss": 100, "walk_ref": 1000})
    machine.x[A0] = va
    execute(machine, asm.NOP)  # the code page is in
    start, counted = machine.hart.cycle, machine.count.walk_refs
    machine.poke(CODE + 4, asm.lw(A1, 0, A0), asm.lw(A1, 4, A0))
    machine.step()
    assert machine.hart.cycle - start == 1 + 100 + 1000 * refs
    assert machine.count.walk_refs - counted == refs
    machine.step()
    assert machine.hart.cycle - start == 2 + 100 + 1000 * refs
    assert machine.count.loads == 2


def test_a_walk_that_faults_is_paid_for_too(core: Core) -> None:
    machine = mapped(core, costs={"tlb_miss": 100, "walk_ref": 1000})
    machine.poke(slot(DATA_VA), 0)
    machine.x[A0] = DATA_VA
    execute(machine, asm.NOP)
    start = machine.hart.cycle
    machine.poke(CODE + 4, asm.lw(A1, 0, A0))
    machine.step()
    assert machine.hart.cycle - start == 2100 + machine.costs["trap"]
    assert machine.count.load_misses == 1
    assert machine.count.loads == 0


def test_a_fence_costs(machine: Machine) -> None:
    execute(machine, asm.NOP)
    start = machine.hart.cycle
    machine.poke(CODE + 4, asm.sfence_vma())
    machine.step()
    assert machine.hart.cycle - start == 1 + machine.costs["fence"]


def test_setting_a_drops_a_reservation_of_the_entry(core: Core) -> None:
    """The walk is a writer of RAM like any other."""
    machine = mapped(core, harts=2)
    machine.poke(slot(DATA_VA), pte(DATA, V | R))
    other = machine.harts[1]
    other.reserved, other.reservation = True, slot(DATA_VA)
    load(machine, DATA_VA)
    assert not other.reserved


def test_translate_leaves_no_trace(machine: Machine) -> None:
    machine.poke(slot(DATA_VA), pte(DATA, V | R | W))
    state = machine.hash()
    pa = machine.ffi.new("uint32_t *")
    for access in range(3):
        machine.lib.hart_translate(machine.hart, DATA_VA, access, pa)
    assert machine.hash() == state
    assert ROOT < TABLE < pa[0]
