"""Extension H: into handlers of HS and VS and back, its interrupts, its TLB.

Privileged Specification (20240411), 18.6: Traps.
"""

import pytest

from . import asm
from .asm import A0, A1, A2, ZERO
from .core import Core, Machine, abi
from .test_h_csr import HS, MODES, VS, VU, M, Mode, U

CODE = abi.RAM_BASE
MTVEC, STVEC, VSTVEC = CODE + 0x1000, CODE + 0x2000, CODE + 0x3000
SPP, SPIE, SIE = abi.MSTATUS_SPP, abi.MSTATUS_SPIE, abi.MSTATUS_SIE
SPV, SPVP = abi.HSTATUS_SPV, abi.HSTATUS_SPVP
GVA, MPV = abi.MSTATUSH_GVA, abi.MSTATUSH_MPV
INTERRUPT = abi.CAUSE_INTERRUPT


@pytest.fixture
def machine(core: Core) -> Machine:
    return ready(core)


def ready(core: Core) -> Machine:
    machine = core.machine(h_ext=True)
    machine.set(abi.CSR_MTVEC, MTVEC)
    machine.set(abi.CSR_STVEC, STVEC)
    machine.set(abi.CSR_VSTVEC, VSTVEC)
    return machine


def run(machine: Machine, mode: Mode, *words: int) -> None:
    mode.enter(machine)
    machine.regs.pc = CODE
    machine.poke(CODE, *words)
    for _ in words:
        machine.step()


def mode_of(machine: Machine) -> tuple[int, bool]:
    return machine.hart.priv, machine.hart.virt


ECALLS = {M: 11, HS: 9, U: 8, VS: 10, VU: 8}
NOWHERE = 0x40000000


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_ecall_names_the_mode(machine: Machine, mode: Mode) -> None:
    run(machine, mode, asm.ECALL)
    assert machine.csr.mcause == ECALLS[mode]


def cases(mode: Mode) -> list[tuple[int, int, bool]]:
    """(instruction, cause, its tval is an address); a0 is nowhere."""
    return [
        (asm.ECALL, ECALLS[mode], False),
        (asm.ILLEGAL, 2, False),
        (asm.EBREAK, 3, True),
        (asm.lw(A1, 1, A0), 4, True),
        (asm.lw(A1, 0, A0), 5, True),
        (asm.sw(A1, 1, A0), 6, True),
        (asm.sw(A1, 0, A0), 7, True),
        (asm.csrr(A0, abi.CSR_HSTATUS), 22, False),
    ]


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("medeleg", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("hedeleg", [0, 0xFFFFFFFF])
def test_who_gets_an_exception(
    machine: Machine, mode: Mode, medeleg: int, hedeleg: int
) -> None:
    machine.set(abi.CSR_MEDELEG, medeleg)
    machine.set(abi.CSR_HEDELEG, hedeleg)
    for word, cause, address in cases(mode):
        if cause == 22 and not mode.virt:
            continue
        for name in ("MSTATUS", "VSSTATUS", "HSTATUS", "MSTATUSH"):
            machine.set(getattr(abi, f"CSR_{name}"), 0)
        machine.set(abi.CSR_HSTATUS, SPVP)
        machine.x[A0] = NOWHERE
        run(machine, mode, word)
        csr = machine.csr
        delegable = not (mode is M or cause == 11)
        to_vs = mode.virt and medeleg and hedeleg and cause not in {9, 10, 22}
        gva = address and mode.virt
        if to_vs:
            assert mode_of(machine) == (1, True)
            assert machine.regs.pc == VSTVEC
            assert (csr.vscause, csr.vsepc) == (cause, CODE)
            assert bool(csr.vsstatus & SPP) == (mode.priv == 1)
            # Nobody above hears of it.
            assert csr.hstatus == SPVP
            assert csr.mstatus & SPP == 0
        elif medeleg and delegable:
            assert mode_of(machine) == (1, False)
            assert machine.regs.pc == STVEC
            assert (csr.scause, csr.sepc) == (cause, CODE)
            assert bool(csr.mstatus & SPP) == (mode.priv == 1)
            assert bool(csr.hstatus & SPV) == mode.virt
            assert bool(csr.hstatus & abi.HSTATUS_GVA) == gva
            # SPVP is of the last trap from a guest.
            kept = mode.priv == 1 if mode.virt else True
            assert bool(csr.hstatus & SPVP) == kept
            assert (csr.htval, csr.htinst) == (0, 0)
        else:
            assert mode_of(machine) == (3, False)
            assert machine.regs.pc == MTVEC
            assert (csr.mcause, csr.mepc) == (cause, CODE)
            assert csr.mstatush == MPV * mode.virt | GVA * gva
            assert (csr.mtval2, csr.mtinst) == (0, 0)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_mret_goes_where_mpp_and_mpv_say(machine: Machine, mode: Mode) -> None:
    machine.set(abi.CSR_MSTATUS, mode.priv << 11 | abi.MSTATUS_MPRV)
    machine.set(abi.CSR_MSTATUSH, MPV | GVA if mode.virt else 0)
    machine.set(abi.CSR_MEPC, CODE)
    run(machine, M, asm.MRET)
    assert mode_of(machine) == (mode.priv, mode.virt)
    assert not machine.csr.mstatush & MPV


def test_mpv_does_not_matter_to_m(machine: Machine) -> None:
    machine.set(abi.CSR_MSTATUS, abi.MSTATUS_MPP)
    machine.set(abi.CSR_MSTATUSH, MPV)
    run(machine, M, asm.MRET)
    assert mode_of(machine) == (3, False)
    assert machine.csr.mstatush == 0


@pytest.mark.parametrize("mode", [HS, U, VS, VU], ids=str)
@pytest.mark.parametrize("where", [M, HS], ids=str)
def test_sret_goes_where_spp_and_spv_say(
    machine: Machine, mode: Mode, where: Mode
) -> None:
    machine.set(abi.CSR_SSTATUS, SPP * mode.priv | SPIE)
    machine.set(abi.CSR_VSSTATUS, 0)
    machine.set(abi.CSR_HSTATUS, SPV * mode.virt | SPVP)
    machine.set(abi.CSR_SEPC, CODE + 0x40)
    run(machine, where, asm.SRET)
    assert mode_of(machine) == (mode.priv, mode.virt)
    assert machine.regs.pc == CODE + 0x40
    assert machine.csr.hstatus == SPVP
    assert machine.get(abi.CSR_SSTATUS) == SIE | SPIE
    assert machine.csr.vsstatus == 0


@pytest.mark.parametrize("mode", [VS, VU], ids=str)
def test_sret_of_a_guest_stays_inside(machine: Machine, mode: Mode) -> None:
    machine.set(abi.CSR_SSTATUS, 0)
    machine.set(abi.CSR_HSTATUS, SPVP)
    machine.set(abi.CSR_VSSTATUS, SPP * mode.priv | SPIE)
    machine.set(abi.CSR_VSEPC, CODE + 0x40)
    run(machine, VS, asm.SRET)
    assert mode_of(machine) == (mode.priv, True)
    assert machine.regs.pc == CODE + 0x40
    assert machine.csr.vsstatus == SIE | SPIE
    assert machine.csr.hstatus == SPVP
    assert machine.get(abi.CSR_SSTATUS) == 0


# interrupts


@pytest.mark.parametrize("bit", [2, 6, 10])
@pytest.mark.parametrize("delegated", [0, 1])
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("enabled", [0, 1])
def test_who_gets_a_virtual_interrupt(
    machine: Machine, bit: int, delegated: int, mode: Mode, enabled: int
) -> None:
    on = SIE if enabled else 0
    machine.set(abi.CSR_MIE, 1 << bit)
    machine.set(abi.CSR_HVIP, 1 << bit)
    machine.set(abi.CSR_HIDELEG, (1 << bit) * delegated)
    machine.set(abi.CSR_MSTATUS, abi.MSTATUS_MIE | (0 if delegated else on))
    machine.set(abi.CSR_VSSTATUS, on if delegated else 0)
    machine.set(abi.CSR_VSTVEC, VSTVEC | 1)
    run(machine, mode, asm.NOP)
    if delegated and (mode is VU or (mode is VS and enabled)):
        assert mode_of(machine) == (1, True)
        assert machine.csr.vscause == INTERRUPT | bit - 1
        assert machine.regs.pc == VSTVEC + 4 * (bit - 1)
        assert machine.count.irqs_vs == 1
    elif not delegated and (mode in (U, VS, VU) or (mode is HS and enabled)):
        assert mode_of(machine) == (1, False)
        assert machine.csr.scause == INTERRUPT | bit
        assert bool(machine.csr.hstatus & SPV) == mode.virt
    else:
        assert mode_of(machine) == (mode.priv, mode.virt)
        assert machine.regs.pc == CODE + 4


def test_interrupts_in_order(machine: Machine) -> None:
    """M's before HS's before VS's; within one, external first."""
    machine.set(abi.CSR_MIE, 0xEEE)
    machine.set(abi.CSR_MIP, 0x222)
    machine.set(abi.CSR_HVIP, 0x444)
    machine.set(abi.CSR_MIDELEG, 0x020)
    machine.set(abi.CSR_HIDELEG, 0x040)
    found = []
    for _ in range(6):
        run(machine, VU, asm.NOP)
        if machine.hart.virt:
            found.append(("VS", machine.csr.vscause & 0xFF))
            machine.set(abi.CSR_HVIP, 0)
            continue
        m = machine.hart.priv == 3
        cause = machine.csr.mcause if m else machine.csr.scause
        found.append(("M" if m else "HS", cause & 0xFF))
        bit = 1 << (cause & 0xFF)
        machine.set(abi.CSR_MIP, machine.csr.mip & ~bit)
        machine.set(abi.CSR_HVIP, machine.csr.mip & 0x444 & ~bit)
    assert found == [
        ("M", 9),
        ("M", 1),
        ("HS", 5),
        ("HS", 10),
        ("HS", 2),
        ("VS", 5),
    ]


def test_wfi_of_a_guest_wakes_for_its_own(machine: Machine) -> None:
    machine.set(abi.CSR_HIDELEG, abi.MIP_VSTIP)
    machine.set(abi.CSR_MIE, abi.MIP_VSTIP)
    VS.enter(machine)
    machine.regs.pc = CODE
    machine.poke(CODE, asm.WFI, asm.NOP)
    assert machine.run(100) == "IDLE"
    machine.set(abi.CSR_HVIP, abi.MIP_VSTIP)
    assert machine.run(1) == "UNTIL"
    assert not machine.hart.waiting


# The TLB. One megapage each: gva 40000000 -> gpa 40000000 -> RAM_BASE.

V_ROOT, G_ROOT, OTHER = CODE + 0x1000, CODE + 0x4000, CODE + 0x8000
VA = 0x4000_9000
GOOD = 0xDF  # V R W X U A D
VMID = 1 << 22


def two_stage(core: Core) -> Machine:
    machine = core.machine(ram=8 << 20, h_ext=True)
    # The second stage: 1 GiB at 40000000 and RAM's first 4 MiB as they are.
    machine.poke(G_ROOT + 4 * 0x100, abi.RAM_BASE >> 2 | GOOD)
    machine.poke(G_ROOT + 4 * 0x200, abi.RAM_BASE >> 2 | GOOD)
    machine.poke(V_ROOT + 4 * 0x100, 0x4000_0000 >> 2 | GOOD)
    machine.poke(abi.RAM_BASE + 0x9000, 0x11111111)
    machine.poke(abi.RAM_BASE + 0x409000, 0x22222222)
    machine.set(abi.CSR_VSATP, 1 << 31 | V_ROOT >> 12)
    machine.set(abi.CSR_HGATP, 1 << 31 | G_ROOT >> 12)
    machine.set(abi.CSR_MTVEC, CODE)
    return machine


def load(machine: Machine, va: int = VA) -> int:
    """Load in VU's name."""
    machine.set(abi.CSR_MSTATUS, abi.MSTATUS_MPRV)
    machine.set(abi.CSR_MSTATUSH, MPV)
    machine.x[A0] = va
    run(machine, M, asm.lw(A2, 0, A0))
    return int(machine.x[A2])


def move_second_stage(machine: Machine) -> None:
    """Let gpa 40000000 lead to the second 4 MiB, without a fence."""
    machine.poke(G_ROOT + 4 * 0x100, abi.RAM_BASE + 0x400000 >> 2 | GOOD)


def test_the_combined_translation_is_cached(core: Core) -> None:
    machine = two_stage(core)
    assert load(machine) == 0x11111111
    misses = machine.count.load_misses
    assert machine.count.walk_refs == 3
    move_second_stage(machine)
    assert load(machine) == 0x11111111
    assert machine.count.load_misses == misses


FENCES = [
    ("sfence in M", asm.sfence_vma(), False),
    ("hfence.vvma", asm.hfence_vvma(), True),
    ("hfence.vvma of the page", asm.hfence_vvma(A0), True),
    ("hfence.vvma of its megapage", asm.hfence_vvma(A1), True),
    ("hfence.vvma of another", asm.hfence_vvma(A2), False),
    ("hfence.gvma", asm.hfence_gvma(), True),
    ("hfence.gvma of its gpa", asm.hfence_gvma(A0), True),
    ("hfence.gvma of VMID 0", asm.hfence_gvma(ZERO, 4), True),
    ("hfence.gvma of VMID 3", asm.hfence_gvma(ZERO, 3), False),
]


@pytest.mark.parametrize(
    ("word", "drops"),
    [case[1:] for case in FENCES],
    ids=[case[0] for case in FENCES],
)
def test_what_fences_drop(core: Core, word: int, drops: int) -> None:
    machine = two_stage(core)
    load(machine)
    move_second_stage(machine)
    machine.set(abi.CSR_MSTATUS, 0)
    machine.x[A0], machine.x[A1] = VA, VA ^ 0x3F0000
    machine.x[A2], machine.x[3], machine.x[4] = VA + 0x400000, 3, 0
    run(machine, M, word)
    assert load(machine) == (0x22222222 if drops else 0x11111111)


def test_a_fence_of_vs_is_of_its_own_vmid(core: Core) -> None:
    machine = two_stage(core)
    machine.poke(abi.RAM_BASE + 0xA000, 0x11111111)
    machine.poke(abi.RAM_BASE + 0x40A000, 0x22222222)
    # Two pages, since two VMIDs would take the same entry of the TLB.
    guests = {1: VA, 2: VA + 0x1000}

    def seen(vmid: int) -> int:
        hgatp = 1 << 31 | vmid * VMID | G_ROOT >> 12
        machine.set(abi.CSR_HGATP, hgatp)
        return load(machine, guests[vmid])

    assert [seen(1), seen(2)] == [0x11111111] * 2
    move_second_stage(machine)
    # VS of VMID 2 fences; it runs at RAM_BASE, with its own translation off.
    machine.set(abi.CSR_VSATP, 0)
    run(machine, VS, asm.sfence_vma())
    machine.set(abi.CSR_VSATP, 1 << 31 | V_ROOT >> 12)
    assert seen(2) == 0x22222222
    assert seen(1) == 0x11111111  # not fenced: stale, as it may be


def test_vmids_keep_guests_apart(core: Core) -> None:
    machine = two_stage(core)
    for vmid in (0, 1, 64, 127):
        machine.set(abi.CSR_HGATP, 1 << 31 | vmid * VMID | G_ROOT >> 12)
        before = machine.count.load_misses
        load(machine)
        assert machine.count.load_misses == before + 1


def test_bare_and_translated_are_apart_without_a_fence(core: Core) -> None:
    machine = two_stage(core)
    machine.poke(V_ROOT + 4 * 0x100, 0x8000_0000 >> 2 | GOOD)
    machine.poke(G_ROOT + 4 * 0x200, abi.RAM_BASE + 0x400000 >> 2 | GOOD)
    machine.poke(V_ROOT + 0x400000 + 4 * 0x100, 0x8000_0000 >> 2 | GOOD)
    assert load(machine) == 0x22222222
    machine.set(abi.CSR_VSATP, 0)
    assert load(machine) == 0x11111111  # gpa 40009000
    machine.set(abi.CSR_VSATP, 1 << 31 | V_ROOT >> 12)
    assert load(machine) == 0x22222222


def test_sum_of_the_guest_is_vsstatus(core: Core) -> None:
    machine = two_stage(core)
    for vs, sstatus, trapped in [(0, 1, True), (1, 0, False)]:
        machine.set(abi.CSR_VSSTATUS, abi.MSTATUS_SUM * vs)
        machine.set(
            abi.CSR_MSTATUS,
            abi.MSTATUS_MPRV | 1 << 11 | abi.MSTATUS_SUM * sstatus,
        )
        machine.set(abi.CSR_MSTATUSH, MPV)
        machine.x[A0] = VA
        before = machine.count.traps_m
        run(machine, M, asm.lw(A2, 0, A0))
        assert machine.count.traps_m - before == trapped


def test_without_h_mpv_names_no_guest(core: Core) -> None:
    """It stays set when H is switched off, and means nothing then."""
    machine = two_stage(core)
    assert load(machine) == 0x11111111
    machine.set(abi.CSR_MISA, 0)
    machine.csr.mcause, machine.x[A2] = 0, 0
    run(machine, M, asm.lw(A2, 0, A0))
    assert (machine.csr.mcause, machine.x[A2]) == (abi.CAUSE_LOAD_ACCESS, 0)


@pytest.mark.parametrize("medeleg", [0, 0xFFFFFFFF])
def test_a_guest_page_fault_says_where(core: Core, medeleg: int) -> None:
    machine = two_stage(core)
    machine.poke(V_ROOT + 4 * 0x100, 0x3_0000_0000 >> 2 | GOOD)
    machine.set(abi.CSR_MEDELEG, medeleg)
    machine.set(abi.CSR_HEDELEG, 0xFFFFFFFF)
    VU.enter(machine)
    machine.regs.pc = VA + 4
    machine.step()
    csr = machine.csr
    gpa = 0x3_0000_9004
    if medeleg:
        assert (csr.scause, csr.stval, csr.htval) == (20, VA + 4, gpa >> 2)
        assert csr.hstatus & abi.HSTATUS_GVA
        assert csr.hstatus & SPV
    else:
        assert (csr.mcause, csr.mtval, csr.mtval2) == (20, VA + 4, gpa >> 2)
        assert csr.mstatush == GVA | MPV
