"""The control and status registers: which exist, for whom, with which bits."""

import re
from collections.abc import Callable

import pytest

from . import asm
from .asm import A0, A1, A2, ZERO
from .core import Core, Machine, abi

M, S, U = abi.PRIV_M, abi.PRIV_S, abi.PRIV_U
ALL = 0xFFFFFFFF
# test_h_csr.py has those of extension H. (CSR_VS is a distance.)
OF_H = re.compile(r"CSR_(V|H|MTVAL2|MTINST)")
NUMBERS = {
    value: name
    for name, value in vars(abi).items()
    if name.startswith("CSR_") and not OF_H.match(name)
}
COUNTERS = {0xC00, 0xC01, 0xC02, 0xC80, 0xC81, 0xC82}


@pytest.fixture
def machine(core: Core) -> Machine:
    return core.machine()


def traps(machine: Machine, word: int, priv: int) -> bool:
    """Execute one word in a mode; say whether it was illegal."""
    machine.regs.pc = abi.RAM_BASE
    before = machine.count.traps_m
    machine.execute(word, priv=priv)
    if machine.count.traps_m == before:
        return False
    assert machine.csr.mcause == abi.CAUSE_ILLEGAL
    assert machine.csr.mtval == word
    assert machine.csr.mepc == abi.RAM_BASE
    return True


@pytest.mark.parametrize("priv", [M, S, U])
def test_existence_and_privilege_of_all_numbers(
    machine: Machine, priv: int
) -> None:
    machine.set(abi.CSR_MCOUNTEREN, 7)
    machine.set(abi.CSR_SCOUNTEREN, 7)
    for csr in range(4096):
        exists = csr in NUMBERS and priv >= csr >> 8 & 3
        writable = exists and csr >> 10 != 3
        for word, allowed in [
            (asm.csrrs(A0, csr, ZERO), exists),
            (asm.csrrc(A0, csr, ZERO), exists),
            (asm.csrrsi(A0, csr, 0), exists),
            (asm.csrrci(A0, csr, 0), exists),
            (asm.csrrs(A0, csr, A1), writable),  # a1 is 0: still a write
            (asm.csrrc(A0, csr, A1), writable),
            (asm.csrrsi(A0, csr, 1), writable),
            (asm.csrrci(A0, csr, 1), writable),
            (asm.csrrw(ZERO, csr, ZERO), writable),
            (asm.csrrwi(A0, csr, 0), writable),
        ]:
            assert traps(machine, word, priv) == (not allowed), hex(csr)


# Value after writing all ones, and after writing zero.
BITS = {
    "SSTATUS": (0x000C0122, 0),
    "SIE": (0x222, 0),  # with everything delegated
    "STVEC": (0xFFFFFFFD, 0),
    "SCOUNTEREN": (7, 0),
    "SSCRATCH": (ALL, 0),
    "SEPC": (0xFFFFFFFC, 0),
    "SCAUSE": (ALL, 0),
    "STVAL": (ALL, 0),
    "SIP": (0x2, 0),
    "SATP": (0x803FFFFF, 0),
    "MSTATUS": (0x007E19AA, 0),
    "MSTATUSH": (0, 0),
    "MISA": (0x40141101, 0x40141101),
    "MEDELEG": (0xB3FF, 0),
    "MIDELEG": (0x222, 0),
    "MIE": (0xAAA, 0),
    "MTVEC": (0xFFFFFFFD, 0),
    "MCOUNTEREN": (7, 0),
    "MSCRATCH": (ALL, 0),
    "MEPC": (0xFFFFFFFC, 0),
    "MCAUSE": (ALL, 0),
    "MTVAL": (ALL, 0),
    "MIP": (0x222, 0),
}
CONSTANT = ["MVENDORID", "MARCHID", "MIMPID", "MHARTID"]
COUNTING = ["CYCLE", "TIME", "INSTRET", "MCYCLE", "MINSTRET"]


def test_the_tables_here_name_every_register() -> None:
    names = {name.removeprefix("CSR_") for name in NUMBERS.values()}
    high = {f"{name}H" for name in COUNTING}
    assert names == {*BITS, *CONSTANT, *COUNTING, *high}


@pytest.mark.parametrize("name", BITS)
def test_bits_that_exist(machine: Machine, name: str) -> None:
    csr = getattr(abi, f"CSR_{name}")
    if name != "MIDELEG":
        machine.set(abi.CSR_MIDELEG, ALL)
    ones, zeros = BITS[name]
    machine.set(csr, ALL)
    assert machine.get(csr) == ones
    machine.set(csr, 0)
    assert machine.get(csr) == zeros


# Setting and clearing bits of mip is special: tested below.
@pytest.mark.parametrize("name", sorted(BITS.keys() - {"MIP"}))
def test_instructions_do_what_the_api_does(core: Core, name: str) -> None:
    csr = getattr(abi, f"CSR_{name}")
    operations: list[tuple[asm.ThreeRegs, Callable[[int, int], int]]] = [
        (asm.csrrw, lambda _, arg: arg),
        (asm.csrrs, lambda old, arg: old | arg),
        (asm.csrrc, lambda old, arg: old & ~arg),
    ]
    for op, of in operations:
        machine, twin = core.machine(), core.machine()
        for m in (machine, twin):
            m.set(csr, 0x5A5AA5A5)
        old = twin.get(csr)
        twin.set(csr, of(old, 0x0FF0F00F))
        machine.x[A1] = 0x0FF0F00F
        machine.execute(op(A0, csr, A1))
        assert machine.x[A0] == old
        assert machine.get(csr) == twin.get(csr)


def test_rd_may_be_rs1(machine: Machine) -> None:
    machine.set(abi.CSR_MSCRATCH, 5)
    machine.x[A0] = 7
    machine.execute(asm.csrrw(A0, abi.CSR_MSCRATCH, A0))
    assert (machine.x[A0], machine.get(abi.CSR_MSCRATCH)) == (5, 7)


def test_there_is_no_mode_2_for_mpp(machine: Machine) -> None:
    for old in (0, 1, 3):
        machine.set(abi.CSR_MSTATUS, old << 11)
        machine.set(abi.CSR_MSTATUS, 2 << 11 | abi.MSTATUS_MIE)
        assert machine.get(abi.CSR_MSTATUS) == old << 11 | abi.MSTATUS_MIE


def test_sstatus_is_a_window_of_mstatus(machine: Machine) -> None:
    machine.set(abi.CSR_MSTATUS, ALL)
    machine.set(abi.CSR_SSTATUS, 0)
    assert machine.get(abi.CSR_MSTATUS) == 0x007E19AA & ~0x000C0122


def test_sie_and_sip_show_what_is_delegated(machine: Machine) -> None:
    machine.set(abi.CSR_MIE, ALL)
    machine.set(abi.CSR_MIP, ALL)
    assert machine.get(abi.CSR_SIE) == 0
    assert machine.get(abi.CSR_SIP) == 0
    machine.set(abi.CSR_SIE, 0)
    machine.set(abi.CSR_SIP, 0)
    assert machine.get(abi.CSR_MIE) == 0xAAA
    assert machine.get(abi.CSR_MIP) == 0x222
    machine.set(abi.CSR_MIDELEG, abi.MIP_STIP)
    assert machine.get(abi.CSR_SIE) == abi.MIP_STIP
    assert machine.get(abi.CSR_SIP) == abi.MIP_STIP
    machine.set(abi.CSR_SIP, 0)  # only SSIP is S's to write
    assert machine.get(abi.CSR_SIP) == abi.MIP_STIP
    machine.set(abi.CSR_SIE, 0)
    assert machine.get(abi.CSR_MIE) == 0xAAA & ~abi.MIP_STIP


def external_line(machine: Machine, context: int) -> None:
    """Make the UART's interrupt arrive at a context of the PLIC."""
    store = machine.lib.machine_store
    for offset, value in [
        (4 * abi.UART_IRQ, 1),
        (0x2000 + 0x80 * context, 1 << abi.UART_IRQ),
    ]:
        assert store(
            machine.raw, machine.hart, abi.PLIC_BASE + offset, 4, value
        )
    assert store(machine.raw, machine.hart, abi.UART_BASE + 1, 1, 1)
    assert machine.input(b"x") == 1


def test_lines_of_devices_show_in_mip(machine: Machine) -> None:
    machine.lib.machine_set_msip(machine.raw, 0, 1)
    machine.lib.machine_set_mtimecmp(machine.raw, 0, 0)
    external_line(machine, 0)
    lines = abi.MIP_MSIP | abi.MIP_MTIP | abi.MIP_MEIP
    assert machine.get(abi.CSR_MIP) == lines
    machine.set(abi.CSR_MIP, 0)
    assert machine.get(abi.CSR_MIP) == lines


def test_seip_is_software_or_line_but_sets_only_software(
    machine: Machine,
) -> None:
    external_line(machine, 1)
    assert machine.get(abi.CSR_MIP) == abi.MIP_SEIP
    machine.x[A1] = abi.MIP_STIP
    machine.execute(asm.csrrs(A0, abi.CSR_MIP, A1))
    assert machine.x[A0] == abi.MIP_SEIP
    assert machine.csr.mip == abi.MIP_STIP  # the line did not stick
    machine.x[A1] = abi.MIP_SEIP
    machine.execute(asm.csrrs(ZERO, abi.CSR_MIP, A1))
    assert machine.csr.mip == abi.MIP_STIP | abi.MIP_SEIP
    machine.execute(asm.csrrc(A2, abi.CSR_MIP, A1))
    assert machine.csr.mip == abi.MIP_STIP
    assert machine.get(abi.CSR_MIP) & abi.MIP_SEIP  # the line is still up


@pytest.mark.parametrize("csr", sorted(COUNTERS))
def test_counters_are_gated(machine: Machine, csr: int) -> None:
    bit = 1 << (csr & 3)
    read = asm.csrr(A0, csr)
    for in_m, in_s in [(0, 0), (7 & ~bit, 7), (bit, 0), (bit, bit), (0, bit)]:
        machine.set(abi.CSR_MCOUNTEREN, in_m)
        machine.set(abi.CSR_SCOUNTEREN, in_s)
        assert not traps(machine, read, M)
        assert traps(machine, read, S) == (not in_m & bit)
        assert traps(machine, read, U) == (not (in_m & in_s & bit))


def test_counters_count(core: Core) -> None:
    machine = core.machine(time_div=4, costs={"insn": 3})
    cycle, time, instret = abi.CSR_CYCLE, abi.CSR_TIME, abi.CSR_INSTRET
    machine.hart.cycle = 5 << 32
    machine.execute(
        asm.NOP,
        asm.csrr(A0, cycle),
        asm.csrr(A1, time),
        asm.csrr(A2, instret),
        asm.csrr(3, abi.CSR_CYCLEH),
        asm.csrr(4, abi.CSR_TIMEH),
        asm.csrr(5, abi.CSR_INSTRETH),
        asm.csrr(6, abi.CSR_MCYCLE),
        asm.csrr(7, abi.CSR_MINSTRET),
    )
    now = 5 << 32
    assert machine.x[A0] == (now + 3) & ALL
    assert machine.x[A1] == (now + 6) // 4 & ALL
    assert machine.x[A2] == 3
    assert (machine.x[3], machine.x[4], machine.x[5]) == (5, 1, 0)
    assert (machine.x[6], machine.x[7]) == (7 * 3, 8)


def test_counters_ignore_writes(machine: Machine) -> None:
    machine.x[A1] = 12345
    machine.execute(
        asm.csrw(abi.CSR_MCYCLE, A1),
        asm.csrw(abi.CSR_MINSTRETH, A1),
        asm.csrr(A0, abi.CSR_MCYCLE),
        asm.csrr(A2, abi.CSR_MINSTRETH),
    )
    assert (machine.x[A0], machine.x[A2]) == (2, 0)


def test_the_api_refuses_what_is_not_there(machine: Machine) -> None:
    with pytest.raises(ValueError, match="no CSR"):
        machine.get(0x7FF)
    with pytest.raises(ValueError, match="no CSR"):
        machine.get(0x12345)
    with pytest.raises(ValueError, match="cannot write"):
        machine.set(abi.CSR_MHARTID, 1)


def test_satp_keeps_an_asid_only_with_the_option(core: Core) -> None:
    machine = core.machine(asid_bits=9)
    machine.set(abi.CSR_SATP, ALL)
    assert machine.get(abi.CSR_SATP) == ALL


def test_hart_ids(core: Core) -> None:
    machine = core.machine(harts=8)
    value = core.ffi.new("uint32_t *")
    for i, hart in enumerate(machine.harts):
        assert core.lib.hart_csr_read(hart, abi.CSR_MHARTID, value)
        assert value[0] == i
    assert core.lib.machine_hart(machine.raw, 8) == core.ffi.NULL
