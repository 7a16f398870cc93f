"""Which words are instructions: our verdict against capstone's.

A word is illegal exactly if executing it raises cause 2. What is known to
differ from capstone 5 (riscv32, no compressed), and why each is left out:

- the opcodes of F and D: capstone knows them, TRV32 does not have them;
- shifts with bit 25 set: capstone decodes RV64's sixth bit of the amount also
  for riscv32, where the specification reserves it;
- fence and fence.i: capstone wants their unused fields to be zero, the
  specification wants them ignored;
- CSR instructions: capstone does not know which registers a computer has;
  test_csr.py asks about all 4096.
"""

import random
from collections.abc import Iterable, Iterator

import capstone
import pytest

from . import asm
from .core import Core, Machine, abi

M, S, U = abi.PRIV_M, abi.PRIV_S, abi.PRIV_U
FLOAT = {0x07, 0x27, 0x43, 0x47, 0x4B, 0x4F, 0x53}
MISC_MEM, OP_IMM, SYSTEM = 0x0F, 0x13, 0x73
RESERVED = {0x0B, 0x1B, 0x1F, 0x2B, 0x3B, 0x3F, 0x5B, 0x5F, 0x6B, 0x77, 0x7B}
RESERVED |= {0x57, 0x7F}


class Judge:
    """Execute one word from the same clean state each time."""

    def __init__(self, core: Core) -> None:
        self.machine: Machine = core.machine(ram=4096)
        self.zero_csrs = bytes(core.ffi.sizeof(self.machine.csr))
        ffi, hart = core.ffi, self.machine.hart
        self.csrs = ffi.buffer(ffi.addressof(hart, "csr"))
        self.regs = ffi.buffer(ffi.addressof(hart, "regs"))

    def legal(self, word: int, priv: int = M) -> bool:
        self.csrs[:] = self.zero_csrs
        self.regs[:] = bytes(len(self.regs))
        self.machine.hart.waiting = False
        self.machine.regs.pc = abi.RAM_BASE
        self.machine.priv(priv)
        self.machine.poke(abi.RAM_BASE, word)
        self.machine.step()
        return bool(self.machine.csr.mcause != abi.CAUSE_ILLEGAL)


class Capstone:
    def __init__(self) -> None:
        self.engine = capstone.Cs(
            capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32
        )

    def legal(self, word: int) -> bool:
        code = word.to_bytes(4, "little")
        return any(row[1] == 4 for row in self.engine.disasm_lite(code, 0))


@pytest.fixture
def judge(core: Core) -> Judge:
    return Judge(core)


def comparable(word: int) -> bool:
    opcode, funct3 = word & 0x7F, word >> 12 & 7
    if opcode in FLOAT or (opcode == MISC_MEM and funct3 <= 1):
        return False
    if opcode == OP_IMM and funct3 in (1, 5) and word >> 25 & 1:
        return False
    return not (opcode == SYSTEM and funct3 != 0)


def every_combination(rng: random.Random) -> Iterator[int]:
    """All of opcode, funct3, funct7; some registers, zero among them."""
    for opcode in range(128):
        for funct3 in range(8):
            for funct7 in range(128):
                for rs2 in (0, rng.randrange(32)):
                    rd, rs1 = rng.randrange(32), rng.randrange(32)
                    yield (
                        funct7 << 25
                        | rs2 << 20
                        | rs1 << 15
                        | funct3 << 12
                        | rd << 7
                        | opcode
                    )


def every_operation_of_system() -> Iterator[int]:
    """funct3 = 0 of SYSTEM: all upper twelve bits, rs1 and rd zero or not."""
    for upper in range(4096):
        for rs1 in (0, 1, 31):
            for rd in (0, 1):
                yield upper << 20 | rs1 << 15 | rd << 7 | SYSTEM


def disagreements(judge: Judge, words: Iterable[int]) -> list[str]:
    oracle = Capstone()
    return [
        f"{word:08x}: {'legal' if judge.legal(word) else 'illegal'} here"
        for word in words
        if comparable(word) and judge.legal(word) != oracle.legal(word)
    ]


def test_every_combination_of_opcode_and_functs(judge: Judge) -> None:
    assert disagreements(judge, every_combination(random.Random(1))) == []


def test_random_words(judge: Judge) -> None:
    rng = random.Random(2)
    words = (rng.getrandbits(32) for _ in range(50_000))
    assert disagreements(judge, words) == []


def test_system_instructions(judge: Judge) -> None:
    uret = "00200073: illegal here"  # user-level traps: withdrawn, not ours
    assert disagreements(judge, every_operation_of_system()) == [uret]


def test_words_that_are_kept_from_capstone(judge: Judge) -> None:
    rng = random.Random(3)
    for opcode in FLOAT | RESERVED:
        for _ in range(500):
            assert not judge.legal(rng.getrandbits(25) << 7 | opcode)
    for _ in range(500):
        anything = rng.getrandbits(25) << 7
        for opcode in range(128):
            if opcode & 3 != 3:  # would be compressed
                assert not judge.legal(anything | opcode)
        fence = anything & ~0x7000 | MISC_MEM
        assert judge.legal(fence)
        assert judge.legal(fence | 0x1000)
        shift = anything & ~0x7000 | 0x1000 | OP_IMM
        assert not judge.legal(shift | 1 << 25)
        assert not judge.legal(shift | 0x4000 | 1 << 25)
    assert not judge.legal(0)
    assert not judge.legal(0xFFFFFFFF)


@pytest.mark.parametrize("priv", [M, S, U])
def test_user_level_words_are_legal_in_every_mode(
    judge: Judge, priv: int
) -> None:
    rng = random.Random(4)
    for word in every_combination(rng):
        if word & 0x7F != SYSTEM and rng.random() < 0.1:
            assert judge.legal(word, priv) == judge.legal(word)


@pytest.mark.parametrize(
    ("word", "modes"),
    [
        (asm.ECALL, {M, S, U}),
        (asm.EBREAK, {M, S, U}),
        (asm.MRET, {M}),
        (asm.SRET, {M, S}),
        (asm.WFI, {M, S}),
        (asm.sfence_vma(), {M, S}),
        (asm.sfence_vma(3, 4), {M, S}),
    ],
)
def test_modes_of_system_instructions(
    judge: Judge, word: int, modes: set[int]
) -> None:
    assert {p for p in (M, S, U) if judge.legal(word, p)} == modes
