"""Extension H: its registers, who may use them, and what others become.

The expectations are those of the Privileged Specification (20240411), chapter
18: 18.2 (the registers), 18.6.1 (when it is a virtual instruction).
"""

from dataclasses import dataclass

import pytest

from . import asm
from .asm import A0, A1, ZERO
from .core import Core, Machine, abi
from .test_csr import COUNTERS, NUMBERS, OF_H

ALL = 0xFFFFFFFF
OWN = {
    value: name.removeprefix("CSR_")
    for name, value in vars(abi).items()
    if OF_H.match(name) and name != "CSR_VS"
}


@dataclass(frozen=True)
class Mode:
    """A mode: its name, privilege and V."""

    name: str
    priv: int
    virt: bool = False

    def __str__(self) -> str:
        return self.name

    def enter(self, machine: Machine) -> None:
        machine.lib.hart_set_mode(machine.hart, self.priv, self.virt)


M, HS, U = Mode("M", 3), Mode("HS", 1), Mode("U", 0)
VS, VU = Mode("VS", 1, virt=True), Mode("VU", 0, virt=True)
MODES = [M, HS, U, VS, VU]


@pytest.fixture
def machine(core: Core) -> Machine:
    return ready(core)


def ready(core: Core) -> Machine:
    machine = core.machine(h_ext=True)
    machine.set(abi.CSR_MCOUNTEREN, 7)
    machine.set(abi.CSR_HCOUNTEREN, 7)
    machine.set(abi.CSR_SCOUNTEREN, 7)
    return machine


def cause(machine: Machine, word: int, mode: Mode) -> int | None:
    """Execute one word in a mode; return the cause of its trap, if any."""
    mode.enter(machine)
    machine.regs.pc = abi.RAM_BASE
    before = machine.count.traps_m
    machine.poke(abi.RAM_BASE, word)
    machine.step()
    if machine.count.traps_m == before:
        return None
    assert machine.csr.mtval == word
    assert machine.csr.mepc == abi.RAM_BASE
    assert bool(machine.csr.mstatush & abi.MSTATUSH_MPV) == mode.virt
    assert not machine.csr.mstatush & abi.MSTATUSH_GVA
    return int(machine.csr.mcause)


def expected(csr: int, mode: Mode, *, write: bool) -> int | None:
    """Say what an access must raise, all counters being open."""
    level = csr >> 8 & 3  # 0 U, 1 S, 2 H and VS, 3 M
    if csr not in NUMBERS and csr not in OWN:
        return 2
    if write and csr >> 10 == 3:
        return 2
    if mode is M or level == 0:
        return None
    if level == 3 or (mode is U):
        return 2
    if mode is HS or (mode is VS and level == 1):
        return None
    return 22


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_all_numbers_in_all_modes(machine: Machine, mode: Mode) -> None:
    for csr in range(4096):
        for word, write in [
            (asm.csrrs(A0, csr, ZERO), False),
            (asm.csrrci(A0, csr, 0), False),
            (asm.csrrs(A0, csr, A1), True),
            (asm.csrrw(ZERO, csr, ZERO), True),
        ]:
            wanted = expected(csr, mode, write=write)
            assert cause(machine, word, mode) == wanted, hex(csr)
            if csr in {abi.CSR_MSTATUS, abi.CSR_MSTATUSH, abi.CSR_HSTATUS}:
                machine.set(csr, 0)
            machine.set(abi.CSR_MISA, ALL)
            machine.set(abi.CSR_MCOUNTEREN, 7)
            machine.set(abi.CSR_HCOUNTEREN, 7)
            machine.set(abi.CSR_SCOUNTEREN, 7)


def test_without_the_extension_there_is_none(core: Core) -> None:
    machine = core.machine()
    for csr in OWN:
        for mode in (M, HS, U):
            assert cause(machine, asm.csrr(A0, csr), mode) == 2
    for word in (asm.hfence_vvma(), asm.hfence_gvma()):
        assert cause(machine, word, M) == 2
    VS.enter(machine)
    assert not machine.hart.virt


def test_h_can_be_switched_off(machine: Machine) -> None:
    machine.set(abi.CSR_MIE, ALL)
    machine.set(abi.CSR_HVIP, ALL)
    machine.set(abi.CSR_MISA, 0)
    assert machine.get(abi.CSR_MIE) == 0xAAA
    assert machine.get(abi.CSR_MIP) == 0
    assert machine.get(abi.CSR_MIDELEG) == 0
    for csr in OWN:
        assert cause(machine, asm.csrr(A0, csr), M) == 2
        assert cause(machine, asm.csrr(A0, csr), HS) == 2
    assert cause(machine, asm.hfence_gvma(), M) == 2
    # mret to V = 1 does not go there.
    machine.csr.mstatush = abi.MSTATUSH_MPV
    machine.set(abi.CSR_MSTATUS, 0)
    assert cause(machine, asm.MRET, M) is None
    assert not machine.hart.virt
    machine.set(abi.CSR_MISA, ALL)
    assert machine.get(abi.CSR_MISA) == 0x40141181
    assert machine.get(abi.CSR_MIDELEG) == 0x444


# Value after writing all ones, and after writing zero.
BITS = {
    "VSSTATUS": (0x000C0122, 0),
    "VSIE": (0x222, 0),  # with everything handed on
    "VSTVEC": (0xFFFFFFFD, 0),
    "VSSCRATCH": (ALL, 0),
    "VSEPC": (0xFFFFFFFC, 0),
    "VSCAUSE": (ALL, 0),
    "VSTVAL": (ALL, 0),
    "VSIP": (0x2, 0),
    "VSATP": (0x803FFFFF, 0),
    "HSTATUS": (0x007001C0, 0),
    "HEDELEG": (0xB1FF, 0),
    "HIDELEG": (0x444, 0),
    "HIE": (0x444, 0),
    "HTIMEDELTA": (ALL, 0),
    "HCOUNTEREN": (7, 0),
    "HGEIE": (0, 0),
    "HTIMEDELTAH": (ALL, 0),
    "HTVAL": (ALL, 0),
    "HIP": (0x4, 0),
    "HVIP": (0x444, 0),
    "HTINST": (ALL, 0),
    "HGATP": (0x9FFFFFFC, 0),
    "MTINST": (ALL, 0),
    "MTVAL2": (ALL, 0),
}
# What they are without the extension: test_csr.py.
WIDER = {
    "MSTATUSH": (0xC0, 0),
    "MISA": (0x40141181, 0x40141101),  # H can be switched off
    "MEDELEG": (0xF0B7FF, 0),
    "MIDELEG": (0x666, 0x444),  # the virtual supervisor's are fixed at 1
    "MIE": (0xEEE, 0),
    "MIP": (0x226, 0),
}


def test_the_table_names_every_register() -> None:
    assert set(OWN.values()) == {*BITS, "HGEIP"}


@pytest.mark.parametrize("name", [*BITS, *WIDER])
def test_bits_that_exist(machine: Machine, name: str) -> None:
    csr = getattr(abi, f"CSR_{name}")
    machine.set(abi.CSR_MIDELEG, ALL)
    if name != "HIDELEG":
        machine.set(abi.CSR_HIDELEG, ALL)
    ones, zeros = (BITS | WIDER)[name]
    machine.set(csr, ALL)
    assert machine.get(csr) == ones
    machine.set(csr, 0)
    assert machine.get(csr) == zeros


def test_a_guest_has_no_asids_even_where_others_have(core: Core) -> None:
    machine = core.machine(h_ext=True, asid_bits=9)
    machine.set(abi.CSR_VSATP, ALL)
    assert machine.get(abi.CSR_VSATP) == 0x803FFFFF


DOUBLED = ["STATUS", "IE", "TVEC", "SCRATCH", "EPC", "CAUSE", "TVAL", "IP"]
DOUBLED += ["ATP"]


@pytest.mark.parametrize("name", DOUBLED)
def test_in_vs_the_supervisors_registers_are_the_virtual_ones(
    machine: Machine, name: str
) -> None:
    s, vs = getattr(abi, f"CSR_S{name}"), getattr(abi, f"CSR_VS{name}")
    assert vs - s == abi.CSR_VS
    machine.set(abi.CSR_MIDELEG, ALL)
    machine.set(abi.CSR_HIDELEG, ALL)
    untouched = machine.get(s)
    machine.x[A1] = 0x400C0122
    assert cause(machine, asm.csrrw(A0, s, A1), VS) is None
    mask = BITS[f"VS{name}"][0]
    assert machine.get(vs) == 0x400C0122 & mask
    assert machine.get(s) == untouched
    # Sv32 may just have been switched off again: read it in VS as well.
    machine.set(abi.CSR_VSATP, machine.get(abi.CSR_VSATP) & ~(1 << 31))
    assert cause(machine, asm.csrr(A0, s), VS) is None
    assert machine.x[A0] == machine.get(vs)


def test_scounteren_has_no_double(machine: Machine) -> None:
    machine.x[A1] = 5
    assert cause(machine, asm.csrw(abi.CSR_SCOUNTEREN, A1), VS) is None
    assert machine.get(abi.CSR_SCOUNTEREN) == 5


def test_interrupt_windows(machine: Machine) -> None:
    machine.set(abi.CSR_HVIP, ALL)
    assert machine.get(abi.CSR_MIP) == machine.get(abi.CSR_HIP) == 0x444
    assert machine.get(abi.CSR_SIP) == 0  # S proper never sees them
    assert machine.get(abi.CSR_VSIP) == 0
    machine.set(abi.CSR_HIDELEG, abi.MIP_VSTIP)
    assert machine.get(abi.CSR_VSIP) == abi.MIP_STIP
    machine.set(abi.CSR_VSIP, 0)  # only SSIP is VS's to write
    assert machine.get(abi.CSR_VSIP) == abi.MIP_STIP
    machine.set(abi.CSR_HIDELEG, ALL)
    machine.set(abi.CSR_VSIP, 0)
    assert machine.get(abi.CSR_HVIP) == 0x440
    machine.set(abi.CSR_HIP, ALL)
    machine.set(abi.CSR_HVIP, 0x404)
    machine.set(abi.CSR_HIP, 0)
    assert machine.get(abi.CSR_HVIP) == 0x400
    machine.set(abi.CSR_VSIE, abi.MIP_SEIP)
    assert machine.get(abi.CSR_MIE) == machine.get(abi.CSR_HIE) == 0x400
    assert machine.get(abi.CSR_SIE) == 0


@pytest.mark.parametrize("csr", sorted(COUNTERS))
@pytest.mark.parametrize("mode", [HS, U, VS, VU], ids=str)
def test_counters_are_gated_three_times(
    machine: Machine, csr: int, mode: Mode
) -> None:
    bit = 1 << (csr & 3)
    for m, h, s in [(x & 1, x >> 1 & 1, x >> 2) for x in range(8)]:
        for name, on in [("M", m), ("H", h), ("S", s)]:
            gate = getattr(abi, f"CSR_{name}COUNTEREN")
            machine.set(gate, bit if on else 7 & ~bit)
        if not m:
            wanted = 2
        elif mode.virt and not (h and (s or mode is VS)):
            wanted = 22
        elif mode is U and not s:
            wanted = 2
        else:
            wanted = 0
        assert (cause(machine, asm.csrr(A0, csr), mode) or 0) == wanted


def test_a_guests_time_has_its_own_zero(machine: Machine) -> None:
    machine.set(abi.CSR_HTIMEDELTA, -5)
    machine.set(abi.CSR_HTIMEDELTAH, -1)
    machine.hart.cycle = 10_000
    for mode, time in [(VS, 995), (VU, 995), (HS, 1000)]:
        machine.hart.cycle = 10_000
        assert cause(machine, asm.csrr(A0, abi.CSR_TIME), mode) is None
        assert machine.x[A0] == time
        assert cause(machine, asm.csrr(A0, abi.CSR_TIMEH), mode) is None
        assert machine.x[A0] == 0


@dataclass(frozen=True)
class Sensitive:
    """An instruction, and what it raises in each mode with some bit set."""

    name: str
    word: int
    hs: int | None = None
    u: int | None = 2
    vs: int | None = None
    vu: int | None = 22
    mstatus: int = 0
    hstatus: int = 0


TVM, TW, TSR = abi.MSTATUS_TVM, abi.MSTATUS_TW, abi.MSTATUS_TSR
VTVM, VTW, VTSR = abi.HSTATUS_VTVM, abi.HSTATUS_VTW, abi.HSTATUS_VTSR
SATP, GATP = asm.csrr(A0, abi.CSR_SATP), asm.csrr(A0, abi.CSR_HGATP)
VSATP = asm.csrr(A0, abi.CSR_VSATP)
VVMA, GVMA = asm.hfence_vvma(), asm.hfence_gvma()
SENSITIVE = [
    Sensitive("mret", asm.MRET, 2, 2, 2, 2),
    Sensitive("sret", asm.SRET),
    Sensitive("sret", asm.SRET, hs=2, mstatus=TSR),
    Sensitive("sret", asm.SRET, vs=22, hstatus=VTSR),
    Sensitive("wfi", asm.WFI),
    Sensitive("wfi", asm.WFI, 2, 2, 2, 2, mstatus=TW),
    Sensitive("wfi", asm.WFI, vs=22, hstatus=VTW),
    Sensitive("wfi", asm.WFI, 2, 2, 2, 2, mstatus=TW, hstatus=VTW),
    Sensitive("sfence", asm.sfence_vma()),
    Sensitive("sfence", asm.sfence_vma(), hs=2, mstatus=TVM),
    Sensitive("sfence", asm.sfence_vma(), vs=22, hstatus=VTVM),
    Sensitive("satp", SATP),
    Sensitive("satp", SATP, hs=2, mstatus=TVM),
    Sensitive("satp", SATP, vs=22, hstatus=VTVM),
    Sensitive("hgatp", GATP, vs=22),
    Sensitive("hgatp", GATP, hs=2, vs=22, mstatus=TVM),
    Sensitive("vsatp", VSATP, vs=22, mstatus=TVM),
    Sensitive("hfence.vvma", VVMA, vs=22),
    Sensitive("hfence.vvma", VVMA, vs=22, mstatus=TVM),
    Sensitive("hfence.gvma", GVMA, vs=22),
    Sensitive("hfence.gvma", GVMA, hs=2, vs=22, mstatus=TVM),
    Sensitive("hfence with rd", VVMA | 1 << 7, 2, 2, 2, 2),
]


@pytest.mark.parametrize("case", SENSITIVE, ids=lambda c: c.name)
def test_sensitive_instructions(machine: Machine, case: Sensitive) -> None:
    for mode, wanted in [
        (HS, case.hs),
        (U, case.u),
        (VS, case.vs),
        (VU, case.vu),
    ]:
        machine.set(abi.CSR_MSTATUS, case.mstatus)
        machine.set(abi.CSR_HSTATUS, case.hstatus)
        assert cause(machine, case.word, mode) == wanted, mode
        machine.hart.waiting = False
