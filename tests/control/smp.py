"""A guest of two vCPUs, one of which wakes the other, as machine code."""

from tests.control import programs as p
from tests.machine.asm import (
    A0,
    A1,
    A2,
    A6,
    A7,
    ECALL,
    T0,
    WFI,
    ZERO,
    csrrc,
    csrrs,
    j,
    li,
    program,
)

RAM = 0x80000000
HSM, IPI = 0x48534D, 0x735049  # SBI extensions
SIE, SIP, SSIP = 0x104, 0x144, 2


def pings(times: int) -> list[int]:
    """Start vCPU 1, wake it so many times by an IPI, and power off.

    vCPU 1 waits for a software interrupt, clears it, and waits again.
    """
    second = program(
        li(T0, SSIP),
        csrrs(ZERO, SIE, T0),
        WFI,
        csrrc(ZERO, SIP, T0),
        j(-8),
    )
    ping = program(
        li(A0, 2), li(A1, 0), li(A6, 0), li(A7, IPI), ECALL, p.count(3000)
    )
    first = program(p.count(3000), *([ping] * times), p.off())
    size = 4 * (len(_start(0)) + len(first))
    return program(_start(RAM + size), first, second)


def _start(entry: int) -> list[int]:
    return program(
        li(A0, 1), li(A1, entry), li(A2, 0), li(A6, 0), li(A7, HSM), ECALL
    )
