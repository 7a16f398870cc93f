"""Small guests to debug, made twice: once to be debugged, once to run alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import hv
from tests.control import programs as p
from tests.control import smp
from tests.control.elfs import words
from tests.machine import asm

RAM = 0x8000_0000
DATA = RAM + 0x4000
LOOP = RAM + 4 * len(asm.li(asm.T0, DATA))  # where its loop begins
STORE = LOOP + 4
TIMES = 20


def counting() -> list[int]:
    """Count in s1, store the count and an eighth of it, print x, power off."""
    body = asm.program(
        asm.addi(asm.S1, asm.S1, 1),
        asm.sw(asm.S1, 0, asm.T0),
        asm.srli(asm.T1, asm.S1, 3),
        asm.sw(asm.T1, 4, asm.T0),
        p.say("x"),
        asm.slti(asm.T2, asm.S1, TIMES),
    )
    again = asm.bne(asm.T2, asm.ZERO, -4 * len(body))
    return asm.program(asm.li(asm.T0, DATA), body, again, p.off())


STYLES = ("bare", "emulate", "assist", "nested")


@contextmanager
def started(
    style: str, code: list[int] | None = None, *, vcpus: int = 1, harts: int = 1
) -> Iterator[tuple[hv.Guest, hv.Past]]:
    """Boot a guest; give it and its past."""
    place: hv.Machine | hv.Hypervisor
    guest: hv.Guest
    if style == "bare":
        place = guest = hv.Machine(ram="64KiB", harts=harts)
    else:
        place = hv.Hypervisor(ram="2MiB", harts=harts, slice=20)
        guest = place.create(style=style, mem="64KiB", vcpus=vcpus)
    with place:
        guest.mem.write(RAM, words(counting() if code is None else code))
        guest.boot(RAM)
        yield guest, hv.Past(place, every=150, keep=6)


def state(guest: hv.Guest, vcpu: int = 0) -> tuple[object, ...]:
    """Return what a debugger can see of it."""
    cpu = guest.cpu[vcpu]
    return tuple(cpu.registers.values()), guest.mem.read(DATA, 8)


def pings() -> list[int]:
    """Return a guest of two vCPUs."""
    return smp.pings(3)
