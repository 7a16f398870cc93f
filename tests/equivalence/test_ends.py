"""How a guest ended is told apart: off, or a reboot; and with which code."""

from collections.abc import Callable

import pytest

from hv.abi import Hypercall
from tests.equivalence.core import Core, good_core
from tests.equivalence.test_counters import RAM, Kernel
from tests.machine import asm
from tests.memory.puppet import CALL, CODE, DATA, LOAD, PAGE, Host, Puppet

TEST_DEVICE = 0x10_0000
SBI_EXT_HV, SHUTDOWN = 0x0A00_4856, Hypercall.SHUTDOWN
PLIC = 0x0C00_0000
POWEROFF, REBOOT, CRASH = 0, 1, 2
FULL = ("EMULATE", "ASSIST", "NESTED")


def end(core: Core, style: str, words: list[int]) -> tuple[int, bool]:
    """Execute until it is off: its code, and whether it wants to be back."""
    kernel = Kernel(core, [*words, asm.j(0)], style)
    for _ in range(len(words) + 1):
        core.lib.hv_step(kernel.host, kernel.vm, 0)
    info = kernel.info
    assert info.state == core.lib.HV_VM_OFF
    return int(info.exit_code), bool(info.rebooted)


def a_budget_is_of_all_vcpus(core: Core) -> None:
    """Whoever has used it up: its next exit is the last one."""
    for acts in (0, 1, 2):
        puppet = Puppet(Host(core, 256), 16, "EMULATE", vcpus=3, max_insns=40)
        idle = DATA * PAGE
        puppet.write_words(idle, [asm.j(0)])
        for vcpu in (1, 2):
            puppet.start(vcpu, idle)
        puppet.vcpu = acts
        while puppet.info.insns < 40:
            assert puppet.info.state == core.lib.HV_VM_RUNNABLE
            assert puppet.act(LOAD, t0=PLIC + 4)
        puppet.set(core.lib.HV_REG_PC, CODE * PAGE + CALL)
        core.lib.hv_step(puppet.host.raw, puppet.id, acts)
        assert puppet.info.state == core.lib.HV_VM_BUDGET, acts


def by_the_test_device(core: Core) -> None:
    """Words and what they mean are those of SiFive's, and QEMU's."""
    for style in FULL:
        for word, how in (
            (0x5555, (0, False)),
            (0x7777, (0, True)),
            (0x2A_3333, (42, False)),
        ):
            words = asm.program(
                asm.li(asm.T0, TEST_DEVICE),
                asm.li(asm.T1, word),
                asm.sw(asm.T1, 0, asm.T0),
            )
            assert end(core, style, words) == how, style


def by_a_half_of_a_word(core: Core) -> None:
    """A device sees the bytes that are stored, whatever else is there."""
    for style in FULL:
        words = asm.program(
            asm.li(asm.T0, TEST_DEVICE),
            asm.li(asm.T1, 0x2A_3333),
            asm.sh(asm.T1, 0, asm.T0),
        )
        assert end(core, style, words) == (1, False), style


def by_the_call(core: Core) -> None:
    """A crash is never a success."""
    for reason, code, how in (
        (POWEROFF, 0, (0, False)),
        (POWEROFF, 7, (7, False)),
        (REBOOT, 0, (0, True)),
        (CRASH, 9, (9, False)),
        (CRASH, 0, (1, False)),
    ):
        words = asm.program(
            *(asm.li(asm.A7, SBI_EXT_HV), asm.li(asm.A6, SHUTDOWN)),
            *(asm.li(asm.A0, reason), asm.li(asm.A1, code), asm.ECALL),
        )
        assert end(core, "PV", words) == how, (reason, code)


def who_is_gone_is_not_told_of(core: Core) -> None:
    """One that has ended is told of once, and not after it is destroyed."""
    host = Host(core, 256)
    gone, other = Puppet(host, 16), Puppet(host, 16)
    words = [*asm.li(asm.A7, SBI_EXT_HV), *asm.li(asm.A6, SHUTDOWN), asm.ECALL]
    gone.write_words(DATA * PAGE, words)
    gone.set(core.lib.HV_REG_PC, DATA * PAGE)
    other.write_words(DATA * PAGE, [asm.j(0)])
    other.set(core.lib.HV_REG_PC, DATA * PAGE)
    while gone.info.state != core.lib.HV_VM_OFF:
        gone._step()
    gone.destroy()
    assert host.run(1000).reason == core.lib.HV_RUN_BUDGET
    host.audit()


def it_begins_in_its_kernel(core: Core) -> None:
    """Whatever its mode was said to be before."""
    for style in (*FULL, "PV"):
        host = Host(core, 256)
        puppet = Puppet(host, 16, style, vcpus=2)
        puppet.vcpu = 1
        puppet.set(core.lib.HV_REG_PRIV, 0)
        puppet.vcpu = 0
        entry = DATA * PAGE
        puppet.start(1, entry)
        puppet.vcpu = 1
        assert puppet.get(core.lib.HV_REG_PRIV) == 1
        assert puppet.get(core.lib.HV_REG_PC) == entry


def who_traps_and_gets_on_lives(core: Core) -> None:
    """However often: only a handler that traps at once is the end."""
    sepc, stvec, ebreak = 0x141, 0x105, 0x0010_0073
    handler = [
        *(asm.csrr(asm.T0, sepc), asm.addi(asm.T0, asm.T0, 4)),
        *(asm.csrw(sepc, asm.T0), asm.addi(asm.S0, asm.S0, 1), asm.SRET),
    ]
    begin = RAM + 4 * len(handler)
    entry = asm.li(asm.T0, RAM)
    words = [*handler, *entry, asm.csrw(stvec, asm.T0), ebreak, asm.j(-4)]
    for style in FULL:
        kernel = Kernel(core, words, style)
        kernel.lib.hv_reg_set(
            *(kernel.host, kernel.vm, 0, kernel.lib.HV_REG_PC, begin)
        )
        kernel.run(50_000)
        assert not kernel.killed, style
        assert kernel.get(asm.S0) > 5000


def what_another_traps_is_not_held_against_it(core: Core) -> None:
    """Of two on a hart, one traps all the time, where nobody sees it."""
    ebreak, sepc, sscratch = 0x0010_0073, 0x141, 0x140
    handler = [
        *(asm.csrr(asm.T0, sepc), asm.addi(asm.T0, asm.T0, 4)),
        *(asm.csrw(sepc, asm.T0), asm.SRET),
    ]
    host = Host(core, 256)
    traps, other = Puppet(host, 16, "NESTED"), Puppet(host, 16, "EMULATE")
    traps.write_words(DATA * PAGE, handler)
    traps.set(core.lib.HV_REG_CSR + 0x105, DATA * PAGE)
    words = [asm.csrr(asm.T0, sscratch), *[asm.addi(asm.T0, asm.T0, 1)] * 9]
    code = (DATA + 1) * PAGE
    traps.write_words(code, [ebreak, asm.j(-4)])
    other.write_words(code, [*words, asm.j(-4 * len(words))])
    for puppet in (traps, other):
        puppet.set(core.lib.HV_REG_PC, code)
    for _ in range(30):
        host.run(1_000_000)
    assert (traps.reason, other.reason) == ("", "")
    assert other.counter("switches") > 5


def a_handler_that_traps_at_once_is_the_end(core: Core) -> None:
    """Also where no trap of it is the hypervisor's to see."""
    ebreak = 0x0010_0073
    for style in FULL:
        puppet = Puppet(Host(core, 256), 16, style)
        first = [asm.addi(asm.T0, asm.T0, 1)] * 5
        puppet.write_words(DATA * PAGE, [*first, ebreak])
        handler = DATA * PAGE + 4 * len(first)
        puppet.set(core.lib.HV_REG_CSR + 0x105, handler)
        puppet.set(core.lib.HV_REG_PC, DATA * PAGE)
        puppet.host.run(10_000_000)
        assert "trap loop" in puppet.reason, style


def who_named_no_entry_cannot_trap(core: Core) -> None:
    """Nor who named no page to say there what happened."""
    for call in (Hypercall.SET_SHARED, Hypercall.SET_ENTRY):
        words = asm.program(
            *(asm.li(asm.A7, SBI_EXT_HV), asm.li(asm.A6, call)),
            *(asm.li(asm.A0, RAM + PAGE), asm.ECALL),
            asm.lw(asm.T0, 0, asm.ZERO),
        )
        kernel = Kernel(core, words, "PV")
        kernel.run(1000)
        why = core.ffi.new("char[]", 200)
        core.lib.hv_vm_reason(kernel.host, kernel.vm, why, 200)
        assert b"no trap entry" in core.ffi.string(why), call
        assert kernel.get(asm.A0) == 0  # the call was well


CHECKS = (
    a_budget_is_of_all_vcpus,
    what_another_traps_is_not_held_against_it,
    who_named_no_entry_cannot_trap,
    a_handler_that_traps_at_once_is_the_end,
    who_traps_and_gets_on_lives,
    it_begins_in_its_kernel,
    who_is_gone_is_not_told_of,
    by_the_test_device,
    by_a_half_of_a_word,
    by_the_call,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_ends(check: Callable[[Core], None]) -> None:
    check(good_core())
