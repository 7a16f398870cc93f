"""Guests through the library: registers, memory, running, misuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hv
from tests.control import programs as p
from tests.control.conftest import STYLES, Boot
from tests.control.elfs import words
from tests.machine.asm import A0, S0, WFI, ZERO, addi, li, lw, program

RAM = 0x80000000
every_style = pytest.mark.parametrize("style", STYLES)


@every_style
def test_success(boot: Boot, style: str) -> None:
    guest = boot([*p.say("hello\n"), *p.off()], style)
    guest.run_until("halt")
    assert guest.state is hv.State.OFF
    assert guest.exit_code == 0
    assert guest.console.text == "hello\n"
    guest.check()


@every_style
def test_failure(boot: Boot, style: str) -> None:
    guest = boot(p.off(42), style)
    with pytest.raises(hv.GuestFailed) as caught:
        guest.run_until("halt")
    assert caught.value.code == guest.exit_code == 42
    assert caught.value.exit_code == 1


def test_a_kill(boot: Boot) -> None:
    guest = boot([*p.say("hi"), *p.lost()], "pv")
    with pytest.raises(hv.GuestKilled) as caught:
        guest.run_until("halt")
    assert guest.state is hv.State.KILLED
    assert caught.value.reason == guest.reason != ""
    assert guest.exit_code is None
    assert guest.console.text == "hi"
    guest.host.audit()


@every_style
def test_a_budget_of_a_run(boot: Boot, style: str) -> None:
    guest = boot(p.SPIN, style)
    with pytest.raises(hv.BudgetExceeded, match="after 1000 instructions"):
        guest.run_until("halt", max_insns=1000)
    assert guest.info.insns == 1000
    assert guest.state is hv.State.RUNNABLE
    assert guest.exit_code is None


def test_a_budget_of_a_vm_is_exact_and_final(boot: Boot) -> None:
    guest = boot(p.SPIN, "emulate", max_insns=12345)
    result = guest.run()
    assert result.reason is hv.RunReason.ENDED
    assert guest.state is hv.State.BUDGET
    assert guest.info.insns == 12345
    with pytest.raises(hv.BudgetExceeded):
        guest.check()
    assert guest.run() == hv.RunResult(hv.RunReason.ENDED, guest.number, 0, 0)


@pytest.mark.parametrize("style", ["bare", "emulate"])
def test_waiting_for_what_never_comes(boot: Boot, style: str) -> None:
    guest = boot([WFI, *p.SPIN], style)
    result = guest.run()
    assert result.reason is hv.RunReason.IDLE
    with pytest.raises(hv.ConsoleEnded, match="waits for input"):
        guest.console.recvline()


@every_style
def test_registers(boot: Boot, style: str) -> None:
    guest = boot([*li(A0, 0x12345678), addi(S0, ZERO, -1), *p.SPIN], style)
    guest.run(10)
    cpu = guest.cpu[0]
    assert cpu.a0 == cpu.x10 == cpu.reg("a0") == 0x12345678
    assert cpu.s0 == cpu.fp == 0xFFFFFFFF
    assert cpu.priv is hv.Priv.S
    assert cpu.pc == guest.layout.entry + 12 if guest.layout else False
    cpu.a0 = 7
    cpu.set_reg("sscratch", 0xCAFE)
    assert (cpu.a0, cpu.reg("sscratch"), cpu.reg(0x140)) == (7, 0xCAFE, 0xCAFE)
    assert cpu.registers["a0"] == 7
    assert "in S" in repr(cpu)


@every_style
def test_a_breakpoint(boot: Boot, style: str) -> None:
    guest = boot([addi(A0, A0, 1), addi(A0, A0, 1), addi(A0, A0, 1),
                  *p.off()], style)  # fmt: skip
    start = guest.cpu[0].pc
    guest.breakpoints.add(start + 8)
    assert list(guest.breakpoints) == [start + 8]
    result = guest.run_until("break")
    assert result.reason is hv.RunReason.BREAK
    assert (result.vm, result.vcpu) == (guest.number, 0)
    assert guest.cpu[0].pc == start + 8
    assert guest.cpu[0].a0 == 2
    guest.breakpoints.discard(start + 8)
    guest.run_until("halt")
    assert not guest.breakpoints


@every_style
def test_a_breakpoint_in_a_loop_is_met_each_time(
    boot: Boot, style: str
) -> None:
    guest = boot([*p.count(3), *p.off()], style)
    guest.breakpoints.add(guest.cpu[0].pc + 8)
    for times in (3, 2, 1):
        guest.run_until("break")
        assert guest.cpu[0].s0 == times
    guest.run_until("halt")


@every_style
def test_single_steps(boot: Boot, style: str) -> None:
    guest = boot([addi(A0, A0, 1)] * 5, style)
    start = guest.cpu[0].pc
    for i in range(1, 5):
        guest.step()
        assert (guest.cpu[0].pc, guest.cpu[0].a0) == (start + 4 * i, i)


@every_style
def test_memory_is_seen_by_both_sides(boot: Boot, style: str) -> None:
    guest = boot(program(li(S0, RAM + 64), lw(A0, 0, S0), p.SPIN), style)
    assert guest.mem.read(RAM, 128) == bytes(128)
    guest.mem.write32(RAM + 64, 0xDEADBEEF)
    guest.run(4)
    assert guest.cpu[0].a0 == 0xDEADBEEF
    assert guest.mem.read32(RAM + 64) == 0xDEADBEEF


@every_style
def test_translation_without_tables(boot: Boot, style: str) -> None:
    guest = boot(p.SPIN, style)
    assert guest.translate(RAM + 5) == RAM + 5
    outside = guest.translate(guest.mem.end, "store")
    if style != "bare":  # the bare machine's bus decides later
        assert outside == hv.Fault(
            hv.GuestVirt(guest.mem.end), hv.Access.STORE, 7
        )


def test_reading_untouched_memory_takes_no_frame(boot: Boot) -> None:
    guest = boot(p.SPIN, "emulate")
    before = guest.info.frames
    guest.mem.read(RAM, 1 << 20)
    guest.mem.zero(RAM, 1 << 20)
    assert guest.info.frames == before
    guest.mem.write(RAM, b"x")
    assert guest.info.frames == before + 1


# -- a run cut into pieces is the same run -----------------------------------


def _fingerprint(guest: hv.Guest) -> tuple[object, ...]:
    return (
        guest.host.hash(),
        guest.info,
        dict(guest.counters),
        guest.console.text,
    )


@every_style
@given(pieces=st.lists(st.integers(1, 4000), min_size=1, max_size=30))
def test_pieces_do_not_show(style: str, pieces: list[int]) -> None:
    code = [*p.count(20), *p.say("ab\n"), *p.count(3000), *p.off()]
    outcomes = []
    for cut in ([], pieces):
        host, guest = _fresh(style, code)
        with host:
            for piece in cut:
                guest.run(piece)
            guest.run()
            assert guest.exit_code == 0
            outcomes.append(_fingerprint(guest))
    assert outcomes[0] == outcomes[1]


def _fresh(
    style: str, code: list[int]
) -> tuple[hv.Machine | hv.Hypervisor, hv.Guest]:
    entry = RAM + 0x400000
    if style == "bare":
        machine = hv.Machine(ram="8MiB")
        machine.mem.write(entry, words(code))
        machine.boot(entry)
        return machine, machine
    hypervisor = hv.Hypervisor(ram="24MiB")
    for _ in range(2):
        vm = hypervisor.create(style=style, mem="8MiB")
        vm.mem.write(entry, words(code))
        vm.boot(entry)
    return hypervisor, vm


@every_style
def test_chunks_do_not_show(style: str) -> None:
    code = [*p.count(3000), *p.say("ab\n"), *p.count(3000), *p.off()]
    outcomes = []
    for chunk in (1, 7, 200_000):
        host, guest = _fresh(style, code)
        with host:
            guest.host.chunk = chunk
            guest.run()
            outcomes.append(_fingerprint(guest))
    assert outcomes[0] == outcomes[1] == outcomes[2]
