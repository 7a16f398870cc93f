"""User-level instructions against an independent machine: Unicorn (QEMU).

Random programs of RV32IMA run for the same number of instructions on both;
then every register, pc and the data page must agree. Jumps go anywhere inside
the program, forwards and backwards: the count ends every loop.

What is kept out of the programs, because the two machines may differ:

- misaligned accesses: Unicorn performs them, TRV32 traps (see test_traps.py);
- jumps to addresses that are no multiple of 4: Unicorn has extension C;
- a plain store to the reserved word between LR and SC: QEMU compares values
  instead of watching stores, so it lets SC succeed when the value is the same.
  LR and SC therefore come as one block that no jump enters.
"""

from dataclasses import dataclass

import unicorn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unicorn import riscv_const

from . import asm
from .core import Core

CODE = 0x80000000
DATA = 0x80010000
PAGE = 4096
STEPS = 200

# Registers that programs read but never write: the middle of the data page,
# and an aligned address inside it.
MIDDLE, POINTER = asm.T5, asm.T4
# Written by auipc and used by the jalr after it, and by nothing else.
LINK = asm.T3

CORNERS = [0, 1, 2, 31, 32, 0x7FF, 0x800, 0x7FFFFFFF, 0x80000000]
CORNERS += [0x80000001, 0xFFFF8000, 0xFFFFFFFE, 0xFFFFFFFF, 0x55555555]

words = st.sampled_from(CORNERS) | st.integers(0, 0xFFFFFFFF)
sources = st.integers(0, 31)
targets = st.integers(0, 27) | st.just(31)
imm12 = st.sampled_from([0, 1, -1, 2047, -2048]) | st.integers(-2048, 2047)

THREE_REGISTERS = [
    asm.add, asm.sub, asm.sll, asm.slt, asm.sltu, asm.xor, asm.srl, asm.sra,
    asm.or_, asm.and_, asm.mul, asm.mulh, asm.mulhsu, asm.mulhu, asm.div,
    asm.divu, asm.rem, asm.remu,
]  # fmt: skip
IMMEDIATE = [asm.addi, asm.slti, asm.sltiu, asm.xori, asm.ori, asm.andi]
SHIFTS = [asm.slli, asm.srli, asm.srai]
LOADS = {asm.lb: 1, asm.lbu: 1, asm.lh: 2, asm.lhu: 2, asm.lw: 4}
STORES = {asm.sb: 1, asm.sh: 2, asm.sw: 4}
AMOS = [
    asm.amoadd_w, asm.amoswap_w, asm.amoxor_w, asm.amoor_w, asm.amoand_w,
    asm.amomin_w, asm.amomax_w, asm.amominu_w, asm.amomaxu_w,
]  # fmt: skip


@dataclass(frozen=True)
class Jump:
    """A branch or jal whose distance is known when the program is laid out."""

    kind: str
    a: int
    b: int
    target: int  # a block number, modulo the number of blocks


@dataclass(frozen=True)
class Program:
    """Blocks that are entered at their start only, and the initial state."""

    blocks: list[list[int] | Jump]
    registers: list[int]
    seed: int

    def words(self) -> list[int]:
        starts, at = [], 0
        for block in self.blocks:
            starts.append(at)
            at += 4 * (2 if isinstance(block, Jump) else len(block))
        out: list[int] = []
        for start, block in zip(starts, self.blocks, strict=True):
            if isinstance(block, Jump):
                distance = starts[block.target % len(starts)] - start
                out += self._jump(block, distance)
            else:
                out += block
        return [*out, asm.j(0)]

    def _jump(self, block: Jump, distance: int) -> list[int]:
        if block.kind == "jal":
            return [asm.jal(block.a, distance), asm.NOP]
        if block.kind == "jalr":  # bit 0 of the target is to be ignored
            return [asm.auipc(LINK, 0), asm.jalr(block.a, distance | 1, LINK)]
        branch = getattr(asm, block.kind)
        return [branch(block.a, block.b, distance), asm.NOP]

    def data(self) -> bytes:
        state, out = self.seed, bytearray()
        for _ in range(PAGE // 4):
            state = (state * 0x5851F42D4C957F2D + 1) % (1 << 64)
            out += (state >> 32).to_bytes(4, "little")
        return bytes(out)


def aligned(size: int) -> st.SearchStrategy[int]:
    """Offsets from the middle of the data page that stay inside it."""
    return st.integers(-2048 // size, 2047 // size).map(lambda i: i * size)


def memory(
    kinds: dict[asm.ThreeRegs, int], registers: st.SearchStrategy[int]
) -> st.SearchStrategy[list[int]]:
    return st.sampled_from(sorted(kinds, key=id)).flatmap(
        lambda op: st.builds(
            lambda reg, offset: [op(reg, offset, MIDDLE)],
            registers,
            aligned(kinds[op]),
        )
    )


def point(offset: int) -> int:
    return asm.addi(POINTER, MIDDLE, offset)


@st.composite
def conditional(draw: st.DrawFn) -> list[int]:
    """LR, perhaps something harmless, SC; to one word or to two."""
    offset, other = draw(aligned(4)), draw(aligned(4))
    rd, val, rd2 = draw(targets), draw(sources), draw(targets)
    out = [point(offset), asm.lr_w(rd, POINTER)]
    if draw(st.booleans()):
        out.append(asm.addi(rd, rd, 1))
    if draw(st.booleans()):
        out.append(point(other))
    out.append(asm.sc_w(rd2, val, POINTER))
    if draw(st.booleans()):
        out.append(asm.sc_w(rd2, val, POINTER))  # the second must fail
    return out


plain = st.one_of(
    st.builds(
        lambda op, a, b, c: [op(a, b, c)],
        st.sampled_from(THREE_REGISTERS), targets, sources, sources,
    ),
    st.builds(
        lambda op, a, b, c: [op(a, b, c)],
        st.sampled_from(IMMEDIATE), targets, sources, imm12,
    ),
    st.builds(
        lambda op, a, b, c: [op(a, b, c)],
        st.sampled_from(SHIFTS), targets, sources, st.integers(0, 31),
    ),
    st.builds(
        lambda op, a, c: [op(a, c)],
        st.sampled_from([asm.lui, asm.auipc]), targets,
        st.integers(0, 0xFFFFF),
    ),
    st.sampled_from([[asm.FENCE], [asm.FENCE_I]]),
    memory(LOADS, targets),
    memory(STORES, sources),
    st.builds(
        lambda op, rd, rs2, offset: [point(offset), op(rd, rs2, POINTER)],
        st.sampled_from(AMOS), targets, sources, aligned(4),
    ),
    st.builds(
        lambda rd, rs2, offset: [point(offset), asm.sc_w(rd, rs2, POINTER)],
        targets, sources, aligned(4),
    ),
    conditional(),
)  # fmt: skip
jumps = st.builds(
    Jump,
    st.sampled_from(["beq", "bne", "blt", "bge", "bltu", "bgeu"])
    | st.sampled_from(["jal", "jalr"]),
    targets,
    sources,
    st.integers(0, 1000),
)
programs = st.builds(
    Program,
    st.lists(plain | plain | plain | jumps, min_size=1, max_size=60),
    st.lists(words, min_size=32, max_size=32),
    st.integers(0, 1 << 32),
)


def initial(program: Program) -> list[int]:
    registers = list(program.registers)
    registers[0] = 0
    registers[MIDDLE] = registers[POINTER] = DATA + 2048
    registers[LINK] = CODE
    return registers


def run_ours(core: Core, program: Program) -> tuple[list[int], bytes]:
    machine = core.machine(ram=0x11000)
    machine.poke(CODE, *program.words())
    machine.write(DATA, program.data())
    for i, value in enumerate(initial(program)):
        machine.x[i] = value
    assert machine.run(STEPS) == "UNTIL"
    assert machine.hart.instret == STEPS
    return [*machine.x, machine.regs.pc], machine.read(DATA, PAGE)


def run_unicorn(program: Program) -> tuple[list[int], bytes]:
    uc = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
    uc.mem_map(CODE, 0x11000)
    code = b"".join(w.to_bytes(4, "little") for w in program.words())
    uc.mem_write(CODE, code)
    uc.mem_write(DATA, program.data())
    x = [riscv_const.UC_RISCV_REG_X0 + i for i in range(32)]
    for reg, value in zip(x, initial(program), strict=True):
        uc.reg_write(reg, value)
    uc.emu_start(CODE, 0, count=STEPS)
    registers = [uc.reg_read(reg) for reg in x]
    registers.append(uc.reg_read(riscv_const.UC_RISCV_REG_PC))
    return registers, bytes(uc.mem_read(DATA, PAGE))


def division(a: int, b: int) -> Program:
    registers = [0] * 32
    registers[1], registers[2] = a, b
    blocks: list[list[int] | Jump] = [
        [op(3 + i, 1, 2)] for i, op in enumerate(THREE_REGISTERS[10:])
    ]
    return Program(blocks, registers, 0)


@settings(max_examples=4 * settings().max_examples)
@example(division(0x80000000, 0xFFFFFFFF))
@example(division(0x80000000, 0))
@example(division(7, 0xFFFFFFFE))
@given(programs)
def test_same_state_as_unicorn(core: Core, program: Program) -> None:
    ours, our_data = run_ours(core, program)
    theirs, their_data = run_unicorn(program)
    assert [hex(v) for v in ours] == [hex(v) for v in theirs]
    assert our_data == their_data


def test_every_pair_of_corner_values(core: Core) -> None:
    for a in CORNERS:
        for b in CORNERS:
            registers = [0] * 32
            registers[1], registers[2] = a, b
            blocks = [
                [op(3 + i % 25, 1, 2)] for i, op in enumerate(THREE_REGISTERS)
            ]
            program = Program(list(blocks), registers, a ^ b)
            assert run_ours(core, program) == run_unicorn(program)
