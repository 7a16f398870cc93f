"""TRV32: what one instruction does, or one trap.

RV32IMA_Zicsr_Zifencei with S and U mode. The sections named are those of the
RISC-V Unprivileged ISA (20240411), or, with a P, of the Privileged one. Each
instruction is one row of a table or one small function; :func:`step` is where
to begin.

An instruction that traps has changed nothing but A and D of the entries that
its access went through.

>>> computer = Computer(memory=GuestMemory(first=0x80000, pages=1))
>>> hart = computer.harts[0]
>>> hart.pc = 0x8000_0000
>>> computer.put(hart.pc, 0x02A00093.to_bytes(4, "little"))  # li ra, 42
>>> step(computer, hart, Nothing())
True
>>> hart.x[1], hex(hart.pc)
(42, '0x80000004')
"""

from collections.abc import Callable

from hv.spec import csr, trap
from hv.spec.access import fetch, load, reach, store
from hv.spec.beneath import Beneath, Nothing
from hv.spec.fields import (
    funct3,
    funct7,
    imm_b,
    imm_i,
    imm_j,
    imm_s,
    imm_u,
    rd,
    rs1,
    rs2,
)
from hv.spec.hart import WORD, Computer, Hart, Style, Trap, signed
from hv.spec.mmu import Access, Mode
from hv.spec.p2m import GuestMemory
from hv.spec.trap import Cause

__all__ = ["GuestMemory", "Nothing", "step"]


# --- one step -----------------------------------------------------------------


class _Call(Exception):  # noqa: N818 - not an error
    """The kernel calls what lies beneath it."""


def awake(computer: Computer, hart: Hart, beneath: Beneath) -> bool:
    """Let time pass while the hart waits; False: it would wait for ever."""
    if beneath.arrive(computer, hart):
        hart.waiting = False
    if hart.waiting and not beneath.wakes(hart):
        if hart.timer is None:
            return False
        hart.cycle = max(hart.cycle, hart.timer * computer.time_div)
        beneath.arrive(computer, hart)
    hart.waiting = False
    return True


def step(computer: Computer, hart: Hart, beneath: Beneath) -> bool:
    """Take an interrupt, or execute one instruction, or take its trap.

    Returns false if nothing will happen unless from outside.
    """
    if computer.ended or hart.stopped or not awake(computer, hart, beneath):
        return False
    interrupt = beneath.due(computer, hart)
    if interrupt is not None:
        beneath.trap(computer, hart, Trap(trap.INTERRUPT | interrupt))
        return True
    try:
        following = execute(computer, hart, fetch(computer, hart))
    except Trap as why:
        beneath.trap(computer, hart, why)
    except _Call:
        hart.pc = hart.pc + 4 & WORD
        beneath.call(computer, hart)
    else:
        hart.pc = following & WORD
        hart.retired += 1
        hart.cycle += 1
    return True


def execute(computer: Computer, hart: Hart, insn: int) -> int:
    """Execute an instruction; return the address of the next one."""
    operation = OPCODES.get(insn & 0x7F)
    if operation is None:
        raise Trap(Cause.ILLEGAL, insn)
    return operation(computer, hart, insn)


# --- integers (2.4) and extension M (12) --------------------------------------


def divide(a: int, b: int) -> int:
    """Divide towards zero; by zero, -1 (12.2)."""
    if signed(b) == 0:
        return -1
    quotient = abs(signed(a)) // abs(signed(b))
    return quotient if signed(a) * signed(b) >= 0 else -quotient


def remainder(a: int, b: int) -> int:
    """Return what division leaves, with the dividend's sign."""
    return signed(a) - signed(b) * divide(a, b) if signed(b) else a


ARITHMETIC: dict[tuple[int, int], Callable[[int, int], int]] = {
    # (funct7, funct3): what rd becomes; cut to 32 bits
    (0x00, 0): lambda a, b: a + b,  # add
    (0x20, 0): lambda a, b: a - b,  # sub
    (0x00, 1): lambda a, b: a << (b & 31),  # sll
    (0x00, 2): lambda a, b: signed(a) < signed(b),  # slt
    (0x00, 3): lambda a, b: a < b,  # sltu
    (0x00, 4): lambda a, b: a ^ b,  # xor
    (0x00, 5): lambda a, b: a >> (b & 31),  # srl
    (0x20, 5): lambda a, b: signed(a) >> (b & 31),  # sra
    (0x00, 6): lambda a, b: a | b,  # or
    (0x00, 7): lambda a, b: a & b,  # and
    (0x01, 0): lambda a, b: a * b,  # mul
    (0x01, 1): lambda a, b: signed(a) * signed(b) >> 32,  # mulh
    (0x01, 2): lambda a, b: signed(a) * b >> 32,  # mulhsu
    (0x01, 3): lambda a, b: a * b >> 32,  # mulhu
    (0x01, 4): divide,  # div
    (0x01, 5): lambda a, b: a // b if b else -1,  # divu
    (0x01, 6): remainder,  # rem
    (0x01, 7): lambda a, b: a % b if b else a,  # remu
}
SHIFTS = {(0x00, 1), (0x00, 5), (0x20, 5)}  # slli, srli, srai


def op(computer: Computer, hart: Hart, insn: int) -> int:
    """Compute from two registers."""
    compute = ARITHMETIC.get((funct7(insn), funct3(insn)))
    if compute is None:
        raise Trap(Cause.ILLEGAL, insn)
    hart.set(rd(insn), compute(hart.x[rs1(insn)], hart.x[rs2(insn)]))
    return hart.pc + 4


def op_imm(computer: Computer, hart: Hart, insn: int) -> int:
    """Compute from a register and an immediate."""
    which = (0x00, funct3(insn))
    if funct3(insn) in (1, 5):
        which = (funct7(insn), funct3(insn))
        if which not in SHIFTS:
            raise Trap(Cause.ILLEGAL, insn)
    value = ARITHMETIC[which](hart.x[rs1(insn)], imm_i(insn) & WORD)
    hart.set(rd(insn), value)
    return hart.pc + 4


def lui(computer: Computer, hart: Hart, insn: int) -> int:
    """Load an upper immediate."""
    hart.set(rd(insn), imm_u(insn))
    return hart.pc + 4


def auipc(computer: Computer, hart: Hart, insn: int) -> int:
    """Add an upper immediate to pc."""
    hart.set(rd(insn), hart.pc + imm_u(insn))
    return hart.pc + 4


# --- jumps (2.5) --------------------------------------------------------------

BRANCHES: dict[int, Callable[[int, int], bool]] = {
    0: lambda a, b: a == b,  # beq
    1: lambda a, b: a != b,  # bne
    4: lambda a, b: signed(a) < signed(b),  # blt
    5: lambda a, b: signed(a) >= signed(b),  # bge
    6: lambda a, b: a < b,  # bltu
    7: lambda a, b: a >= b,  # bgeu
}


def target(address: int) -> int:
    """Return where to jump, if that is aligned."""
    if address % 4:
        raise Trap(Cause.FETCH_MISALIGNED, address & WORD)
    return address


def branch(computer: Computer, hart: Hart, insn: int) -> int:
    """Jump if two registers compare so."""
    taken = BRANCHES.get(funct3(insn))
    if taken is None:
        raise Trap(Cause.ILLEGAL, insn)
    if not taken(hart.x[rs1(insn)], hart.x[rs2(insn)]):
        return hart.pc + 4
    return target(hart.pc + imm_b(insn))


def jal(computer: Computer, hart: Hart, insn: int) -> int:
    """Jump, and remember from where."""
    to = target(hart.pc + imm_j(insn))
    hart.set(rd(insn), hart.pc + 4)
    return to


def jalr(computer: Computer, hart: Hart, insn: int) -> int:
    """Jump to where a register says."""
    if funct3(insn) != 0:
        raise Trap(Cause.ILLEGAL, insn)
    to = target(hart.x[rs1(insn)] + imm_i(insn) & ~1)
    hart.set(rd(insn), hart.pc + 4)
    return to


# --- loads, stores (2.6), fences (2.7, 6) -------------------------------------

LOADS: dict[int, tuple[int, Callable[[int], int]]] = {
    # funct3: bytes, and how they fill a register
    0: (1, lambda value: signed(value, 8)),  # lb
    1: (2, lambda value: signed(value, 16)),  # lh
    2: (4, lambda value: value),  # lw
    4: (1, lambda value: value),  # lbu
    5: (2, lambda value: value),  # lhu
}


def load_op(computer: Computer, hart: Hart, insn: int) -> int:
    """Load a register."""
    if funct3(insn) not in LOADS:
        raise Trap(Cause.ILLEGAL, insn)
    size, extend = LOADS[funct3(insn)]
    va = hart.x[rs1(insn)] + imm_i(insn) & WORD
    hart.set(rd(insn), extend(load(computer, hart, va, size)))
    return hart.pc + 4


def store_op(computer: Computer, hart: Hart, insn: int) -> int:
    """Store the low bytes of a register: sb, sh, sw."""
    if funct3(insn) > 2:
        raise Trap(Cause.ILLEGAL, insn)
    va = hart.x[rs1(insn)] + imm_s(insn) & WORD
    store(computer, hart, va, 1 << funct3(insn), hart.x[rs2(insn)])
    return hart.pc + 4


def misc_mem(computer: Computer, hart: Hart, insn: int) -> int:
    """Execute fence or fence.i: there is nothing to order here."""
    if funct3(insn) > 1:
        raise Trap(Cause.ILLEGAL, insn)
    return hart.pc + 4


# --- extension A (13) ---------------------------------------------------------

LR, SC = 0x02, 0x03
ATOMICS: dict[int, Callable[[int, int], int]] = {
    # funct5: what memory becomes
    0x00: lambda old, new: old + new,  # amoadd.w
    0x01: lambda _old, new: new,  # amoswap.w
    0x04: lambda old, new: old ^ new,  # amoxor.w
    0x08: lambda old, new: old | new,  # amoor.w
    0x0C: lambda old, new: old & new,  # amoand.w
    0x10: lambda old, new: min(signed(old), signed(new)),  # amomin.w
    0x14: lambda old, new: max(signed(old), signed(new)),  # amomax.w
    0x18: min,  # amominu.w
    0x1C: max,  # amomaxu.w
}


def amo(computer: Computer, hart: Hart, insn: int) -> int:
    """Execute an instruction of extension A: words of RAM, aligned."""
    which, va = funct7(insn) >> 2, hart.x[rs1(insn)]
    known = which in ATOMICS or which in (LR, SC)
    if funct3(insn) != 2 or not known or (which == LR and rs2(insn)):
        raise Trap(Cause.ILLEGAL, insn)
    access = Access.LOAD if which == LR else Access.STORE
    if va % 4:
        misaligned = (Cause.LOAD_MISALIGNED, Cause.STORE_MISALIGNED)
        raise Trap(misaligned[access is Access.STORE], va)
    pa = reach(computer, hart, va, access)
    if pa not in computer.memory:  # our choice: devices know no atomics
        refused = (Cause.LOAD_ACCESS, Cause.STORE_ACCESS)
        raise Trap(refused[access is Access.STORE], va)
    new, old = hart.x[rs2(insn)], computer.memory[pa]
    if which == LR:
        hart.reservation = pa
        hart.set(rd(insn), old)
    elif which == SC:
        failed = hart.reservation != pa
        hart.reservation = None
        if not failed:
            computer.store(pa, 4, new)
        hart.set(rd(insn), failed)
    else:
        computer.store(pa, 4, ATOMICS[which](old, new))
        hart.set(rd(insn), old)
    return hart.pc + 4


# --- system: Zicsr (7), and what is privileged (P 3.3, 10.2) ------------------

ECALL, EBREAK, SRET, WFI = 0x73, 0x0010_0073, 0x1020_0073, 0x1050_0073
SFENCE_VMA, SFENCE_MASK = 0x1200_0073, 0xFE00_7FFF


def csr_op(computer: Computer, hart: Hart, insn: int) -> int:
    """Read a CSR, then write, set or clear: csrrw, csrrs, csrrc, ...i."""
    number, kind = insn >> 20, funct3(insn) & 3
    operand = rs1(insn) if funct3(insn) & 4 else hart.x[rs1(insn)]
    writes = kind == 1 or rs1(insn) != 0
    if not csr.granted(computer, hart, number, write=writes):
        raise Trap(Cause.ILLEGAL, insn)
    old = csr.read(computer, hart, number)
    if writes:
        new = (operand, old | operand, old & ~operand)[kind - 1]
        csr.write(hart, number, new)
    hart.set(rd(insn), old)
    return hart.pc + 4


def system(computer: Computer, hart: Hart, insn: int) -> int:
    """Execute an instruction of the opcode SYSTEM.

    A paravirtual kernel has no privileged instructions but ecall.
    """
    kernel = hart.mode is Mode.SUPERVISOR
    native = kernel and computer.style is Style.NATIVE
    if funct3(insn) in (1, 2, 3, 5, 6, 7):
        return csr_op(computer, hart, insn)
    if insn == ECALL and kernel:
        raise _Call
    if insn == ECALL:
        raise Trap(Cause.ECALL_FROM_USER)
    if insn == EBREAK:
        raise Trap(Cause.BREAKPOINT, hart.pc)
    if insn == SRET and native:
        return trap.sret(hart)
    if insn == WFI and native:
        hart.waiting = True
        return hart.pc + 4
    if insn & SFENCE_MASK == SFENCE_VMA and native:
        return hart.pc + 4  # nothing is ever stale here: hv.spec.stale
    raise Trap(Cause.ILLEGAL, insn)


OPCODES: dict[int, Callable[[Computer, Hart, int], int]] = {
    0x03: load_op,
    0x0F: misc_mem,
    0x13: op_imm,
    0x17: auipc,
    0x23: store_op,
    0x2F: amo,
    0x33: op,
    0x37: lui,
    0x63: branch,
    0x67: jalr,
    0x6F: jal,
    0x73: system,
}
