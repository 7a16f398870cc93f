"""What a call of a paravirtual kernel does, to the bit."""

from hv.abi import Hypercall
from tests.equivalence.core import Core
from tests.machine import asm
from tests.memory.puppet import DATA, FIRST, PAGE, SHARED, Host, Puppet

IRQ_ENABLED, EPC, PREV = 0, 16, 20  # csrc/abi/pv.h: SI_x
PREV_KERNEL, PREV_IRQ = 1, 2
FULL = 0xCF  # valid, all rights of a kernel, accessed and dirty


def a_return_masks_as_before(core: Core) -> None:
    """Interrupts are what they were when the trap came: on, or off."""
    for was in (0, 1):
        puppet = Puppet(Host(core, 64), 16)
        at = SHARED * PAGE
        there = (DATA + 1) * PAGE
        puppet.write(there, asm.j(0).to_bytes(4, "little"))
        for field, word in (
            (IRQ_ENABLED, 1 - was),
            (EPC, there),
            (PREV, PREV_KERNEL | PREV_IRQ * was),
        ):
            puppet.write(at + field, word.to_bytes(4, "little"))
        puppet.call(Hypercall.IRET)
        enabled = int.from_bytes(puppet.read(at + IRQ_ENABLED), "little")
        assert enabled == was, f"interrupts: {enabled}, and were {was}"
        assert puppet.get(puppet.lib.HV_REG_PC) == there


def a_root_is_where_memory_is(core: Core) -> None:
    """Not at the same place of an address space that no hart has."""
    puppet = Puppet(Host(core, 64), 16)
    entry = (FIRST << 10 | FULL).to_bytes(4, "little")
    puppet.write(DATA * PAGE + 4 * (FIRST >> 10), entry)
    for high in (1, 2, 3):
        satp = 1 << 31 | high << 20 | DATA
        error = puppet.call(Hypercall.SET_ROOT, satp)
        assert error == -5, f"{satp:#x}: {error}"
    assert puppet.call(Hypercall.SET_ROOT, 1 << 31 | DATA) == 0


CHECKS = (a_return_masks_as_before, a_root_is_where_memory_is)
