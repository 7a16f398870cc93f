"""Into trap handlers and out of them: causes, delegation, vectors, returns."""

from dataclasses import dataclass

import pytest

from . import asm
from .asm import A0, A1, A2, RA, ZERO
from .core import CData, Core, Machine, abi

M, S, U = abi.PRIV_M, abi.PRIV_S, abi.PRIV_U
CODE = abi.RAM_BASE
MTVEC, STVEC = CODE + 0x1000, CODE + 0x2000
DATA = CODE + 0x3000
NOWHERE = 0x40000000
INTERRUPT = abi.CAUSE_INTERRUPT

MIE, SIE = abi.MSTATUS_MIE, abi.MSTATUS_SIE
MPIE, SPIE = abi.MSTATUS_MPIE, abi.MSTATUS_SPIE
MPP, SPP, MPRV = abi.MSTATUS_MPP, abi.MSTATUS_SPP, abi.MSTATUS_MPRV


def ready(core: Core, **options: CData) -> Machine:
    machine = core.machine(ram=0x4000, **options)
    machine.set(abi.CSR_MTVEC, MTVEC)
    machine.set(abi.CSR_STVEC, STVEC)
    return machine


@pytest.fixture
def machine(core: Core) -> Machine:
    return ready(core)


@dataclass(frozen=True)
class Case:
    """One instruction that traps; a0 holds `a0`, tval must be `tval`."""

    name: str
    word: int
    cause: int
    tval: int
    a0: int = 0


LOADS = [asm.lb, asm.lh, asm.lw, asm.lbu, asm.lhu]
STORES = [asm.sb, asm.sh, asm.sw]
AMO = asm.amoadd_w(A1, A2, A0)
LR, SC = asm.lr_w(A1, A0), asm.sc_w(A1, A2, A0)
CASES = [
    Case("illegal", asm.ILLEGAL, abi.CAUSE_ILLEGAL, asm.ILLEGAL),
    Case("csr", asm.csrr(A0, 0x7FF), abi.CAUSE_ILLEGAL, asm.csrr(A0, 0x7FF)),
    Case("ebreak", asm.EBREAK, abi.CAUSE_BREAKPOINT, CODE),
    Case("jal", asm.jal(RA, 6), abi.CAUSE_FETCH_MISALIGNED, CODE + 6),
    Case("jalr", asm.jalr(RA, 0, A0), abi.CAUSE_FETCH_MISALIGNED, 2, a0=3),
    Case(
        "branch",
        asm.beq(ZERO, ZERO, -2),
        abi.CAUSE_FETCH_MISALIGNED,
        CODE - 2,
    ),
    *[
        Case("load", op(A1, 1, A0), abi.CAUSE_LOAD_MISALIGNED, DATA + 1, DATA)
        for op in (asm.lh, asm.lw, asm.lhu)
    ],
    *[
        Case("store", op(A1, 3, A0), abi.CAUSE_STORE_MISALIGNED, DATA + 3, DATA)
        for op in (asm.sh, asm.sw)
    ],
    Case("lr", LR, abi.CAUSE_LOAD_MISALIGNED, DATA + 2, DATA + 2),
    Case("sc", SC, abi.CAUSE_STORE_MISALIGNED, DATA + 2, DATA + 2),
    Case("amo", AMO, abi.CAUSE_STORE_MISALIGNED, DATA + 2, DATA + 2),
    *[
        Case("load", op(A1, 8, A0), abi.CAUSE_LOAD_ACCESS, NOWHERE + 8, NOWHERE)
        for op in LOADS
    ],
    *[Case("store", op(A1, 8, A0), 7, NOWHERE + 8, NOWHERE) for op in STORES],
    Case("lr", LR, abi.CAUSE_LOAD_ACCESS, NOWHERE, NOWHERE),
    Case("sc", SC, abi.CAUSE_STORE_ACCESS, NOWHERE, NOWHERE),
    Case("amo", AMO, abi.CAUSE_STORE_ACCESS, NOWHERE, NOWHERE),
    # Of two faults, the misaligned address wins.
    Case("both", asm.lw(A1, 1, A0), 4, NOWHERE + 1, NOWHERE),
    # Devices: no atomics, and only the width that their registers have.
    Case("lr", LR, abi.CAUSE_LOAD_ACCESS, abi.CLINT_BASE, abi.CLINT_BASE),
    Case("sc", SC, abi.CAUSE_STORE_ACCESS, abi.CLINT_BASE, abi.CLINT_BASE),
    Case("amo", AMO, abi.CAUSE_STORE_ACCESS, abi.CLINT_BASE, abi.CLINT_BASE),
    Case("width", asm.lb(A1, 0, A0), 5, abi.PLIC_BASE, abi.PLIC_BASE),
    Case("width", asm.lw(A1, 0, A0), 5, abi.UART_BASE, abi.UART_BASE),
    Case("width", asm.sh(A1, 0, A0), 7, abi.CLINT_BASE, abi.CLINT_BASE),
    # The last byte of RAM is there, the next is not.
    Case("end", asm.lb(A1, 0, A0), 5, CODE + 0x4000, CODE + 0x4000),
]


@pytest.mark.parametrize("priv", [M, S, U])
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.name}-{c.word:08x}")
def test_exceptions(machine: Machine, case: Case, priv: int) -> None:
    machine.poke(CODE, case.word)
    machine.x[A0] = case.a0
    machine.x[A1] = machine.x[RA] = 0x1234
    before = machine.read(CODE, 0x4000)
    machine.priv(priv)
    assert machine.step() == "UNTIL"
    csr = machine.csr
    assert (csr.mcause, csr.mtval) == (case.cause, case.tval)
    assert (csr.mepc, machine.regs.pc) == (CODE, MTVEC)
    assert machine.hart.priv == M
    assert (csr.mstatus & MPP) >> abi.MSTATUS_MPP_SHIFT == priv
    # It did not retire, and changed nothing else.
    assert machine.x[A1] == machine.x[RA] == 0x1234
    assert machine.read(CODE, 0x4000) == before
    assert machine.hart.instret == 0
    assert machine.hart.cycle == machine.costs["trap"]
    assert (machine.count.traps_m, machine.count.irqs_m) == (1, 0)


@pytest.mark.parametrize(("priv", "cause"), [(U, 8), (S, 9), (M, 11)])
def test_ecall_names_the_mode(machine: Machine, priv: int, cause: int) -> None:
    machine.execute(asm.ECALL, priv=priv)
    assert (machine.csr.mcause, machine.csr.mtval) == (cause, 0)


def test_jumping_to_nowhere_faults_at_the_target(machine: Machine) -> None:
    machine.x[A0] = NOWHERE
    machine.execute(asm.jalr(RA, 0, A0))
    assert machine.x[RA] == CODE + 4  # the jump itself is fine
    machine.step()
    csr = machine.csr
    assert (csr.mcause, csr.mepc, csr.mtval) == (1, NOWHERE, NOWHERE)


def test_devices_hold_no_code(machine: Machine) -> None:
    machine.regs.pc = abi.UART_BASE
    machine.step()
    assert (machine.csr.mcause, machine.csr.mtval) == (1, abi.UART_BASE)


def test_a_branch_that_is_not_taken_may_point_anywhere(
    machine: Machine,
) -> None:
    machine.execute(asm.bne(ZERO, ZERO, 6))
    assert machine.regs.pc == CODE + 4


def test_a_debugger_may_set_an_odd_pc(machine: Machine) -> None:
    machine.regs.pc = CODE + 2
    machine.step()
    csr = machine.csr
    assert (csr.mcause, csr.mepc, csr.mtval) == (0, CODE, CODE + 2)


# Delegation.


@pytest.mark.parametrize("priv", [M, S, U])
def test_delegated_exceptions_go_to_s_but_never_down(
    machine: Machine, priv: int
) -> None:
    machine.set(abi.CSR_MEDELEG, 0xFFFF)
    machine.set(abi.CSR_MSTATUS, SIE | MIE)
    machine.execute(asm.EBREAK, priv=priv)
    csr = machine.csr
    if priv == M:
        assert (csr.mcause, machine.regs.pc, machine.hart.priv) == (3, MTVEC, M)
        assert csr.mstatus == MPP | MPIE | SIE
        return
    assert (csr.scause, csr.sepc, csr.stval) == (3, CODE, CODE)
    assert (machine.regs.pc, machine.hart.priv) == (STVEC, S)
    assert csr.mstatus == MIE | SPIE | (SPP if priv == S else 0)
    assert csr.mcause == csr.mepc == csr.mtval == 0
    assert (machine.count.traps_s, machine.count.traps_m) == (1, 0)


def test_each_cause_has_its_own_bit(core: Core) -> None:
    for case in CASES:
        machine = ready(core)
        machine.set(abi.CSR_MEDELEG, 0xFFFF & ~(1 << case.cause))
        machine.x[A0] = case.a0
        machine.execute(case.word, priv=U)
        assert machine.hart.priv == M
        machine = ready(core)
        machine.set(abi.CSR_MEDELEG, 1 << case.cause)
        machine.x[A0] = case.a0
        machine.execute(case.word, priv=U)
        assert machine.hart.priv == S


# Interrupts.

PRIORITY = [11, 3, 7, 9, 1, 5]  # MEI MSI MTI SEI SSI STI


def raise_all(machine: Machine) -> None:
    """Make every interrupt pending that a device or software can raise."""
    machine.lib.machine_set_msip(machine.raw, 0, 1)
    machine.lib.machine_set_mtimecmp(machine.raw, 0, 0)
    machine.set(abi.CSR_MIP, abi.SIP_MASK)
    store, plic = machine.lib.machine_store, abi.PLIC_BASE
    for pa, value in [
        (plic + 4 * abi.UART_IRQ, 7),
        (plic + 0x2000, 1 << abi.UART_IRQ),
    ]:
        assert store(machine.raw, machine.hart, pa, 4, value)
    assert store(machine.raw, machine.hart, abi.UART_BASE + 1, 1, 2)


def test_interrupts_come_in_the_order_of_priority(machine: Machine) -> None:
    raise_all(machine)
    assert machine.get(abi.CSR_MIP) == 0xAAA
    enabled = 0xAAA
    for irq in PRIORITY:
        machine.set(abi.CSR_MIE, enabled)
        machine.regs.pc = CODE + 0x40
        machine.priv(U)
        machine.run(1)
        assert machine.csr.mcause == INTERRUPT | irq
        assert (machine.csr.mepc, machine.csr.mtval) == (CODE + 0x40, 0)
        enabled &= ~(1 << irq)
    assert machine.count.irqs_m == 6
    assert machine.hart.instret == 0


def test_interrupts_to_m_come_before_those_to_s(machine: Machine) -> None:
    raise_all(machine)
    machine.set(abi.CSR_MIDELEG, abi.MIP_SEIP)
    machine.set(abi.CSR_MIE, abi.MIP_SEIP | abi.MIP_STIP)
    machine.priv(U)
    machine.run(1)
    assert machine.csr.mcause == INTERRUPT | 5
    machine.priv(U)
    machine.set(abi.CSR_MIE, abi.MIP_SEIP)
    machine.run(1)
    assert machine.csr.scause == INTERRUPT | 9
    assert machine.count.irqs_s == 1


@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("mie", [False, True])
@pytest.mark.parametrize("sie", [False, True])
@pytest.mark.parametrize("priv", [M, S, U])
def test_who_is_interrupted(
    machine: Machine, priv: int, *, sie: bool, mie: bool, delegated: bool
) -> None:
    machine.set(abi.CSR_MIDELEG, abi.MIP_SSIP if delegated else 0)
    machine.set(abi.CSR_MIE, abi.MIP_SSIP)
    machine.set(abi.CSR_MIP, abi.MIP_SSIP)
    machine.set(abi.CSR_MSTATUS, (SIE if sie else 0) | (MIE if mie else 0))
    machine.execute(asm.NOP, priv=priv)
    if delegated:
        due = priv == U or (priv == S and sie)
        assert machine.hart.priv == (S if due else priv)
    else:
        due = priv != M or mie
        assert machine.hart.priv == (M if due else priv)
    assert machine.hart.instret == (0 if due else 1)
    assert machine.hart.reserved is False


def test_vectored_mode_spreads_interrupts_only(machine: Machine) -> None:
    machine.set(abi.CSR_MTVEC, MTVEC | 1)
    machine.set(abi.CSR_STVEC, STVEC | 1)
    machine.execute(asm.EBREAK, priv=U)
    assert machine.regs.pc == MTVEC
    machine.set(abi.CSR_MIE, 0xAAA)
    machine.set(abi.CSR_MIP, abi.MIP_STIP)
    machine.priv(U)
    machine.run(1)
    assert machine.regs.pc == MTVEC + 4 * 5
    machine.set(abi.CSR_MIDELEG, abi.MIP_STIP)
    machine.priv(U)
    machine.run(1)
    assert machine.regs.pc == STVEC + 4 * 5


# The instruction that lets an interrupt in is itself finished first.
LETS_IN = [
    asm.csrrs(ZERO, abi.CSR_MSTATUS, A0),  # a0 = MIE
    asm.csrrs(ZERO, abi.CSR_MIE, A1),
    asm.csrrs(ZERO, abi.CSR_MIP, A1),
    asm.MRET,
]


@pytest.mark.parametrize("last", range(len(LETS_IN)))
def test_an_interrupt_comes_before_the_next_instruction(
    machine: Machine, last: int
) -> None:
    machine.x[A0], machine.x[A1] = MIE, abi.MIP_SSIP
    if last != 0:
        machine.set(abi.CSR_MSTATUS, MPIE if last == 3 else MIE)
    if last != 1:
        machine.set(abi.CSR_MIE, abi.MIP_SSIP)
    if last != 2:
        machine.set(abi.CSR_MIP, abi.MIP_SSIP)
    machine.set(abi.CSR_MEPC, CODE + 4)
    machine.poke(CODE, LETS_IN[last], asm.NOP, asm.NOP)
    machine.run(10)
    assert machine.hart.instret == 1
    assert machine.csr.mcause == INTERRUPT | 1
    assert machine.csr.mepc == CODE + 4


# Returns.


@pytest.mark.parametrize("to", [U, S, M])
@pytest.mark.parametrize("pie", [0, 1])
def test_mret(machine: Machine, to: int, pie: int) -> None:
    machine.set(abi.CSR_MEPC, CODE + 0x123)
    status = to << abi.MSTATUS_MPP_SHIFT | pie * MPIE | MPRV | SIE
    machine.set(abi.CSR_MSTATUS, status | (MIE if not pie else 0))
    machine.execute(asm.MRET)
    assert (machine.hart.priv, machine.regs.pc) == (to, CODE + 0x120)
    expected = MPIE | SIE | (MIE if pie else 0) | (MPRV if to == M else 0)
    assert machine.csr.mstatus == expected
    assert machine.hart.cycle == 1 + machine.costs["xret"]
    assert machine.hart.instret == 1


@pytest.mark.parametrize("of", [M, S])
@pytest.mark.parametrize("to", [U, S])
@pytest.mark.parametrize("pie", [0, 1])
def test_sret(machine: Machine, of: int, to: int, pie: int) -> None:
    machine.set(abi.CSR_SEPC, CODE + 0x123)
    status = (SPP if to == S else 0) | pie * SPIE | MPRV | MIE | MPP
    machine.set(abi.CSR_MSTATUS, status | (SIE if not pie else 0))
    machine.execute(asm.SRET, priv=of)
    assert (machine.hart.priv, machine.regs.pc) == (to, CODE + 0x120)
    assert machine.csr.mstatus == SPIE | MIE | MPP | (SIE if pie else 0)


# What mstatus can take away from S.

HOOKS = [
    (abi.MSTATUS_TVM, asm.csrr(A0, abi.CSR_SATP)),
    (abi.MSTATUS_TVM, asm.csrw(abi.CSR_SATP, ZERO)),
    (abi.MSTATUS_TVM, asm.sfence_vma()),
    (abi.MSTATUS_TSR, asm.SRET),
    (abi.MSTATUS_TW, asm.WFI),
]


@pytest.mark.parametrize(("hook", "word"), HOOKS)
def test_hooks_trap_s_and_only_s(core: Core, hook: int, word: int) -> None:
    others = abi.MSTATUS_TVM | abi.MSTATUS_TSR | abi.MSTATUS_TW
    for priv, bits, traps in [
        (S, hook, True),
        (S, others & ~hook, False),
        (M, others, False),
        (U, 0, True),
    ]:
        machine = ready(core)
        machine.set(abi.CSR_MSTATUS, bits)
        machine.execute(word, priv=priv)
        assert (machine.count.traps_m == 1) == traps
        if traps:
            assert machine.csr.mcause == abi.CAUSE_ILLEGAL
            assert machine.csr.mtval == word


# Profile `leaky`.

LEAKS = [
    asm.csrr(A0, abi.CSR_SSTATUS),
    asm.csrrw(A0, abi.CSR_SSTATUS, A1),
    asm.csrrci(A0, abi.CSR_SSTATUS, 31),
    asm.csrr(A0, abi.CSR_SATP),
    asm.csrrw(A0, abi.CSR_SATP, A1),
    asm.SRET,
]
SEALED = [
    asm.csrr(A0, abi.CSR_STVEC),
    asm.csrr(A0, abi.CSR_SIE),
    asm.csrr(A0, abi.CSR_MSTATUS),
    asm.MRET,
    asm.WFI,
    asm.sfence_vma(),
]


@pytest.mark.parametrize("word", LEAKS)
def test_leaky_user_mode_does_not_trap(core: Core, word: int) -> None:
    machine = ready(core, leaky=True)
    machine.set(abi.CSR_MSTATUS, SIE | SPP | abi.MSTATUS_TVM)
    machine.set(abi.CSR_SATP, 0x1234)
    machine.x[A1] = 0xFFFFFFFF
    before = (machine.csr.mstatus, machine.csr.satp)
    machine.execute(word, priv=U)
    assert machine.regs.pc == CODE + 4
    assert machine.hart.priv == U
    assert (machine.csr.mstatus, machine.csr.satp) == before
    assert machine.hart.cycle == machine.hart.instret == 1
    if word != asm.SRET:
        real = SIE | SPP if word >> 20 == abi.CSR_SSTATUS else 0x1234
        assert machine.x[A0] == real


@pytest.mark.parametrize("word", LEAKS)
def test_clean_user_mode_traps(machine: Machine, word: int) -> None:
    machine.execute(word, priv=U)
    assert machine.csr.mcause == abi.CAUSE_ILLEGAL


@pytest.mark.parametrize("word", SEALED)
def test_leaky_leaks_nothing_else(core: Core, word: int) -> None:
    machine = ready(core, leaky=True)
    machine.execute(word, priv=U)
    assert machine.csr.mcause == abi.CAUSE_ILLEGAL


def test_leaky_is_as_strict_in_s(core: Core) -> None:
    for hook, word in HOOKS:
        machine = ready(core, leaky=True)
        machine.set(abi.CSR_MSTATUS, hook)
        machine.execute(word, priv=S)
        assert machine.csr.mcause == abi.CAUSE_ILLEGAL


# Reservations.


def reserve(machine: Machine) -> None:
    machine.x[A0] = DATA
    machine.execute(asm.lr_w(A1, A0))
    assert machine.hart.reserved


def sc_succeeds(machine: Machine) -> bool:
    machine.execute(asm.sc_w(A2, ZERO, A0))
    assert machine.hart.reserved is False
    return bool(machine.x[A2] == 0)


def test_sc_needs_a_reservation_and_spends_it(machine: Machine) -> None:
    machine.poke(DATA, 77, 88)
    reserve(machine)
    assert machine.x[A1] == 77
    machine.execute(asm.NOP)
    assert sc_succeeds(machine)
    assert machine.peek(DATA) == 0
    assert not sc_succeeds(machine)
    reserve(machine)
    machine.x[A0] = DATA + 4
    assert not sc_succeeds(machine)
    assert machine.peek(DATA + 4) == 88
    machine.x[A0] = DATA
    assert not sc_succeeds(machine)


def test_any_trap_drops_the_reservation(machine: Machine) -> None:
    reserve(machine)
    machine.execute(asm.ECALL)
    assert not machine.hart.reserved
    reserve(machine)
    machine.set(abi.CSR_MIE, abi.MIP_SSIP)
    machine.set(abi.CSR_MIP, abi.MIP_SSIP)
    machine.set(abi.CSR_MSTATUS, MIE)
    machine.step()
    assert not machine.hart.reserved


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("at", range(-4, 8))
def test_any_store_to_the_word_drops_the_reservation(
    core: Core, at: int, size: int
) -> None:
    if at % size:
        return
    hit = 0 <= at < 4
    machine = ready(core, harts=2)
    reserve(machine)
    other = machine.harts[1]
    other.regs.pc = CODE + 0x800
    other.regs.x[A0] = DATA + at
    store = {1: asm.sb, 2: asm.sh, 4: asm.sw}[size]
    machine.poke(CODE + 0x800, store(A1, 0, A0))
    assert machine.run(1, other) == "UNTIL"
    assert sc_succeeds(machine) == (not hit)
    reserve(machine)
    machine.write(DATA + at, bytes(size))  # from outside
    assert sc_succeeds(machine) == (not hit)


def test_long_writes_from_outside_drop_the_reservation(
    machine: Machine,
) -> None:
    reserve(machine)
    machine.write(DATA - 16, bytes(100))
    assert not machine.hart.reserved
    reserve(machine)
    assert machine.lib.machine_ram_zero(machine.raw, DATA - 4, 4)
    assert machine.hart.reserved
    assert machine.lib.machine_ram_zero(machine.raw, DATA - 4, 5)
    assert not machine.hart.reserved


# Native M-mode.


def test_native_m_mode_is_the_caller(core: Core) -> None:
    machine = ready(core, native_m=True)
    machine.set(abi.CSR_MSTATUS, MIE)
    machine.regs.pc = CODE + 8
    machine.poke(CODE + 8, asm.ECALL, asm.NOP)
    machine.priv(S)
    assert machine.run(100) == "TRAP_M"
    csr = machine.csr
    assert (csr.mcause, csr.mepc, csr.mtval) == (9, CODE + 8, 0)
    assert (machine.hart.priv, machine.regs.pc) == (M, CODE + 8)
    assert csr.mstatus == MPIE | S << abi.MSTATUS_MPP_SHIFT
    assert machine.hart.cycle == machine.costs["trap"]
    # Nothing can run until the caller says in which mode.
    state = machine.hash()
    assert machine.run(100) == "IDLE"
    assert machine.hash() == state
    machine.regs.pc = csr.mepc + 4
    machine.priv(S)
    assert machine.step() == "UNTIL"
    assert machine.hart.instret == 1


def test_native_traps_to_s_do_not_return(core: Core) -> None:
    machine = ready(core, native_m=True)
    machine.set(abi.CSR_MEDELEG, 1 << abi.CAUSE_ECALL_U)
    machine.poke(CODE, asm.ECALL)
    machine.poke(STVEC, asm.csrr(A0, abi.CSR_SCAUSE), asm.j(0))
    machine.priv(U)
    assert machine.run(100) == "UNTIL"
    assert (machine.x[A0], machine.hart.priv) == (8, S)


def test_native_m_mode_gets_interrupts(core: Core) -> None:
    machine = ready(core, native_m=True)
    machine.poke(CODE, asm.j(0))
    machine.set(abi.CSR_MIE, abi.MIP_MTIP)
    machine.lib.machine_set_mtimecmp(machine.raw, 0, 5)
    machine.priv(U)
    assert machine.run(1000) == "TRAP_M"
    assert machine.csr.mcause == INTERRUPT | 7
    assert machine.hart.instret == 50


def test_a_mode_that_does_not_exist_is_not_entered(machine: Machine) -> None:
    machine.priv(2)
    assert machine.hart.priv == M
    machine.priv(77)
    assert machine.hart.priv == M
