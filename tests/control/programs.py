"""Small kernels as machine code, so that these tests need no compiler."""

from tests.machine.asm import (
    A0,
    A6,
    A7,
    ECALL,
    S0,
    T0,
    T1,
    ZERO,
    addi,
    blt,
    bne,
    j,
    jalr,
    li,
    program,
    sw,
)

TEST_DEVICE = 0x100000
PASS, FAIL, RESET = 0x5555, 0x3333, 0x7777
PUTCHAR, GETCHAR = 1, 2
SBI_EXT_HV, YIELD = 0x0A004856, 11

SPIN = [j(0)]


def say(text: str) -> list[int]:
    """Print by the legacy SBI call, one exit a character."""
    return program(*([*li(A0, ord(c)), *li(A7, PUTCHAR), ECALL] for c in text))


def off(code: int = 0) -> list[int]:
    """Power off: with success, or with a failure of this code."""
    value = FAIL | code << 16 if code else PASS
    return program(li(T0, TEST_DEVICE), li(T1, value), sw(T1, 0, T0), SPIN)


def hypercall(number: int) -> list[int]:
    """Make a hypercall without arguments."""
    return program(li(A7, SBI_EXT_HV), li(A6, number), ECALL)


def reboot() -> list[int]:
    """Ask for a reset."""
    return program(li(T0, TEST_DEVICE), li(T1, RESET), sw(T1, 0, T0), SPIN)


def count(times: int) -> list[int]:
    """Execute 2 + 2 * times instructions."""
    return program(li(S0, times), addi(S0, S0, -1), bne(S0, ZERO, -4))


def lost() -> list[int]:
    """Jump to where no memory is, before there is a trap handler."""
    return program(li(T0, 0x10), jalr(ZERO, 0, T0))


def j_back(code: list[int]) -> list[int]:
    """Jump back to the beginning of the code before."""
    return [j(-4 * len(code))]


def echo() -> list[int]:
    """Print what is typed, for ever, asking for it in a loop."""
    return program(
        li(A7, GETCHAR),
        ECALL,
        blt(A0, ZERO, -12),
        li(A7, PUTCHAR),
        ECALL,
        j(-28),
    )
