"""The specification of TRV32 and the reference engine: the same machine.

Programs come from the generator of the equivalence test, which makes a kernel
with tables, traps, users, interrupts and SBI calls; single words come from
nowhere in particular, so that most of what can be encoded is tried, in both
modes and with and without translation.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hv.spec.csr import Csr
from tests.equivalence.core import Core, good_core
from tests.spec.bare import RAM, Pair, program
from tests.spec.registers import CSR, PC, PRIV

ENDLESS = "0x0000006f"  # `j .`: how a program says that it is done
SFENCE = 0x12000073
FENCE_AT, CODE, ROOT, LEAVES = (RAM + n * 0x1000 for n in (1, 2, 3, 4))
PAGES = 16
OPCODES = (0x03, 0x0F, 0x13, 0x17, 0x23, 0x2F, 0x33, 0x37, 0x63, 0x67, 0x6F)
SYSTEM = (
    *(0x73, 0x0010_0073, 0x1020_0073, 0x1050_0073, 0x3020_0073, SFENCE),
    *(0x1200_0073 | 7 << 15, 0x1200_00F3, 0x0000_4073, 0x6200_0073),
)
CSRS = (*Csr, 0x300, 0x340, 0x200, 0x600, 0xC03, 0xF14, 0x7C0, 0x001)
ADDRESSES = (
    *(RAM, RAM + 0x5000, RAM + 0x5FFF, RAM + 0x6002, RAM + PAGES * 0x1000),
    *(RAM + PAGES * 0x1000 - 4, 0x1000_0000, 0x0C00_0000, 0x4000_0000),
    *(0x4000_1004, 0x4000_2008, 0x4000_3FFC, 0x4000_5001, 0x7FFF_FFFF),
    *(0, 1, 2, 31, 32, 0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFE, 0x5A5A_5A5A),
)
V, R, W, X, U, A, D = 1, 2, 4, 8, 16, 64, 128


def run(seed: int, most: int = 600) -> int:
    """Run a generated program on both; return how many steps it made."""
    core = good_core()
    pair = Pair(core, program(core, seed))
    for done in range(most):
        if not pair.step() or pair.trail[-1].endswith(ENDLESS):
            return done
    return most


def test_generated_programs() -> None:
    steps = sum(run(seed) for seed in range(1, 16))
    assert steps > 5_000


@pytest.mark.nightly
@given(seed=st.integers(1, 2**63))
@settings(max_examples=2_000)
def test_more_generated_programs(seed: int) -> None:
    run(seed)


# --- single words -----------------------------------------------------------


def word(draw: random.Random) -> int:
    """Return something to execute: mostly an instruction."""
    kind = draw.random()
    if kind < 0.6:
        funct7 = draw.choice((0, 0, 1, 1, 0x20, draw.getrandbits(7)))
        return funct7 << 25 | draw.getrandbits(18) << 7 | draw.choice(OPCODES)
    if kind < 0.75:
        funct5 = draw.choice((0, 1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 5))
        operands = draw.getrandbits(13)
        rs2 = 0 if funct5 == 2 else operands & 31
        rd, rs1 = operands & 31, operands >> 5 & 31
        return funct5 << 27 | rs2 << 20 | rs1 << 15 | 2 << 12 | rd << 7 | 0x2F
    if kind < 0.85:
        number: int = draw.choice(CSRS) << 20
        rest = draw.getrandbits(13) & draw.choice((0xFF, 0x1FFF))  # rs1: x0?
        return number | rest << 7 | 0x73
    if kind < 0.95:
        return draw.choice(SYSTEM)
    return draw.getrandbits(32)


def leaf(page: int, bits: int) -> int:
    return (RAM >> 12) + page << 10 | bits


def tables(draw: random.Random) -> bytes:
    """Return a root and leaves: RAM by itself, and a window of odd pages."""
    root, leaves = [0] * 1024, [0] * 1024
    root[RAM >> 22] = leaf(0, V | R | W | X | A | D)
    root[0x4000_0000 >> 22] = leaf(4, V)
    root[0x1000_0000 >> 22] = 0x1000_0000 >> 2 | V | R | W | A | D
    root[0] = leaf(0, V | R | W | X | U | A | D)  # code, for users
    for n in range(PAGES):
        leaves[n] = leaf(draw.randrange(5, PAGES + 2), draw.getrandbits(8) | V)
    return b"".join(entry.to_bytes(4, "little") for entry in root + leaves)


def settle(pair: Pair, draw: random.Random) -> None:
    """Choose a state. A fence of its own lets nothing be stale.

    It also ends a wait: a software interrupt that is enabled and not taken.
    """
    for register, value in (
        (PRIV, 1),
        (PC, FENCE_AT),
        (CSR + Csr.SATP, 0),
        (CSR + Csr.SSTATUS, 0),
        (CSR + Csr.SIE, 2),
        (CSR + Csr.SIP, 2),
    ):
        pair.both(register, value)
    pair.write(FENCE_AT, SFENCE.to_bytes(4, "little"))
    assert pair.step()
    for register in range(1, 32):
        if draw.random() < 0.3:
            value = draw.choice(ADDRESSES)
            pair.both(register, value if draw.random() < 0.9 else value ^ 4)
    translated = draw.random() < 0.5
    user = draw.random() < 0.4
    low = translated and user
    for register, value in (
        (CSR + Csr.SIP, 0),
        (CSR + Csr.STVEC, draw.choice((RAM, RAM + 1, RAM + 0x104))),
        (CSR + Csr.SEPC, draw.choice((RAM + 8, CODE))),
        (CSR + Csr.SIE, draw.choice((0, 0x222))),
        (CSR + Csr.SSTATUS, draw.getrandbits(32)),
        (CSR + Csr.SCOUNTEREN, draw.getrandbits(3)),
        (CSR + Csr.SATP, translated << 31 | ROOT >> 12),
        (PC, CODE - RAM if low else CODE),
        (PRIV, 0 if user else 1),
    ):
        pair.both(register, value)


def single_words(core: Core, seed: int, count: int) -> Pair:
    draw = random.Random(seed)
    pair = Pair(core, bytes(PAGES << 12))
    for _ in range(count):
        pair.write(ROOT, tables(draw))
        settle(pair, draw)
        for n in range(2):
            data = word(draw).to_bytes(4, "little")
            pair.write(CODE + 4 * n, data)
        for _ in range(2):
            if not pair.step() and pair.computer.ended:
                return pair
    return pair


def test_single_words() -> None:
    pairs = [single_words(good_core(), seed, 400) for seed in range(4)]
    causes = set.union(*(pair.causes for pair in pairs))
    assert causes >= {*range(9), 12, 13, 15}
    assert set.union(*(pair.retired for pair in pairs)) == {*OPCODES, 0x73}


@pytest.mark.nightly
@given(seed=st.integers(0, 2**63))
@settings(max_examples=500)
def test_more_single_words(seed: int) -> None:
    single_words(good_core(), seed, 400)
