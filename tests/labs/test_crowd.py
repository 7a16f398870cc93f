"""Crowds: their guests are what their comments say, and time is told right."""

import pytest

from hv.labs import crowd
from hv.labs.crowd import Crowd
from hv.labs.points import Failed
from tests.machine import asm
from tests.machine.asm import (
    A0,
    A1,
    A2,
    A6,
    A7,
    ECALL,
    S0,
    S1,
    S2,
    S3,
    T0,
    T1,
    T2,
    WFI,
    ZERO,
)

TIME, HSM, BASE = 0x54494D45, 0x48534D, 0x10
RDTIME, SIE = 0xC01, 0x104


def call(extension: int) -> list[int]:
    return asm.program(asm.li(A7, extension), asm.addi(A6, ZERO, 0), ECALL)


def forever(begin: list[int], body: list[int]) -> tuple[int, ...]:
    return (*begin, *body, asm.j(-4 * len(body)))


LISTEN = asm.program(asm.addi(T0, ZERO, 0x20), asm.csrw(SIE, T0))
SLEEP = asm.program(asm.addi(A1, ZERO, 0), call(TIME), WFI)
WORK = [asm.mv(T0, S2), asm.addi(T0, T0, -1), asm.bne(T0, ZERO, -4)]
START = asm.program(
    asm.addi(A0, ZERO, 1), asm.li(A1, crowd.RAM)[0], asm.addi(A2, ZERO, 0),
    call(HSM),
)  # fmt: skip


def test_the_guests_are_what_an_assembler_makes_of_them() -> None:
    assert (asm.j(0),) == crowd.HOG
    skip = asm.bne(A0, ZERO, 4 * (len(START) + 1))
    assert (skip, *START, asm.j(0)) == crowd.PAIR
    begin = [*LISTEN, asm.csrr(S0, RDTIME)]
    body = [asm.add(S0, S0, S1), asm.mv(A0, S0), *SLEEP, *WORK]
    assert forever(begin, body) == crowd.WAKER
    body = [*WORK, asm.csrr(A0, RDTIME), asm.add(A0, A0, S1), *SLEEP]
    assert forever(LISTEN, body) == crowd.NAPPER
    body = [
        asm.csrr(T0, RDTIME), asm.remu(T1, T0, S1), asm.sub(T2, S1, S2),
        asm.bltu(T1, T2, -12), asm.sub(T0, T0, T1), asm.add(T0, T0, S1),
        asm.add(A0, T0, S3), *SLEEP,
    ]  # fmt: skip
    assert forever(LISTEN, body) == crowd.THIEF
    assert forever([], call(BASE)) == crowd.CALLER


def test_who_was_on_a_hart_adds_up() -> None:
    with Crowd("rr", 2) as host:
        pair = host.add(crowd.PAIR, vcpus=2)
        waker = host.add(crowd.WAKER, (1000, 100))
        host.run(100_000)
        total = host.got(pair, 100_000) + host.got(waker, 100_000)
        assert 190_000 < total <= 200_000
        assert sum(host.used(pair, 10_000, 10)) in range(
            host.got(pair, 100_000) - 10, host.got(pair, 100_000) + 1
        )
        assert 90 < len(host.waits(waker)) < 101
        assert all(gap > 500 for gap in host.gaps(waker)[1:])


def test_a_budget_that_is_refused_is_no_accident() -> None:
    with Crowd("edf") as host:
        assert host.admits(5000, 10_000)
        assert not host.admits(9000, 10_000)


def test_a_host_on_which_nobody_runs_is_a_failure() -> None:
    with Crowd("rr") as host:
        vm = host.add(crowd.HOG)
        host.run(1000)
        vm.pause()
        with pytest.raises(Failed, match="no vCPU runs any more"):
            host.run(1_000_000)


def test_a_storm_of_exits_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "EVENTS", 2048)
    with Crowd("rr") as host:
        host.add(crowd.CALLER)
        with pytest.raises(Failed, match="hardly an instruction"):
            host.run(100)
