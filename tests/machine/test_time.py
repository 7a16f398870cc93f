"""Clocks: exact stops, wfi, timers, charging, and the state hash."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from . import asm
from .asm import A0, A1, T0, T1, T5, T6, ZERO
from .core import CData, Core, Machine, abi
from .paging import (
    CODE,
    DATA,
    OTHER,
    RWX,
    SATP,
    VIRTUAL,
    U,
    V,
    paged,
    pte,
    slot,
)

NEVER = 2**64 - 1

# Random programs that trap, sleep, fence and switch modes a lot. Their handlers
# are not random: they step over what trapped, so that the program goes on, and
# M's sets the timer anew and interrupts S.

registers = st.integers(0, 15)
CSRS = [
    abi.CSR_MSTATUS, abi.CSR_MIE, abi.CSR_MIP, abi.CSR_MIDELEG,
    abi.CSR_MEPC, abi.CSR_SSTATUS, abi.CSR_SIE, abi.CSR_SIP, abi.CSR_SEPC,
    abi.CSR_SATP, abi.CSR_CYCLE, abi.CSR_TIME, abi.CSR_INSTRET,
    abi.CSR_STVEC, abi.CSR_MSCRATCH,
]  # fmt: skip
instructions = st.one_of(
    st.builds(asm.addi, registers, registers, st.integers(-9, 9)),
    st.builds(asm.lw, registers, st.integers(-64, 64), registers),
    st.builds(asm.sw, registers, st.integers(-64, 64), registers),
    st.builds(asm.beq, registers, registers, st.sampled_from([-8, 8, 12])),
    st.builds(asm.csrrw, registers, st.sampled_from(CSRS), registers),
    st.builds(asm.csrrsi, registers, st.sampled_from(CSRS), st.integers(0, 31)),
    st.builds(asm.lr_w, registers, registers),
    st.builds(asm.sc_w, registers, registers, registers),
    st.sampled_from(
        [
            *(asm.MRET, asm.SRET, asm.WFI, asm.ECALL, asm.EBREAK),
            *(asm.sfence_vma(), asm.ILLEGAL),
        ]
    ),
)
M_HANDLER, S_HANDLER = OTHER, OTHER + 0x100
values = st.sampled_from(
    [
        *(0, 1, 0xAAA, 0x888, 0x22A, 0x1808, SATP, VIRTUAL, CODE, DATA),
        *(CODE + 16, CODE + 40, S_HANDLER, abi.UART_BASE),
        *(abi.CLINT_BASE, abi.CLINT_BASE + 0x4000),
    ]
)


def skip(epc: int) -> list[int]:
    return [asm.csrr(T6, epc), asm.addi(T6, T6, 4), asm.csrw(epc, T6)]


M_CODE = asm.program(
    skip(abi.CSR_MEPC),
    asm.li(T5, abi.CLINT_BASE),
    asm.sw(ZERO, 0, T5),
    asm.li(T5, abi.CLINT_BASE + 0x4000),
    asm.csrr(T6, abi.CSR_TIME),
    asm.addi(T6, T6, 2),
    asm.sw(T6, 0, T5),
    asm.sw(ZERO, 4, T5),
    asm.csrrwi(ZERO, abi.CSR_MIP, abi.MIP_SSIP),
    asm.MRET,
)
S_CODE = [*skip(abi.CSR_SEPC), asm.csrw(abi.CSR_SIP, ZERO), asm.SRET]


@dataclass(frozen=True)
class Busy:
    """A random program and the world that it starts in."""

    words: list[int]
    regs: list[int]
    priv: int
    page: int  # flags of the leaf that maps all of it, where it is
    medeleg: int
    leaky: bool

    def machine(self, core: Core) -> Machine:
        machine = paged(core, ram=0x10000, leaky=self.leaky)
        machine.poke(slot(abi.RAM_BASE, 1), pte(abi.RAM_BASE, self.page))
        machine.poke(CODE, *self.words, asm.j(-4 * len(self.words)))
        machine.poke(M_HANDLER, *M_CODE)
        machine.poke(S_HANDLER, *S_CODE)
        machine.set(abi.CSR_MTVEC, M_HANDLER)
        machine.set(abi.CSR_STVEC, S_HANDLER)
        machine.set(abi.CSR_MEDELEG, self.medeleg)
        machine.set(abi.CSR_MIDELEG, abi.MIP_SSIP)
        machine.set(abi.CSR_MIE, abi.MIP_MTIP | abi.MIP_SSIP)
        machine.set(abi.CSR_MEPC, CODE + 8)
        machine.lib.machine_set_mtimecmp(machine.raw, 0, 3)
        machine.regs.pc = CODE
        machine.priv(self.priv)
        for i, value in enumerate(self.regs):
            machine.x[i + 1] = value
        return machine


busy = st.builds(
    Busy,
    words=st.lists(instructions, min_size=4, max_size=40),
    regs=st.lists(values, min_size=15, max_size=15),
    priv=st.sampled_from([abi.PRIV_M, abi.PRIV_S, abi.PRIV_U]),
    page=st.sampled_from([V | RWX, V | RWX | U]),
    medeleg=st.sampled_from([0, 1 << 8 | 1 << 2, 0xFFFF]),
    leaky=st.booleans(),
)


@settings(max_examples=4 * settings().max_examples)
@given(busy, st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_a_run_may_be_cut_anywhere(
    core: Core, program: Busy, cuts: list[int]
) -> None:
    whole, parts = program.machine(core), program.machine(core)
    end = 2000
    last = whole.run_until(end)
    at, i = 0, 0
    why = "UNTIL"
    while why == "UNTIL" and at < end:
        at = min(end, at + cuts[i % len(cuts)])
        i += 1
        why = parts.run_until(at)
        if why == "UNTIL":
            assert parts.hart.cycle >= at
    assert why == last
    assert parts.hash() == whole.hash()
    assert whole.x[0] == 0


def test_a_run_stops_exactly(core: Core) -> None:
    machine = core.machine()
    machine.poke(abi.RAM_BASE, asm.addi(A0, A0, 1), asm.j(-4))
    assert machine.run_until(1001) == "UNTIL"
    assert (machine.hart.cycle, machine.hart.instret) == (1001, 1001)
    assert machine.x[A0] == 501
    state = machine.hash()
    for cycle in (0, 1000, 1001):
        assert machine.run_until(cycle) == "UNTIL"
        assert machine.hash() == state


def test_a_stopped_hart_does_not_run(core: Core) -> None:
    machine = core.machine()
    machine.hart.stopped = True
    state = machine.hash()
    assert machine.run(1000) == "IDLE"
    assert machine.hash() == state


# wfi.


def waiting(core: Core, *, mie: int, **options: CData) -> Machine:
    machine = core.machine(time_div=10, **options)
    machine.poke(abi.RAM_BASE, asm.WFI, asm.addi(A0, A0, 1), asm.j(-4))
    machine.set(abi.CSR_MTVEC, abi.RAM_BASE + 0x100)
    machine.set(abi.CSR_MIE, mie)
    return machine


def test_wfi_with_nothing_to_wait_for(core: Core) -> None:
    machine = waiting(core, mie=abi.MIP_MSIP)
    machine.lib.machine_set_mtimecmp(machine.raw, 0, 3)
    assert machine.run(10_000) == "IDLE"  # the timer is not in mie
    assert (machine.hart.cycle, machine.hart.instret) == (1, 1)
    assert machine.hart.waiting
    machine.lib.hart_skip(machine.hart, 5000)
    machine.lib.hart_skip(machine.hart, 400)  # never back
    assert machine.hart.cycle == 5000
    machine.lib.machine_set_msip(machine.raw, 0, 1)
    assert machine.run_until(5001) == "UNTIL"
    assert (machine.x[A0], machine.hart.waiting) == (1, False)


def test_wfi_skips_to_the_timer(core: Core) -> None:
    machine = waiting(core, mie=abi.MIP_MTIP)
    machine.lib.machine_set_mtimecmp(machine.raw, 0, 100)
    assert machine.run_until(500) == "UNTIL"
    assert (machine.hart.cycle, machine.hart.instret) == (500, 1)
    assert machine.run_until(1001) == "UNTIL"
    assert machine.hart.instret == 2  # at cycle 1000, and not interrupted:
    assert machine.x[A0] == 1  # mstatus.MIE is off


def test_wfi_and_then_the_interrupt(core: Core) -> None:
    machine = waiting(core, mie=abi.MIP_MTIP)
    machine.set(abi.CSR_MSTATUS, abi.MSTATUS_MIE)
    machine.lib.machine_set_mtimecmp(machine.raw, 0, 100)
    machine.run_until(1001)
    assert machine.csr.mcause == abi.CAUSE_INTERRUPT | 7
    assert machine.csr.mepc == abi.RAM_BASE + 4
    assert machine.hart.cycle == 1000 + machine.costs["trap"]


def test_wfi_with_something_pending_goes_on(core: Core) -> None:
    machine = waiting(core, mie=abi.MIP_SSIP)
    machine.set(abi.CSR_MIP, abi.MIP_SSIP)
    machine.run(2)
    assert (machine.hart.cycle, machine.x[A0]) == (2, 1)


def test_a_timer_beyond_the_end_of_time_never_comes(core: Core) -> None:
    for time in (NEVER, NEVER // 10 + 1):
        machine = waiting(core, mie=abi.MIP_MTIP)
        machine.lib.machine_set_mtimecmp(machine.raw, 0, time)
        assert machine.run(10_000) == "IDLE"
    to_cycle = core.lib.machine_time_to_cycle
    assert to_cycle(machine.raw, NEVER) == NEVER
    assert to_cycle(machine.raw, 12) == 120


# The timer.


@pytest.mark.parametrize("time", range(8))
def test_the_timer_comes_at_its_cycle(core: Core, time: int) -> None:
    machine = core.machine(time_div=3)
    machine.poke(abi.RAM_BASE, *[asm.NOP] * 40)
    machine.set(abi.CSR_MTVEC, abi.RAM_BASE + 0x100)
    machine.set(abi.CSR_MIE, abi.MIP_MTIP)
    machine.set(abi.CSR_MSTATUS, abi.MSTATUS_MIE)
    machine.lib.machine_set_mtimecmp(machine.raw, 0, time)
    machine.run_until(3 * time + 1)
    assert machine.csr.mepc == abi.RAM_BASE + 4 * 3 * time
    assert machine.hart.instret == 3 * time


def test_a_guest_sets_its_timer(core: Core) -> None:
    machine = core.machine(time_div=1)
    base = abi.CLINT_BASE
    code = asm.program(
        asm.li(T0, base + 0x4000),
        asm.li(T1, 50),
        asm.sw(ZERO, 4, T0),
        asm.sw(T1, 0, T0),
        asm.j(0),
    )
    machine.poke(abi.RAM_BASE, *code)
    machine.set(abi.CSR_MTVEC, abi.RAM_BASE + 0x100)
    machine.set(abi.CSR_MIE, abi.MIP_MTIP)
    machine.set(abi.CSR_MSTATUS, abi.MSTATUS_MIE)
    machine.run_until(51)
    assert machine.hart.instret == 50
    assert machine.csr.mcause == abi.CAUSE_INTERRUPT | 7
    # Moving it into the future takes the request back.
    assert machine.get(abi.CSR_MIP) == abi.MIP_MTIP
    machine.lib.machine_set_mtimecmp(machine.raw, 0, 10**6)
    assert machine.get(abi.CSR_MIP) == 0
    assert machine.lib.machine_mtimecmp(machine.raw, 0) == 10**6


def test_each_hart_has_its_own_time(core: Core) -> None:
    machine = core.machine(harts=2, time_div=1)
    first, second = machine.harts
    second.cycle = 777
    code = asm.program(
        asm.li(T0, abi.CLINT_BASE + 0xBFF8),
        asm.lw(A0, 0, T0),
        asm.csrr(A1, abi.CSR_TIME),
    )
    machine.poke(abi.RAM_BASE, *code)
    machine.run(4, first)
    machine.run(4, second)
    assert list(first.regs.x[A0 : A1 + 1]) == [2, 3]
    assert list(second.regs.x[A0 : A1 + 1]) == [779, 780]
    assert machine.lib.hart_time(second) == 781


def test_one_hart_interrupts_another(core: Core) -> None:
    machine = core.machine(harts=2)
    first, second = machine.harts
    machine.poke(
        abi.RAM_BASE, *asm.li(T0, abi.CLINT_BASE + 4), asm.li(T1, 1)[1]
    )
    machine.poke(abi.RAM_BASE + 12, asm.sw(T1, 0, T0))
    machine.poke(abi.RAM_BASE + 0x40, asm.WFI)
    second.regs.pc = abi.RAM_BASE + 0x40
    machine.lib.hart_csr_write(second, abi.CSR_MIE, abi.MIP_MSIP)
    machine.lib.hart_csr_write(second, abi.CSR_MSTATUS, abi.MSTATUS_MIE)
    assert machine.run(100, second) == "IDLE"
    machine.run(4, first)
    machine.run(1, second)
    assert second.csr.mcause == abi.CAUSE_INTERRUPT | 3
    assert first.csr.mip == 0


# Charging and counting.


def test_charges_move_the_clock(core: Core) -> None:
    machine = core.machine(costs={"exit": 60})
    kinds = core.ffi.typeof("enum cost").relements
    machine.lib.hart_charge(machine.hart, kinds["COST_exit"], 3)
    assert machine.hart.cycle == 180
    machine.lib.hart_charge(machine.hart, kinds["COST_exit"], 0xFFFFFFFF)
    assert machine.hart.cycle == 180 + 60 * 0xFFFFFFFF


def test_counters(core: Core) -> None:
    machine = core.machine()
    machine.x[A0] = abi.RAM_BASE + 0x800
    words = [
        asm.lw(A1, 0, A0), asm.lb(A1, 0, A0), asm.lr_w(A1, A0),
        asm.sw(A1, 0, A0), asm.sc_w(A1, A1, A0), asm.amoadd_w(A1, A1, A0),
        asm.sfence_vma(), asm.ECALL,
    ]  # fmt: skip
    machine.execute(*words)
    count = machine.count
    assert (count.loads, count.stores, count.fences) == (3, 3, 1)
    assert (count.traps_m, count.traps_s) == (1, 0)
    assert machine.hart.instret == 7


# The hash.

Change = Callable[[Machine], object]


def test_the_hash_sees_every_part(core: Core) -> None:
    def hashed(change: Change) -> int:
        machine = core.machine(ram=8192, harts=2)
        change(machine)
        return machine.hash()

    def store(pa: int, size: int, value: int) -> Change:
        return lambda m: m.lib.machine_store(m.raw, m.hart, pa, size, value)

    changes: list[Change] = [
        lambda m: m.set(abi.CSR_SATP, 0),
        lambda m: m.write(abi.RAM_BASE, b"\1"),
        lambda m: m.write(abi.RAM_BASE + 8191, b"\1"),
        lambda m: setattr(m.hart, "cycle", 1),
        lambda m: setattr(m.hart, "instret", 1),
        lambda m: setattr(m.hart, "waiting", True),
        lambda m: setattr(m.hart, "stopped", True),
        lambda m: setattr(m.hart, "reserved", True),
        lambda m: setattr(m.hart, "priv", 1),
        lambda m: setattr(m.harts[1], "priv", 1),
        lambda m: setattr(m.regs, "pc", 4),
        lambda m: m.x.__setitem__(31, 1),
        lambda m: m.set(abi.CSR_STVAL, 1),
        lambda m: m.set(abi.CSR_SATP, 1),
        lambda m: setattr(m.count, "fences", 1),
        lambda m: m.lib.machine_set_msip(m.raw, 1, 1),
        lambda m: m.lib.machine_set_mtimecmp(m.raw, 1, 1),
        lambda m: m.input(b"x"),
        lambda m: m.input(b"y"),
        store(abi.PLIC_BASE + 4, 4, 1),
        store(abi.PLIC_BASE + 0x2000, 4, 2),
        store(abi.PLIC_BASE + 0x200000, 4, 1),
        store(abi.UART_BASE + 7, 1, 1),
        store(abi.UART_BASE + 1, 1, 1),
        store(abi.TEST_BASE, 4, 0x5555),
        store(abi.TEST_BASE, 4, 0x7777),
        lambda m: m.lib.tlb_insert(
            core.ffi.addressof(m.hart, "tlb"), 1, 0, 0x1000, 0x2000, 0
        ),
    ]
    hashes = [hashed(change) for change in changes]
    assert len(set(hashes)) == len(changes)
    assert hashes == [hashed(change) for change in changes]
    machine = core.machine()
    assert machine.hash(1) != machine.hash(2)
