"""Lab 3: what the bare machine does, a VM of style `emulate` does, too.

Each test runs the same instruction in both, from the same state; the last one,
a kernel. The bare machine is the oracle.
"""

import random
from itertools import product
from typing import Self

from hv.guest import Guest
from hv.hypervisor import Hypervisor
from hv.images import find
from hv.labs.diverge import Parting, part
from hv.labs.kit import RAM, Board, moved
from hv.labs.points import fail, points
from hv.machine import Machine

PC = RAM + 0x100
SSTATUS, SIE, STVEC, SSCRATCH, SEPC = 0x100, 0x104, 0x105, 0x140, 0x141
CYCLE = 0xC00
HANDLER = RAM + 0x800
SRET, ECALL, EBREAK, NOP, LOOP = 0x10200073, 0x73, 0x00100073, 0x13, 0x6F
A0, A1 = 10, 11
BEGINNING = 10_000  # instructions, none of which is privileged
BIT_SIE, BIT_SPIE, BIT_SPP = 1 << 1, 1 << 5, 1 << 8


def csr(op: int, number: int, rd: int, rs1: int) -> int:
    """Encode csrrw (1), csrrs (2), csrrc (3); plus 4: with an immediate."""
    return number << 20 | rs1 << 15 | op << 12 | rd << 7 | 0x73


class Pair:
    """The bare machine and a VM, in the same state."""

    def __init__(self) -> None:
        self.bare, self.vm = Board(), Board("emulate")
        self.both = (self.bare, self.vm)
        for board in self.both:  # an interrupt is followed by an instruction
            for entry in (0, 4):
                board.mem.write32(HANDLER + entry, LOOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for board in self.both:
            board.__exit__(None, None, None)

    def set(self, priv: str = "S", **registers: int) -> None:
        for board in self.both:
            for name, value in registers.items():
                board.cpu.set_reg(name, value)
            board.cpu.set_priv(priv)

    def run(self, word: int, what: str) -> None:
        """Execute it in both; they must be in the same state after it."""
        for board in self.both:
            board.mem.write32(PC, word)
            board.cpu.pc = PC
        same(what, part(self.vm.machine, self.bare.machine, 1, b"", moved))


def same(what: str, parting: Parting | None) -> None:
    if parting:
        fail(f"{what} (expected is what the bare machine has)", *parting.lines)


@points(5, "what does not trap")
def test_plain() -> None:
    with Pair() as pair:
        pair.run(NOP, "a nop")


@points(10, "CSRs: read")
def test_csr_read() -> None:
    with Pair() as pair:
        for number in (SSCRATCH, SEPC, STVEC, SSTATUS):
            pair.set(sscratch=0x1234, sepc=0x80000440, a1=7)
            pair.run(csr(2, number, A1, 0), f"csrr a1, {number:#x}")


@points(15, "CSRs: write, set, clear")
def test_csr_write(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with Pair() as pair:
        for op in (1, 2, 3, 5, 6, 7):
            for _ in range(3):
                pair.set(sscratch=draw.getrandbits(32), a0=draw.getrandbits(32))
                field = draw.randrange(1, 32) if op & 4 else A0
                word = csr(op, SSCRATCH, A1, field)
                pair.run(word, f"instruction {word:#x} (funct3 {op})")


@points(10, "CSRs: what is read-only")
def test_csr_read_only() -> None:
    with Pair() as pair:
        pair.set(a0=1)
        pair.run(csr(1, CYCLE, 0, A0), "csrw cycle, a0")
        pair.run(csr(2, CYCLE, 0, A0), "csrs cycle, a0")
        pair.run(csr(2, CYCLE, 0, 0), "csrs cycle, x0 writes nothing")


@points(5, "CSRs: x0 stays 0")
def test_csr_zero() -> None:
    with Pair() as pair:
        pair.set(sscratch=77)
        pair.run(csr(2, SSCRATCH, A1, 0), "csrr a1, sscratch")
        pair.run(csr(2, SSCRATCH, 0, 0), "csrr x0, sscratch")


@points(10, "user mode may not")
def test_user() -> None:
    with Pair() as pair:
        for word in (csr(2, SSCRATCH, A1, 0), csr(1, SSCRATCH, 0, A0)):
            pair.set("U", a0=5, a1=6)
            pair.run(word, f"instruction {word:#x} in U")
        pair.set("S", a0=5)
        pair.run(csr(1, SSCRATCH, A1, A0), "csrrw a1, sscratch, a0 in S")


@points(15, "sret")
def test_sret() -> None:
    with Pair() as pair:
        for bits in product((0, BIT_SIE), (0, BIT_SPIE), (0, BIT_SPP)):
            pair.set(sstatus=sum(bits), sepc=RAM + 0x440)
            pair.run(SRET, f"sret with sstatus {sum(bits):#x}")


@points(10, "exceptions")
def test_exceptions() -> None:
    with Pair() as pair:
        for priv, sie, vectored in product("US", (0, BIT_SIE), (0, 1)):
            pair.set(priv, sstatus=sie, stvec=HANDLER + vectored)
            pair.run(EBREAK, f"ebreak in {priv} with sstatus {sie:#x}")
        pair.set("U", stvec=HANDLER)
        pair.run(ECALL, "ecall in U")


@points(10, "interrupts, vectored")
def test_interrupts() -> None:
    with Pair() as pair:
        for vectored in (0, 1):
            pair.set(
                "S", stvec=HANDLER + vectored, sie=2, sip=2, sstatus=BIT_SIE
            )
            what = f"software interrupt, stvec bit 0 is {vectored}"
            pair.run(NOP, what)


def begun(guest: Guest, name: str) -> None:
    """Load a kernel, and run it to where its privileged half begins."""
    guest.load(find(name).path)
    guest.boot()
    guest.breakpoints.add("harness_start")
    guest.run_until("break", max_insns=BEGINNING)
    guest.breakpoints.clear()


@points(10, "a kernel: system calls and page faults")
def test_kernel() -> None:
    for name, steps in (("bench-trap", 150), ("bench-fault", 300)):
        with Machine(ram="8MiB") as bare, Hypervisor(ram="24MiB") as host:
            vm = host.create(name="guest", mem="8MiB", style="emulate")
            for guest in (bare, vm):
                begun(guest, name)
            image = find(name).path.read_bytes()
            same(f"the kernel of {name}", part(vm, bare, steps, image, moved))
