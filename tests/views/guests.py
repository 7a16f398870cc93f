"""Guests made by hand: tables whose every entry is known.

In guest-physical memory, from RAM on::

    +0000  free
    +1000  ROOT, the level-1 table
    +2000  TABLE, the level-0 table below it at VIRTUAL
    +3000  CODE: three instructions; KCODE for the kernel, UCODE for user mode
    +4000  HANDLER: where traps go, a loop
    +5000  DATA
    +400000  MEGA, a page that a megapage can name
"""

from dataclasses import dataclass

import hv
from tests.control.elfs import words
from tests.machine.asm import A0, T0, addi, j, lw, sw

RAM = 0x80000000
MACHINE = "5MiB"
SIZE = (4 << 20) + (64 << 10)
ROOT, TABLE, CODE = RAM + 0x1000, RAM + 0x2000, RAM + 0x3000
HANDLER, DATA, MEGA = RAM + 0x4000, RAM + 0x5000, RAM + 0x400000

V, R, W, X, U, G, A, D = (1 << i for i in range(8))
KERNEL = V | R | W | X | A | D
SATP = 1 << 31 | ROOT >> 12

VIRTUAL = 0x40000000
KCODE, UCODE, TRAPS = VIRTUAL, VIRTUAL + 0x1000, VIRTUAL + 0x2000
FIRST = 3  # the first page of VIRTUAL that is for the test
NOP, LOAD, STORE = 0, 4, 8  # in a code page
SUM, MXR = 1 << 18, 1 << 19


def pte(pa: int, bits: int) -> int:
    """Return the entry that names a page."""
    return pa >> 12 << 10 | bits


def page(n: int) -> int:
    """Return the address of the n-th page that is for the test."""
    return VIRTUAL + (FIRST + n << 12)


def slot(gva: int, level: int = 0) -> int:
    """Return where the entry of an address is, in TABLE or in ROOT."""
    table = ROOT if level else TABLE
    return table + 4 * (gva >> (22 if level else 12) & 0x3FF)


@dataclass
class Hand:
    """A booted VM with such tables, on a machine of its own."""

    host: hv.Hypervisor
    vm: hv.VM

    def maps(self, gva: int, entry: int, level: int = 0) -> None:
        """Store an entry, as a guest would that does not fence."""
        self.vm.mem.write32(slot(gva, level), entry)

    def mode(self, priv: int, sstatus: int = 0) -> None:
        """Let the guest be in U (0) or S (1)."""
        self.vm.cpu[0].set_reg("sstatus", sstatus)
        self.vm.cpu[0].set_priv("S" if priv else "U")

    def does(self, what: int, address: int = 0) -> None:
        """Execute one instruction of the code page, in the present mode."""
        cpu = self.vm.cpu[0]
        cpu.a0 = address
        cpu.pc = (UCODE if cpu.priv is hv.Priv.U else KCODE) + what
        self.vm.step()


def by_hand(host: hv.Hypervisor, style: str, sync: str = "default") -> Hand:
    """Make such a guest: its kernel runs at KCODE, with SUM and MXR clear."""
    vm = host.create(name="hand", style=style, sync=sync, mem=SIZE)
    code = [addi(0, 0, 0), lw(T0, 0, A0), sw(T0, 0, A0)]
    vm.mem.write(CODE, words([*code, j(0)]))
    vm.mem.write(HANDLER, words([j(0)]))
    hand = Hand(host, vm)
    hand.maps(VIRTUAL, pte(TABLE, V), level=1)
    hand.maps(KCODE, pte(CODE, KERNEL))
    hand.maps(UCODE, pte(CODE, KERNEL | U))
    hand.maps(TRAPS, pte(HANDLER, KERNEL))
    vm.boot(CODE)
    vm.step()  # untranslated, and on a hart now
    cpu = vm.cpu[0]
    cpu.set_reg("stvec", TRAPS)
    cpu.pc = KCODE
    cpu.set_reg("satp", SATP)
    return hand
