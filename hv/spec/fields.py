"""The fields of an instruction, and its immediates.

Source: Unprivileged ISA (20240411), 2.2 and 2.3::

    31      25 24 20 19 15 14 12 11       7 6      0
    [ funct7  ][rs2 ][rs1 ][ f3 ][   rd   ][opcode]   R
    [   imm[11:0]   ][rs1 ][ f3 ][   rd   ][opcode]   I
    [imm[11:5]][rs2 ][rs1 ][ f3 ][imm[4:0]][opcode]   S
    [imm 12|10:5][rs2][rs1][ f3 ][4:1|11  ][opcode]   B
    [         imm[31:12]         ][   rd  ][opcode]   U
    [      imm 20|10:1|11|19:12  ][   rd  ][opcode]   J

>>> imm_i(0xFFF0_0093), rd(0xFFF0_0093)  # li ra, -1
(-1, 1)
"""

from hv.spec.hart import signed


def rd(insn: int) -> int:
    """Return the number of the destination register."""
    return insn >> 7 & 31


def rs1(insn: int) -> int:
    """Return the number of the first source register."""
    return insn >> 15 & 31


def rs2(insn: int) -> int:
    """Return the number of the second source register."""
    return insn >> 20 & 31


def funct3(insn: int) -> int:
    """Return bits 14:12."""
    return insn >> 12 & 7


def funct7(insn: int) -> int:
    """Return bits 31:25."""
    return insn >> 25


def imm_i(insn: int) -> int:
    """Return the immediate of a load, jalr, or operation."""
    return signed(insn >> 20, 12)


def imm_s(insn: int) -> int:
    """Return the immediate of a store."""
    return signed(funct7(insn) << 5 | rd(insn), 12)


def imm_b(insn: int) -> int:
    """Return the distance of a branch."""
    high = insn >> 31 << 12 | (insn >> 7 & 1) << 11
    return signed(high | (insn >> 25 & 0x3F) << 5 | (insn >> 8 & 15) << 1, 13)


def imm_u(insn: int) -> int:
    """Return the upper immediate."""
    return insn & 0xFFFF_F000


def imm_j(insn: int) -> int:
    """Return the distance of a jal."""
    high = insn >> 31 << 20 | (insn >> 12 & 0xFF) << 12
    return signed(high | (insn >> 20 & 1) << 11 | (insn >> 21 & 0x3FF) << 1, 21)
