"""Accesses to devices: what the hypervisor does for an instruction.

It reads the instruction again, to know what it has to do. By then the kernel
may have changed its tables, without a fence: the hart still ran what they said
before. What happens is what a fresh fetch would see, if that is an access of
this kind to this place; else the access faults.
"""

import pytest

from hv.spec.csr import Csr
from tests.equivalence.core import Core, good_core
from tests.machine import asm
from tests.memory.puppet import CODE, DATA, FIRST, PAGE
from tests.spec.registers import CSR, PC
from tests.spec.world import PAGES, Actor, host

STYLES = ("EMULATE", "ASSIST", "NESTED")
ROOT, LEAVES, OTHER = DATA, DATA + 1, DATA + 2
WINDOW, UART = 0x4000_0000, 0x1000_0000
FULL = 0xCF  # V R W X A D
AT = 0x80  # of the code, in its page
DEVICE = WINDOW + PAGE  # the UART: 5 is its line status, 7 its scratch
IDLE = 0x60  # all was sent, and nothing came
FETCH_PAGE, LOAD_ACCESS, STORE_ACCESS = 12, 5, 7
LOAD, STORE = asm.lbu(asm.A1, 5, asm.T2), asm.sb(asm.A1, 7, asm.T2)


def ready(
    style: str, access: int, instead: int = 0, core: Core | None = None
) -> Actor:
    """Return an actor that is about to change its mapping, and then to access.

    :param instead: what is in place of the access in the other page.
    """
    actor = Actor(host(core or good_core(), 96), PAGES, style)
    for slot, entry in (
        (ROOT * PAGE + 4 * (FIRST >> 10), FIRST << 10 | FULL),
        (ROOT * PAGE + 4 * (WINDOW >> 22), LEAVES << 10 | 1),
        (LEAVES * PAGE, CODE << 10 | FULL),
        (LEAVES * PAGE + 4, UART >> 2 | FULL),
        (CODE * PAGE + AT, asm.sw(asm.T1, 0, asm.T0)),
        (CODE * PAGE + AT + 4, access),
        (OTHER * PAGE + AT + 4, instead),
    ):
        actor.put(slot, entry.to_bytes(4, "little"))
    actor.let(CSR + Csr.SATP, 1 << 31 | ROOT)
    actor.let(PC, WINDOW + AT)
    actor.let(asm.T0, LEAVES * PAGE)
    actor.let(asm.T1, OTHER << 10 | FULL)
    actor.let(asm.T2, DEVICE)
    return actor


def trap(actor: Actor) -> tuple[int, int, int]:
    """Return scause, sepc and stval."""
    cause, epc, value = Csr.SCAUSE, Csr.SEPC, Csr.STVAL
    return actor.get(CSR + cause), actor.get(CSR + epc), actor.get(CSR + value)


@pytest.mark.parametrize("access", [LOAD, STORE], ids=["load", "store"])
@pytest.mark.parametrize("style", STYLES)
def test_code_that_was_unmapped_faults_as_a_fetch(
    style: str, access: int
) -> None:
    actor = ready(style, access)
    actor.let(asm.T1, 0)
    actor.step()
    actor.step()
    actor.compare()
    assert trap(actor) == (FETCH_PAGE, WINDOW + AT + 4, WINDOW + AT + 4)


def step(actor: Actor) -> None:
    """Make a step of the VM alone: in its specification are no devices."""
    status = actor.lib.hv_step(actor.host.raw, actor.id, 0)
    actor.host.ok(status)


@pytest.mark.parametrize("style", STYLES)
def test_the_instruction_that_is_there_now_is_done(style: str) -> None:
    actor = ready(style, LOAD, asm.lbu(asm.A3, 5, asm.T2))
    step(actor)
    step(actor)
    assert actor.get(PC) == WINDOW + AT + 8
    assert (actor.get(asm.A1), actor.get(asm.A3)) == (0, IDLE)


# Another kind of access, none at all, a width that there is not, and a wider
# one, which a byte's address does not suit.
OTHERS = {
    "a store": (LOAD, STORE),
    "a load": (STORE, LOAD),
    "an atomic": (STORE, asm.amoadd_w(asm.A1, asm.A1, asm.T2)),
    "an addition": (LOAD, asm.addi(asm.A1, asm.A1, 1)),
    "a load of 64 bits": (LOAD, LOAD & ~0x7000 | 0x3000),
    "a load of no width": (LOAD, LOAD & ~0x7000 | 0x6000),
    "a store of 64 bits": (STORE, STORE & ~0x7000 | 0x3000),
    "a store of no width": (STORE, STORE & ~0x7000 | 0x4000),
    "a wider load": (LOAD, LOAD & ~0x7000 | 0x2000),
}


def fits_or_faults(style: str, name: str, core: Core | None = None) -> None:
    first, instead = OTHERS[name]
    actor = ready(style, first, instead, core)
    step(actor)
    step(actor)
    cause, at = (
        (STORE_ACCESS, DEVICE + 7)
        if first == STORE
        else (LOAD_ACCESS, DEVICE + 5)
    )
    right = (cause, WINDOW + AT + 4, at)
    assert trap(actor) == right, f"{name} was done: {trap(actor)}"
    assert actor.get(asm.A1) == 0


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("style", STYLES)
def test_an_instruction_that_does_not_fit_faults(style: str, name: str) -> None:
    fits_or_faults(style, name)


TYPED = [
    (asm.lb(asm.A1, 0, asm.T2), b"\xe9", asm.A1, 0xFFFF_FFE9),
    (asm.lb(asm.A1, 0, asm.T2), b"\x69", asm.A1, 0x69),
    (asm.lbu(asm.A1, 0, asm.T2), b"\xe9", asm.A1, 0xE9),
    (asm.lbu(asm.ZERO, 0, asm.T2), b"\xe9", asm.ZERO, 0),
]


def reads_what_was_typed(
    style: str, case: tuple[int, bytes, int, int], core: Core | None = None
) -> None:
    insn, typed, register, value = case
    actor = ready(style, insn, core=core)
    actor.let(PC, WINDOW + AT + 4)
    actor.type(typed)
    step(actor)
    assert actor.get(PC) == WINDOW + AT + 8
    read = actor.get(register)
    assert read == value, f"read {read:#x}, typed {typed!r}"
    # It is taken, whatever became of it.
    actor.put(CODE * PAGE + AT + 8, LOAD.to_bytes(4, "little"))
    step(actor)
    assert actor.get(asm.A1) == IDLE


@pytest.mark.parametrize("case", TYPED, ids=str)
@pytest.mark.parametrize("style", STYLES)
def test_what_was_typed_is_read_as_the_load_says(
    style: str, case: tuple[int, bytes, int, int]
) -> None:
    reads_what_was_typed(style, case)
