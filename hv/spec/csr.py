"""The control and status registers that a kernel has.

A number says who may touch it: bits 9:8 are the lowest mode, and 11:10 = 3
makes it read-only (Privileged Specification, 2.1). What is not in this file is
an illegal instruction: M-mode's registers are not the kernel's.

>>> computer = Computer(memory=GuestMemory(first=0x80000, pages=1))
>>> hart = computer.harts[0]
>>> write(hart, Csr.SSTATUS, 0xFFFF_FFFF)
>>> hex(read(computer, hart, Csr.SSTATUS))
'0xc0122'
"""

from enum import IntEnum

from hv.spec.hart import Computer, Hart, Style
from hv.spec.mmu import Mode
from hv.spec.p2m import GuestMemory

__all__ = ["Computer", "Csr", "GuestMemory", "Status", "granted", "read"]


class Csr(IntEnum):
    """Numbers (Privileged Specification, 2.2)."""

    SSTATUS = 0x100
    SIE = 0x104
    STVEC = 0x105
    SCOUNTEREN = 0x106
    SSCRATCH = 0x140
    SEPC = 0x141
    SCAUSE = 0x142
    STVAL = 0x143
    SIP = 0x144
    SATP = 0x180
    CYCLE = 0xC00
    TIME = 0xC01
    INSTRET = 0xC02
    CYCLEH = 0xC80
    TIMEH = 0xC81
    INSTRETH = 0xC82


class Status(IntEnum):
    """Bits of sstatus (10.1.1). TRV32 has no others."""

    SIE = 1 << 1
    SPIE = 1 << 5
    SPP = 1 << 8
    SUM = 1 << 18
    MXR = 1 << 19


SOFTWARE, TIMER, EXTERNAL = 1, 5, 9  # interrupts of S-mode (10.1.3)
SSIP, STIP, SEIP = 1 << SOFTWARE, 1 << TIMER, 1 << EXTERNAL
ALL_INTERRUPTS = SSIP | STIP | SEIP
SV32, PPN = 1 << 31, 0x3F_FFFF

# The bits that a write changes. All others read as 0 (WARL, 2.3), but for sip:
# there S-mode changes one bit, and reads three.
WRITABLE = {
    Csr.SSTATUS: sum(Status),
    Csr.SIE: ALL_INTERRUPTS,
    Csr.STVEC: 0xFFFF_FFFD,  # direct or vectored
    Csr.SCOUNTEREN: 0b111,  # cycle, time, instret
    Csr.SSCRATCH: 0xFFFF_FFFF,
    Csr.SEPC: 0xFFFF_FFFC,  # instructions are aligned to 4: no C
    Csr.SCAUSE: 0xFFFF_FFFF,
    Csr.STVAL: 0xFFFF_FFFF,
    Csr.SIP: SSIP,
    Csr.SATP: SV32 | PPN,  # our choice: no ASIDs
}
COUNTERS = range(Csr.CYCLE, Csr.INSTRET + 1)
COUNTERS_HIGH = range(Csr.CYCLEH, Csr.INSTRETH + 1)


def pending(hart: Hart) -> int:
    """Return sip: what is stored, and the wire."""
    return hart.csr[Csr.SIP] | (SEIP if hart.external else 0)


def exists(number: int) -> bool:
    """Say whether a kernel has this register."""
    return number in WRITABLE or number in COUNTERS or number in COUNTERS_HIGH


def granted(
    computer: Computer, hart: Hart, number: int, *, write: bool
) -> bool:
    """Say whether the hart may execute this access in its mode.

    Below S the counters need scounteren's word (10.1.5). A paravirtual kernel
    has the counters alone.
    """
    lowest, read_only = number >> 8 & 3, number >> 10 == 3
    if not exists(number) or lowest > hart.mode or (write and read_only):
        return False
    is_counter = lowest == Mode.USER
    if not is_counter and computer.style is not Style.NATIVE:
        return False
    if is_counter and hart.mode is Mode.USER:
        return bool(hart.csr[Csr.SCOUNTEREN] >> (number & 31) & 1)
    return True


def read(computer: Computer, hart: Hart, number: int) -> int:
    """Return what a read gives: the state before this instruction."""
    if number in COUNTERS or number in COUNTERS_HIGH:
        value = (hart.cycle, computer.time(hart), hart.retired)[number & 3]
        return (
            value >> 32 & 0xFFFF_FFFF
            if number & 0x80
            else value & (0xFFFF_FFFF)
        )
    return pending(hart) if number == Csr.SIP else hart.csr[number]


def write(hart: Hart, number: int, value: int) -> None:
    """Write a register that exists: the bits that can be written."""
    mask = WRITABLE[Csr(number)]
    hart.csr[number] = hart.csr[number] & ~mask | value & mask
