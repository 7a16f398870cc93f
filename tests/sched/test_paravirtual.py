"""What a guest that knows is told of its time, and what it can ask for."""

from itertools import pairwise

import pytest

import hv
from hv.abi import Hypercall
from tests.machine import asm
from tests.machine.asm import A0, A1, A2, A6, A7, S0, S1, T0, ZERO
from tests.sched import programs
from tests.sched.programs import HSM, RAM

HV, STA = 0x0A004856, 0x535441
MAILBOX = RAM + 0x8000
NS_PER_TICK = 100  # at the 10 MHz of `time`


def call(extension: int, function: int) -> list[int]:
    """Return an ecall; its arguments are there already."""
    return asm.program(asm.li(A7, extension), asm.li(A6, function), asm.ECALL)


def ask(number: Hypercall) -> list[int]:
    """Return one of hv's own calls."""
    return call(HV, number.value)


def words(vm: hv.VM, address: int, count: int) -> list[int]:
    """Return 64-bit numbers of guest memory."""
    data = vm.mem.read(address, 8 * count)
    return [
        int.from_bytes(data[i : i + 8], "little")
        for i in range(0, 8 * count, 8)
    ]


def host(harts: int = 1) -> hv.Hypervisor:
    """Return a host that switches often."""
    return hv.Hypervisor(ram="16MiB", harts=harts, slice=1000)


def test_steal_time_is_what_others_took() -> None:
    """SBI 2.0, chapter 16: told in nanoseconds, whenever it runs again."""
    code = asm.program(
        asm.li(A0, MAILBOX),
        asm.addi(A1, ZERO, 0),
        asm.addi(A2, ZERO, 0),
        call(STA, 0),
        programs.hog(),
    )
    with host() as hypervisor:
        knows = hypervisor.create(mem="64KiB", style="pv")
        programs.load(knows, code)
        for _ in range(2):
            programs.load(hypervisor.create(mem="64KiB"), programs.hog())
        hypervisor.run(2_000_000)
        sequence = knows.mem.read32(MAILBOX)
        steal = words(knows, MAILBOX + 8, 1)[0]
        info = knows.vcpus[0]
        preempted = knows.mem.read(MAILBOX + 16, 1)[0]
        assert sequence % 2 == 0
        assert sequence > 10
        assert preempted == (info.state != hv.Runstate.RUNNING)
        # Up to date as of the last switch: at most two slices are missing.
        assert 0 <= info.steal - steal / NS_PER_TICK <= 2100
        assert 0.6 < steal / NS_PER_TICK / (info.steal + info.running) < 0.7


def test_a_kernel_that_does_not_know_is_told_nothing() -> None:
    code = asm.program(
        asm.li(A0, MAILBOX),
        asm.addi(A1, ZERO, 0),
        asm.addi(A2, ZERO, 0),
        call(STA, 0),
        asm.li(S0, MAILBOX),
        asm.sw(A0, 0, S0),
        programs.hog(),
    )
    with host() as hypervisor:
        vm = hypervisor.create(mem="64KiB", style="emulate")
        programs.load(vm, code)
        hypervisor.run(100_000)
        assert vm.mem.read32(MAILBOX) == 0xFFFFFFFE  # not supported


def test_runstates_add_up_to_all_of_its_life() -> None:
    code = asm.program(
        asm.addi(A0, ZERO, 0),
        asm.li(A1, MAILBOX),
        ask(Hypercall.RUNSTATE),
    )
    loop = asm.program(code, asm.j(-4 * len(code)))
    with host() as hypervisor:
        vm = hypervisor.create(mem="64KiB", style="pv")
        programs.load(vm, loop)
        programs.load(hypervisor.create(mem="64KiB"), programs.hog())
        hypervisor.run(500_000)
        told = words(vm, MAILBOX, 4)
        info = vm.vcpus[0]
        now = info.running + info.runnable + info.blocked + info.offline
        assert now - 2100 <= sum(told) <= now
        assert told[2] == 0
        assert told[0] == pytest.approx(told[1], rel=0.05)


@pytest.mark.parametrize("harts", [1, 2])
def test_a_kick_ends_a_poll_wherever_it_waits(harts: int) -> None:
    """vCPU 1 polls and counts; vCPU 0 kicks it, and counts its kicks."""
    counts = asm.program(asm.li(S0, MAILBOX), asm.addi(S1, ZERO, 0))
    poll = asm.program(
        ask(Hypercall.POLL), asm.addi(S1, S1, 1), asm.sw(S1, 4, S0)
    )
    kick = asm.program(
        asm.addi(A0, ZERO, 1),
        ask(Hypercall.KICK),
        asm.addi(S1, S1, 1),
        asm.sw(S1, 0, S0),
        asm.li(T0, 20_000),
        asm.addi(T0, T0, -1),
        asm.bne(T0, ZERO, -4),
    )
    other = asm.program(counts, poll, asm.j(-4 * len(poll)))
    start = asm.program(
        asm.addi(A0, ZERO, 1),
        asm.li(A1, RAM + 0x1000),
        asm.addi(A2, ZERO, 0),
        call(HSM, 0),
        counts,
        kick,
        asm.j(-4 * len(kick)),
    )
    with host(harts) as hypervisor:
        vm = hypervisor.create(mem="64KiB", style="pv", vcpus=2)
        vm.mem.write(
            RAM + 0x1000, b"".join(w.to_bytes(4, "little") for w in other)
        )
        programs.load(vm, start)
        hypervisor.run(4_000_000)
        kicks, polls = vm.mem.read32(MAILBOX), vm.mem.read32(MAILBOX + 4)
        assert kicks > 50
        assert kicks - 1 <= polls <= kicks
        assert vm.vcpus[1].running < vm.vcpus[0].running / 10
        hypervisor.audit()


def test_a_directed_yield_is_to_that_vcpu() -> None:
    """Of three on one hart, the one that is named runs next."""
    give = asm.program(asm.addi(A0, ZERO, 2), ask(Hypercall.YIELD_TO))
    begin = asm.program(
        *(
            asm.program(
                asm.addi(A0, ZERO, n),
                asm.li(A1, RAM + 0x1000),
                asm.addi(A2, ZERO, 0),
                call(HSM, 0),
            )
            for n in (1, 2)
        )
    )
    code = asm.program(begin, give, asm.j(-4 * len(give)))
    with host() as hypervisor:
        vm = hypervisor.create(mem="64KiB", style="pv", vcpus=3)
        hog = b"".join(w.to_bytes(4, "little") for w in programs.hog())
        vm.mem.write(RAM + 0x1000, hog)
        programs.load(vm, code)
        with hypervisor.watch(["run"]) as watch:
            hypervisor.run(1_000_000)
            order = [event.vcpu for event in watch.events]
        after = [b for a, b in pairwise(order) if a == 0]
        assert len(after) > 20
        assert set(after) == {2}
