"""The style `nested`, from outside: exact references, exits, memory, fences.

A small kernel in machine code puts its own tables in force and then touches
pages in a loop for ever; what a turn of the loop costs is counted.
"""

import struct
from collections.abc import Iterator

import pytest

import hv
from tests.machine.asm import (
    A0,
    A1,
    A2,
    A6,
    A7,
    ECALL,
    S0,
    S1,
    T0,
    T1,
    T2,
    ZERO,
    add,
    addi,
    bne,
    csrr,
    csrw,
    j,
    li,
    lui,
    lw,
    program,
    sfence_vma,
    sw,
)

BASE = 0x8000_0000
ROOT, TABLE = BASE + 0x1000, BASE + 0x2000
LEAF = 0xCF  # V R W X A D
PAGES = 200  # more than a TLB has entries, so that some always miss
SATP, CYCLE, TIME = 0x180, 0xC00, 0xC01
BIG = 10**9  # a time slice without an end


def load(guest: hv.Guest, code: list[int]) -> None:
    """Put code and tables (RAM's first MiB as it is) into a guest; boot it."""
    guest.mem.write(BASE, struct.pack(f"<{len(code)}I", *code))
    guest.mem.write32(ROOT + 4 * (BASE >> 22), TABLE >> 12 << 10 | 1)
    for page in range(256):
        guest.mem.write32(TABLE + 4 * page, (BASE >> 12) + page << 10 | LEAF)
    guest.boot(BASE, 0, 0)


def paging_on() -> list[int]:
    return program(li(T0, 1 << 31 | ROOT >> 12), csrw(SATP, T0), sfence_vma())


def touching() -> list[int]:
    """Load a word of each of the pages behind the tables, again and again."""
    head = program(paging_on(), lui(S1, 1))
    turn = program(
        li(S0, BASE + 0x8000),
        li(T1, PAGES),
        lw(T0, 0, S0),
        add(S0, S0, S1),
        addi(T1, T1, -1),
        bne(T1, ZERO, -12),
    )
    return [*head, *turn, j(-4 * len(turn))]


TURN = 5 + 4 * PAGES  # instructions of one turn


@pytest.fixture
def hypervisor() -> Iterator[hv.Hypervisor]:
    with hv.Hypervisor(ram="64MiB", slice=BIG) as made:
        yield made


def references(counters: hv.Counters) -> tuple[int, int]:
    misses = counters.fetch_misses + counters.load_misses
    return counters.walk_refs, misses + counters.store_misses


@pytest.mark.parametrize(
    ("style", "each"),
    [("bare", 2), ("emulate", 2), ("assist", 2), ("nested", 8)],
)
def test_references_of_a_tlb_miss_are_exact(
    hypervisor: hv.Hypervisor, style: str, each: int
) -> None:
    with hv.Machine(ram="4MiB") as machine:
        host: hv.Machine | hv.Hypervisor = machine
        guest: hv.Guest = machine
        if style != "bare":
            host = hypervisor
            guest = hypervisor.create(style=style, mem="4MiB")
        load(guest, touching())
        host.run(10 * TURN)  # everything is populated and mapped
        before = host.hart_counters()
        host.run(10 * TURN)
        refs, misses = references(host.hart_counters() - before)
    assert misses >= 10 * 2 * (PAGES - 128)
    assert refs == each * misses


def test_a_guest_may_change_its_tables_without_an_exit(
    hypervisor: hv.Hypervisor,
) -> None:
    """Swap two pages, fence, load; once memory is there, nothing exits."""
    first, second = TABLE + 4 * 64, TABLE + 4 * 65
    turn = program(
        li(S0, first),
        lw(T0, 0, S0),
        lw(T1, 4, S0),
        sw(T1, 0, S0),
        sw(T0, 4, S0),
        sfence_vma(),
        li(S1, BASE + 64 * 0x1000),
        lw(A0, 0, S1),
    )
    code = [*paging_on(), *turn, j(-4 * len(turn))]
    exits = {}
    for style in ("emulate", "nested"):
        vm = hypervisor.create(style=style, mem="4MiB")
        load(vm, code)
        vm.mem.write32(BASE + 64 * 0x1000, 64)
        vm.mem.write32(BASE + 65 * 0x1000, 65)
        hypervisor.run(1000)
        before = vm.counters.exits
        seen = set()
        for _ in range(50):
            hypervisor.run(len(turn) + 1)
            seen.add(vm.cpu[0].a0)
        exits[style] = vm.counters.exits - before
        assert seen == {64, 65}
        assert {vm.mem.read32(first), vm.mem.read32(second)} == {
            (BASE >> 12) + page << 10 | LEAF for page in (64, 65)
        }
        vm.destroy()
    assert exits["nested"] == 0
    assert exits["emulate"] >= 100


def test_a_guests_time_begins_with_it(hypervisor: hv.Hypervisor) -> None:
    """Time is read without an exit, cycle with one, and both from 0."""
    spin = [j(0)]
    other = hypervisor.create(style="nested", mem="4MiB")
    other.mem.write32(BASE, spin[0])
    other.boot(BASE, 0, 0)
    hypervisor.run(100_000)
    other.destroy()
    vm = hypervisor.create(style="nested", mem="4MiB")
    code = program(csrr(A0, TIME), csrr(A1, CYCLE), csrr(A2, TIME), spin)
    vm.mem.write(BASE, struct.pack(f"<{len(code)}I", *code))
    vm.boot(BASE, 0, 0)
    hypervisor.run(10)
    cpu = vm.cpu[0]
    assert cpu.a0 * 10 <= cpu.a1 <= cpu.a2 * 10 + 10 < 100_000
    assert vm.counters.exit_csr == 1


def test_a_fence_asked_of_the_firmware_is_one(
    hypervisor: hv.Hypervisor,
) -> None:
    """Remote fences must reach what the machine has cached for the guest."""
    code = program(
        paging_on(),
        li(S0, TABLE + 4 * 64),
        li(S1, BASE + 64 * 0x1000),
        lw(A0, 0, S1),
        lw(T0, 4, S0),  # the page becomes the next one
        sw(T0, 0, S0),
        lw(A1, 0, S1),
        li(A7, 0x52464E43),
        li(A6, 1),
        li(A0, 1),
        li(A1, 0),
        li(A2, 0),
        li(13, 0),
        ECALL,
        lw(T2, 0, S1),
        [j(0)],
    )
    vm = hypervisor.create(style="nested", mem="4MiB")
    load(vm, code)
    vm.mem.write32(BASE + 64 * 0x1000, 64)
    vm.mem.write32(BASE + 65 * 0x1000, 65)
    hypervisor.run(100)
    assert vm.cpu[0].t2 == 65


def test_two_guests_at_the_same_addresses_stay_apart() -> None:
    """Nothing flushes the TLB between them: their VMIDs must."""
    with hv.Hypervisor(ram="64MiB", slice=20) as hypervisor:
        vms = [hypervisor.create(style="nested", mem="4MiB") for _ in range(3)]
        code = program(
            paging_on(),
            li(S1, BASE + 64 * 0x1000),
            lw(S0, 0, S1),
            lw(T0, 0, S1),
            [0x00000013] * 8,
            [bne(S0, T0, 8), j(-40)],
            [addi(A0, ZERO, 1), j(0)],
        )
        for number, vm in enumerate(vms):
            load(vm, code)
            vm.mem.write32(BASE + 64 * 0x1000, number + 1)
        hypervisor.run(100_000)
        switches = [vm.counters.switches for vm in vms]
        assert min(switches) > 50
        for number, vm in enumerate(vms):
            assert vm.cpu[0].s0 == number + 1
            assert vm.cpu[0].a0 == 0
        assert hypervisor.hart_counters().fences < 10
        hypervisor.audit()


def test_its_tables_are_counted_and_returned(
    hypervisor: hv.Hypervisor,
) -> None:
    empty = hypervisor.info
    vm = hypervisor.create(style="nested", mem="6MiB", shadow_frames=16)
    made = hypervisor.info
    # A root of four frames is there; two tables for 6 MiB are promised.
    assert made.frames_hyp == 4
    assert made.frames_reserved == 6 * 256 + 16 + 2
    load(vm, touching())
    hypervisor.run(3 * TURN)
    assert hypervisor.info.frames_hyp == 5
    hypervisor.audit()
    vm.destroy()
    after = hypervisor.info
    assert (after.frames_free, after.frames_hyp) == (empty.frames_free, 0)
    assert after.frames_reserved == 0


def test_a_change_of_style_needs_memory_for_a_second_stage() -> None:
    with hv.Hypervisor(ram="2MiB") as hypervisor:
        vm = hypervisor.create(
            style="emulate", mem=(512 - 10) * 4096, shadow_frames=8
        )
        with pytest.raises(hv.UsageError):
            vm.change_style("nested")
        hypervisor.audit()
        vm.destroy()
        vm = hypervisor.create(
            style="emulate", mem=(512 - 13) * 4096, shadow_frames=8
        )
        vm.change_style("nested")
        hypervisor.audit()
        vm.destroy()
        assert hypervisor.info.frames_free == 512


def test_creation_says_what_is_missing() -> None:
    with (
        hv.Hypervisor(ram="2MiB") as hypervisor,
        pytest.raises(hv.NoMemory, match="promised"),
    ):
        hypervisor.create(style="nested", mem=500 * 4096, shadow_frames=8)


def test_back_and_forth_between_styles(hypervisor: hv.Hypervisor) -> None:
    vm = hypervisor.create(style="nested", mem="4MiB")
    load(vm, touching())
    for style in ("emulate", "nested", "assist", "nested", "emulate"):
        hypervisor.run(2 * TURN)
        hypervisor.audit()
        vm.change_style(style)
        hypervisor.audit()
    hypervisor.run(2 * TURN)
    hypervisor.audit()
