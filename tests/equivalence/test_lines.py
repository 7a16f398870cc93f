"""A VM's UART: its line wakes whichever vCPU asked, and bytes go out."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.equivalence.core import Core, good_core
from tests.equivalence.test_counters import RAM, Kernel
from tests.machine import asm
from tests.machine.core import abi
from tests.memory.puppet import CODE, DATA, PAGE, TRAP, Host, Puppet

SSTATUS, SIE = 0x100, 1 << 1
SECOND = abi.RAM_BASE + 0x1000
VCPUS = 4
UART_IRQ, PRIORITY, ENABLE, CLAIM = 10, 0x0, 0x2000, 0x20_1004
HSM, START, IPI = 0x48534D, 0, 0x735049
EVENTS = 10_000
FULL = ("EMULATE", "ASSIST", "NESTED")


def _store(address: int, value: int) -> list[int]:
    return asm.program(
        *(asm.li(asm.T0, address), asm.li(asm.T1, value)),
        asm.sw(asm.T1, 0, asm.T0),
    )


def _starter(hart: int) -> list[int]:
    """Start another vCPU, and wait for nothing."""
    return asm.program(
        *(asm.li(asm.A7, HSM), asm.li(asm.A6, START), asm.li(asm.A0, hart)),
        *(asm.li(asm.A1, SECOND), asm.ECALL, asm.WFI, asm.j(-4)),
    )


def _waiter(hart: int) -> list[int]:
    """Ask for the interrupt; when it comes, power off with a code."""
    context = abi.PLIC_BASE + ENABLE + 0x80 * (2 * hart + 1)
    return asm.program(
        _store(abi.PLIC_BASE + PRIORITY + 4 * UART_IRQ, 1),
        _store(context, 1 << UART_IRQ),
        *(asm.li(asm.T0, abi.UART_BASE), asm.addi(asm.T1, 0, 1)),
        asm.sb(asm.T1, 1, asm.T0),  # IER: received data
        *(asm.li(asm.T0, abi.MIP_SEIP), asm.csrw(abi.CSR_SIE, asm.T0)),
        asm.WFI,
        *(_store(abi.TEST_BASE, (40 + hart) << 16 | 0x3333), asm.j(0)),
    )


def every_vcpu_hears_the_uart(core: Core) -> None:
    """Not only the first."""
    lib = core.lib
    for style in FULL:
        for hart in range(1, VCPUS):
            kernel = Kernel(core, _starter(hart), style, vcpus=VCPUS)
            kernel.write(SECOND, _waiter(hart))
            kernel.run(2_000)
            assert kernel.info.state == lib.HV_VM_BLOCKED
            assert lib.hv_console_give(kernel.host, kernel.vm, b"!", 1) == 1
            kernel.run(2_000)
            off = kernel.info.state == lib.HV_VM_OFF
            assert off, f"vCPU {hart} sleeps on"
            assert kernel.info.exit_code == 40 + hart


def what_is_sent_is_printed(core: Core) -> None:
    """Byte by byte, of whatever is in the register."""
    for style in FULL:
        sent = asm.program(
            asm.li(asm.T0, abi.UART_BASE),
            *(
                asm.program(asm.li(asm.T1, word), asm.sb(asm.T1, 0, asm.T0))
                for word in (0x141, 0xFFFF_FF42, 0x43)
            ),
        )
        kernel = Kernel(core, [*sent, asm.j(0)], style)
        for _ in sent:
            kernel.step()
        out = core.ffi.new("uint8_t[]", 8)
        n = core.lib.hv_console_take(kernel.host, kernel.vm, out, 8)
        assert bytes(out[0:n]) == b"ABC", style


def what_was_read_interrupts_no_more(core: Core) -> None:
    """The line falls with the last byte; what is complete does not return."""
    context, claim = abi.PLIC_BASE + ENABLE + 0x80, abi.PLIC_BASE + CLAIM
    wait = asm.program(
        _store(abi.PLIC_BASE + PRIORITY + 4 * UART_IRQ, 1),
        _store(context, 1 << UART_IRQ),
        *(asm.li(asm.T0, abi.UART_BASE), asm.addi(asm.T1, 0, 1)),
        asm.sb(asm.T1, 1, asm.T0),  # IER: received data
        *(asm.li(asm.T1, abi.MIP_SEIP), asm.csrw(abi.CSR_SIE, asm.T1)),
        *(asm.WFI, asm.csrr(asm.A2, abi.CSR_SIP)),
        *(asm.li(asm.T1, claim), asm.lw(asm.A3, 0, asm.T1)),
        asm.lb(asm.A4, 0, asm.T0),
        *(asm.sw(asm.A3, 0, asm.T1), asm.csrr(asm.A5, abi.CSR_SIP)),
        asm.j(0),
    )
    for style in FULL:
        kernel = Kernel(core, wait, style)
        kernel.run(2_000)
        assert core.lib.hv_console_give(kernel.host, kernel.vm, b"!", 1) == 1
        kernel.run(2_000)
        got = [kernel.get(r) for r in (asm.A2, asm.A3, asm.A4, asm.A5)]
        assert got == [abi.MIP_SEIP, UART_IRQ, ord("!"), 0], (style, got)


def each_byte_is_received(core: Core) -> None:
    """Also one that is nothing."""
    sent = b"\0\xff\0!"
    words = asm.li(asm.T0, abi.UART_BASE)
    registers = (asm.A2, asm.A3, asm.A4, asm.A5, asm.A6)
    for register in registers:
        words += [asm.lbu(asm.T1, 5, asm.T0), asm.lbu(register, 0, asm.T0)]
    for style in FULL:
        kernel = Kernel(core, words, style)
        given = core.lib.hv_console_give(kernel.host, kernel.vm, sent, 4)
        assert given == len(sent)
        kernel.run(len(words))
        assert bytes(kernel.get(r) for r in registers[:4]) == sent, style
        assert kernel.get(asm.T1) & 1 == 0
        assert kernel.counter("emulated") == 2 * len(registers)


def a_write_to_memory_is_to_nothing_else(core: Core) -> None:
    """Least of all to what the guest has just told its hart."""
    value = 0x1234_5678
    words = asm.program(
        *(asm.li(asm.T0, value), asm.csrw(abi.CSR_SSCRATCH, asm.T0)),
        *(asm.addi(asm.T0, asm.T0, 1), asm.csrr(asm.A2, abi.CSR_SSCRATCH)),
        asm.j(0),
    )
    for style in FULL:
        kernel = Kernel(core, words, style)
        kernel.run(4)
        kernel.write(RAM + 0x1000, [1, 2, 3])
        kernel.run(3)
        assert kernel.get(asm.A2) == value, style


def what_is_raised_from_outside_is_seen_at_once(core: Core) -> None:
    """By a kernel that runs, and has no reason to exit for long."""
    for style in FULL:
        host = Host(core, 256)
        puppet = Puppet(host, 16, style)
        lib = core.lib
        puppet.write_words(DATA * PAGE, [asm.j(0)])
        puppet.set(lib.HV_REG_CSR + abi.CSR_SIE, abi.MIP_SSIP)
        puppet.set(lib.HV_REG_CSR + SSTATUS, SIE)
        puppet.set(lib.HV_REG_PC, DATA * PAGE)
        host.run(100)
        assert puppet.get(lib.HV_REG_PC) == DATA * PAGE
        puppet.set(lib.HV_REG_CSR + abi.CSR_SIP, abi.MIP_SSIP)
        host.run(100)
        assert puppet.get(lib.HV_REG_PC) == CODE * PAGE + TRAP, style


def _kinds(host: Host) -> list[bytes]:
    """Return the names of events, in their order."""
    count = host.lib.hv_event_count()
    return [host.ffi.string(host.lib.hv_event_name(i)) for i in range(count)]


def _watch(host: Host, kinds: list[bytes]) -> None:
    names = _kinds(host)
    mask = sum(1 << names.index(kind) for kind in kinds)
    host.ok(host.lib.hv_watch(host.raw, mask, EVENTS))


def _watched(host: Host) -> list[tuple[int, bytes, int]]:
    """Return the hart, the kind and the argument of all events."""
    names = _kinds(host)
    out = host.ffi.new("struct hv_event[]", EVENTS)
    count = host.lib.hv_watch_take(host.raw, out, EVENTS)
    assert 0 < count < EVENTS // 2
    return [(e.hart, names[e.kind], e.arg) for e in out[0:count]]


def an_ipi_interrupts_once(core: Core) -> None:
    """Also one that comes from another hart while its kernel runs."""
    count, handler = 3, DATA * PAGE
    spin = handler + 64
    for style in FULL:
        host = Host(core, 512, harts=2)
        puppet = Puppet(host, 16, style, vcpus=2, shadow_frames=8)
        clear = asm.csrrci(asm.ZERO, abi.CSR_SIP, abi.MIP_SSIP)
        for at, words in (
            (handler, [clear, asm.addi(asm.S0, asm.S0, 1), asm.SRET]),
            (spin, [asm.j(0)]),
        ):
            puppet.write_words(at, words)
        puppet.start(1, spin)
        puppet.vcpu = 1
        csr = core.lib.HV_REG_CSR
        puppet.set(csr + abi.CSR_STVEC, handler)
        puppet.set(csr + abi.CSR_SIE, abi.MIP_SSIP)
        puppet.set(csr + SSTATUS, SIE)
        puppet.vcpu = 0
        sender = asm.program(
            *(asm.li(asm.A7, IPI), asm.li(asm.A6, 0), asm.li(asm.A0, 2)),
            *(asm.li(asm.A1, 0), asm.ECALL, asm.li(asm.T0, 5000)),
            *(asm.addi(asm.T0, asm.T0, -1), asm.bne(asm.T0, asm.ZERO, -4)),
            *(asm.addi(asm.S1, asm.S1, -1),),
        )
        sender += [asm.bne(asm.S1, asm.ZERO, -4 * len(sender)), asm.j(0)]
        puppet.write_words(spin + 64, sender)
        puppet.set(asm.S1, count)
        puppet.set(core.lib.HV_REG_PC, spin + 64)
        _watch(host, [b"exit", b"kicked"])
        puppet.host.run(200_000)
        puppet.vcpu = 1
        assert puppet.get(asm.S0) == count, (style, puppet.get(asm.S0))
        told = _watched(host)
        for hart in range(2):
            own = [(kind, arg) for on, kind, arg in told if on == hart]
            for (kind, arg), (after, _) in pairwise(own):
                kicked = kind == b"exit" and arg == 1 << 31 | abi.IRQ_MSI
                assert (after == b"kicked") == kicked, (kind, arg, after)
        assert sum(kind == b"kicked" for _, kind, _ in told) >= count


CHECKS = (
    a_write_to_memory_is_to_nothing_else,
    each_byte_is_received,
    an_ipi_interrupts_once,
    what_is_raised_from_outside_is_seen_at_once,
    what_was_read_interrupts_no_more,
    every_vcpu_hears_the_uart,
    what_is_sent_is_printed,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_lines(check: Callable[[Core], None]) -> None:
    check(good_core())
