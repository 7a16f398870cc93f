"""Guests in assembly: they use a hart, give it up, or look at the clock."""

from collections.abc import Sequence

import hv
from tests.machine import asm
from tests.machine.asm import (
    A0,
    A1,
    A2,
    A6,
    A7,
    S0,
    S1,
    S2,
    S3,
    S4,
    S5,
    T0,
    T1,
    T2,
    ZERO,
)

RAM = 0x8000_0000
TIME, HSM, SRST = 0x54494D45, 0x48534D, 0x53525354
CYCLE, TIMEL, SIE = 0xC00, 0xC01, 0x104


def _call(extension: int, function: int) -> list[int]:
    return asm.program(asm.li(A7, extension), asm.li(A6, function), asm.ECALL)


def hog() -> list[int]:
    """Compute for ever."""
    return asm.program(asm.addi(S0, S0, 1), asm.j(-4))


def caller() -> list[int]:
    """Ask for the SBI version, again and again: a storm of exits."""
    body = _call(0x10, 0)
    return asm.program(body, asm.j(-4 * len(body)))


def toucher(pages: int) -> list[int]:
    """Store to page after page; each is new the first time."""
    step = asm.program(
        asm.sw(S1, 0, S0),
        asm.add(S0, S0, S2),
        asm.addi(S1, S1, -1),
        asm.bne(S1, ZERO, -12),
    )
    begin = asm.program(
        asm.li(S0, RAM + 0x1000), asm.li(S1, pages), asm.li(S2, 0x1000)
    )
    again = -4 * (len(begin) + len(step))
    return asm.program(begin, step, asm.j(again))


def sleeper(ticks: int) -> list[int]:
    """Sleep for so many ticks, again and again."""
    return _alarm(ticks, (asm.addi(S0, S0, 1),))


def _alarm(ticks: int, then: Sequence[int]) -> list[int]:
    body = asm.program(
        asm.csrr(A0, TIMEL),
        asm.li(T0, ticks),
        asm.add(A0, A0, T0),
        asm.addi(A1, ZERO, 0),
        _call(TIME, 0),
        asm.addi(A0, ZERO, 0),
        _call(HSM, 3),
        then,
    )
    return asm.program(body, asm.j(-4 * len(body)))


def clockwatcher(rounds: int, sleep: int) -> list[int]:
    """Mix every clock it can read into one word, and end with that.

    Each round reads time and cycle, stores to one of 32 pages and loads it
    again; every 64th sleeps for ``sleep`` ticks. The word of vCPU n is at
    RAM + 0xF00 + 4 * n.
    """
    mix = asm.program(  # s0 = (s0 ^ t0) * s5
        asm.xor(S0, S0, T0), asm.mul(S0, S0, S5)
    )
    step = asm.program(
        asm.csrr(T0, TIMEL),
        mix,
        asm.csrr(T0, CYCLE),
        mix,
        asm.andi(T1, S1, 31),
        asm.slli(T1, T1, 12),
        asm.add(T1, T1, S3),
        asm.sw(S0, 0, T1),
        asm.lw(T2, 0, T1),
        asm.add(S0, S0, T2),
    )
    nap = asm.program(
        asm.csrr(A0, TIMEL),
        asm.add(A0, A0, S4),
        asm.addi(A1, ZERO, 0),
        _call(TIME, 0),
        asm.addi(A0, ZERO, 0),
        _call(HSM, 3),
    )
    begin = asm.program(
        asm.li(S1, rounds),
        asm.li(S2, RAM + 0xF00),
        asm.slli(A0, A0, 2),
        asm.add(S2, S2, A0),
        asm.li(S3, RAM + 0x1_0000),
        asm.li(S4, sleep),
        asm.li(S5, 16777619),
    )
    body = asm.program(
        step,
        asm.andi(T0, S1, 63),
        asm.bne(T0, ZERO, 4 * (len(nap) + 1)),
        nap,
        asm.addi(S1, S1, -1),
    )
    end = asm.program(
        asm.sw(S0, 0, S2),
        asm.addi(A0, ZERO, 0),
        asm.addi(A1, ZERO, 0),
        _call(SRST, 0),
    )
    back = asm.program(
        asm.beq(S1, ZERO, 8), asm.jal(ZERO, -4 * (len(body) + 1))
    )
    return asm.program(begin, body, back, end)


def on_all(vcpus: int, words: list[int]) -> list[int]:
    """Let vCPU 0 start the others, and then all do the same, a0 their id."""
    start = [
        asm.program(
            asm.li(A0, vcpu), asm.li(A1, RAM), asm.addi(A2, ZERO, 0),
            _call(HSM, 0),
        )
        for vcpu in range(1, vcpus)
    ]  # fmt: skip
    first = asm.program(*start, asm.addi(A0, ZERO, 0))
    skip = asm.bne(A0, ZERO, 4 * (len(first) + 1))
    return asm.program(skip, first, words)


def native(words: Sequence[int]) -> list[int]:
    """Begin a program with what wakes a native kernel: listening to timers."""
    listen = asm.program(asm.addi(T0, ZERO, 0x20), asm.csrw(SIE, T0))
    return [*listen, *words]


def load(vm: hv.VM, words: Sequence[int]) -> None:
    """Put a program at the start of memory, and boot it.

    A paravirtual kernel has no sie, and is woken by every interrupt.
    """
    if vm.info.style not in {hv.Style.PV, hv.Style.DIRECT}:
        words = native(words)
    code = b"".join(word.to_bytes(4, "little") for word in words)
    vm.mem.write(RAM, code)
    vm.boot(RAM)
