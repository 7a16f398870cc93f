"""A tiny TRV32 assembler: one function per instruction, each gives one word.

Operands come in assembly order. Registers are numbers; their ABI names are
constants of this module. Immediates and branch distances are plain integers
and are checked: what does not fit is a mistake in the test.

>>> hex(addi(A0, ZERO, 1))
'0x100513'
>>> [hex(w) for w in li(A0, 0x80001234)]
['0x80001537', '0x23450513']
"""

from collections.abc import Callable, Iterable

ZERO, RA, SP, GP, TP, T0, T1, T2, S0, S1 = range(10)
A0, A1, A2, A3, A4, A5, A6, A7 = range(10, 18)
S2, S3, S4, S5, S6, S7, S8, S9, S10, S11 = range(18, 28)
T3, T4, T5, T6 = range(28, 32)


def _reg(reg: int) -> int:
    if not 0 <= reg < 32:
        raise ValueError(f"register must be in 0..31, not {reg}")
    return reg


def _signed(value: int, bits: int, step: int = 1) -> int:
    """Return value as a two's complement field, or complain."""
    limit = 1 << (bits - 1)
    if not -limit <= value < limit or value % step:
        raise ValueError(f"{value} is not a multiple of {step} in {bits} bits")
    return value & ((1 << bits) - 1)


# Formats, named as in the specification.


def r_type(
    opcode: int, funct3: int, funct7: int, rd: int, rs1: int, rs2: int
) -> int:
    return (
        funct7 << 25
        | _reg(rs2) << 20
        | _reg(rs1) << 15
        | funct3 << 12
        | _reg(rd) << 7
        | opcode
    )


def i_type(opcode: int, funct3: int, rd: int, rs1: int, imm: int) -> int:
    field = _signed(imm, 12)
    return field << 20 | _reg(rs1) << 15 | funct3 << 12 | _reg(rd) << 7 | opcode


def s_type(opcode: int, funct3: int, rs1: int, rs2: int, imm: int) -> int:
    field = _signed(imm, 12)
    return (
        (field >> 5) << 25
        | _reg(rs2) << 20
        | _reg(rs1) << 15
        | funct3 << 12
        | (field & 31) << 7
        | opcode
    )


def b_type(opcode: int, funct3: int, rs1: int, rs2: int, imm: int) -> int:
    field = _signed(imm, 13, 2)
    return (
        (field >> 12 & 1) << 31
        | (field >> 5 & 63) << 25
        | _reg(rs2) << 20
        | _reg(rs1) << 15
        | funct3 << 12
        | (field >> 1 & 15) << 8
        | (field >> 11 & 1) << 7
        | opcode
    )


def u_type(opcode: int, rd: int, imm20: int) -> int:
    if not 0 <= imm20 < 1 << 20:
        raise ValueError(f"upper immediate must have 20 bits, not {imm20:#x}")
    return imm20 << 12 | _reg(rd) << 7 | opcode


def j_type(opcode: int, rd: int, imm: int) -> int:
    field = _signed(imm, 21, 2)
    return (
        (field >> 20 & 1) << 31
        | (field >> 1 & 0x3FF) << 21
        | (field >> 11 & 1) << 20
        | (field >> 12 & 0xFF) << 12
        | _reg(rd) << 7
        | opcode
    )


# Families: each of these makes the functions that follow it.

ThreeRegs = Callable[[int, int, int], int]
TwoRegs = Callable[[int, int], int]


def _op(funct3: int, funct7: int) -> ThreeRegs:
    return lambda rd, rs1, rs2: r_type(0x33, funct3, funct7, rd, rs1, rs2)


def _op_imm(funct3: int) -> ThreeRegs:
    return lambda rd, rs1, imm: i_type(0x13, funct3, rd, rs1, imm)


def _shift(funct3: int, funct7: int) -> ThreeRegs:
    return lambda rd, rs1, shamt: r_type(
        0x13, funct3, funct7, rd, rs1, _reg(shamt)
    )


def _load(funct3: int) -> ThreeRegs:
    """lw(rd, offset, base), as in ``lw rd, offset(base)``."""
    return lambda rd, offset, base: i_type(0x03, funct3, rd, base, offset)


def _store(funct3: int) -> ThreeRegs:
    """sw(source, offset, base), as in ``sw source, offset(base)``."""
    return lambda rs2, offset, base: s_type(0x23, funct3, base, rs2, offset)


def _branch(funct3: int) -> ThreeRegs:
    """beq(rs1, rs2, distance): distance in bytes from the branch itself."""
    return lambda rs1, rs2, distance: b_type(0x63, funct3, rs1, rs2, distance)


def _amo(funct5: int) -> ThreeRegs:
    """amoadd_w(rd, rs2, base), as in ``amoadd.w rd, rs2, (base)``."""
    return lambda rd, rs2, base: r_type(0x2F, 2, funct5 << 2, rd, base, rs2)


def _csr_reg(funct3: int) -> ThreeRegs:
    return lambda rd, csr, rs1: (
        csr << 20 | _reg(rs1) << 15 | funct3 << 12 | _reg(rd) << 7 | 0x73
    )


add, sub = _op(0, 0), _op(0, 0x20)
sll, slt, sltu, xor = _op(1, 0), _op(2, 0), _op(3, 0), _op(4, 0)
srl, sra = _op(5, 0), _op(5, 0x20)
or_, and_ = _op(6, 0), _op(7, 0)
mul, mulh, mulhsu, mulhu = _op(0, 1), _op(1, 1), _op(2, 1), _op(3, 1)
div, divu, rem, remu = _op(4, 1), _op(5, 1), _op(6, 1), _op(7, 1)

addi, slti, sltiu = _op_imm(0), _op_imm(2), _op_imm(3)
xori, ori, andi = _op_imm(4), _op_imm(6), _op_imm(7)
slli, srli, srai = _shift(1, 0), _shift(5, 0), _shift(5, 0x20)

lb, lh, lw, lbu, lhu = _load(0), _load(1), _load(2), _load(4), _load(5)
sb, sh, sw = _store(0), _store(1), _store(2)

beq, bne, blt = _branch(0), _branch(1), _branch(4)
bge, bltu, bgeu = _branch(5), _branch(6), _branch(7)

amoadd_w, amoswap_w, sc_w = _amo(0), _amo(1), _amo(3)
amoxor_w, amoor_w, amoand_w = _amo(4), _amo(8), _amo(12)
amomin_w, amomax_w = _amo(16), _amo(20)
amominu_w, amomaxu_w = _amo(24), _amo(28)

csrrw, csrrs, csrrc = _csr_reg(1), _csr_reg(2), _csr_reg(3)
# Their third operand is a number of 0..31 instead of a register.
csrrwi, csrrsi, csrrci = _csr_reg(5), _csr_reg(6), _csr_reg(7)

ECALL = 0x00000073
EBREAK = 0x00100073
SRET = 0x10200073
MRET = 0x30200073
WFI = 0x10500073
FENCE = 0x0FF0000F
FENCE_I = 0x0000100F
NOP = 0x00000013
ILLEGAL = 0x00000000


def lui(rd: int, imm20: int) -> int:
    return u_type(0x37, rd, imm20)


def auipc(rd: int, imm20: int) -> int:
    return u_type(0x17, rd, imm20)


def jal(rd: int, distance: int) -> int:
    return j_type(0x6F, rd, distance)


def jalr(rd: int, offset: int, base: int) -> int:
    """``jalr rd, offset(base)``."""
    return i_type(0x67, 0, rd, base, offset)


def lr_w(rd: int, base: int) -> int:
    """``lr.w rd, (base)``."""
    return r_type(0x2F, 2, 2 << 2, rd, base, 0)


def sfence_vma(rs1: int = ZERO, rs2: int = ZERO) -> int:
    return r_type(0x73, 0, 0x09, 0, rs1, rs2)


def hfence_vvma(rs1: int = ZERO, rs2: int = ZERO) -> int:
    return r_type(0x73, 0, 0x11, 0, rs1, rs2)


def hfence_gvma(rs1: int = ZERO, rs2: int = ZERO) -> int:
    return r_type(0x73, 0, 0x31, 0, rs1, rs2)


# Pseudo-instructions that tests need all the time.


def csrr(rd: int, csr: int) -> int:
    return csrrs(rd, csr, ZERO)


def csrw(csr: int, rs1: int) -> int:
    return csrrw(ZERO, csr, rs1)


def mv(rd: int, rs1: int) -> int:
    return addi(rd, rs1, 0)


def j(distance: int) -> int:
    return jal(ZERO, distance)


def li(rd: int, value: int) -> list[int]:
    """Load a 32-bit constant: always two words, so that sizes are known."""
    value &= 0xFFFFFFFF
    low = (value & 0xFFF) - (value << 1 & 0x1000)
    high = (value - low) >> 12 & 0xFFFFF
    return [lui(rd, high), addi(rd, rd, low)]


def program(*parts: int | Iterable[int]) -> list[int]:
    """Flatten words and lists of words into one list of words."""
    words: list[int] = []
    for part in parts:
        words.extend([part] if isinstance(part, int) else part)
    return words
