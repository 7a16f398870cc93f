"""Several harts on the bare machine: what a kernel may rely on.

Each check is a function of a core, so that test_planted.py can give it one
with a mistake in it. None depends on the interleaving: each is made with
several of them.
"""

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.equivalence.core import Core, good_core
from tests.harts.world import (
    PC,
    SHARED,
    TABLES,
    Words,
    World,
    call,
    finish,
    loop,
    place,
    store,
    wait_for,
)
from tests.machine import asm
from tests.machine.asm import (
    A0,
    A1,
    ECALL,
    RA,
    S0,
    S1,
    S2,
    S3,
    S11,
    T0,
    T1,
    T2,
    T3,
    WFI,
    ZERO,
)
from tests.machine.core import abi

# Quantum and seed: one instruction at a time, some, and a turn that is long.
INTERLEAVINGS = [(1, 0), (3, 1), (50, 2), (700, 3), (5000, 0)]
ENGINES = (0, 1)
SSIE = asm.csrrwi(ZERO, abi.CSR_SIE, abi.MIP_SSIP)
CLEAR = asm.csrrci(ZERO, abi.CSR_SIP, abi.MIP_SSIP)

Check = Callable[[Core], None]


def worlds(
    core: Core, *programs: Words, memory: Mapping[int, Words] | None = None
) -> Iterator[World]:
    """Make a machine in some interleavings, with both engines."""
    for engine in ENGINES:
        for quantum, seed in INTERLEAVINGS:
            yield World(
                core,
                programs,
                quantum=quantum,
                seed=seed,
                memory=memory,
                engine=engine,
            )


# --- memory ------------------------------------------------------------------


def atomic_adds_are_all_there(core: Core) -> None:
    add = asm.program(asm.amoadd_w(ZERO, T1, T0))
    code = asm.program(
        asm.li(T0, SHARED), asm.li(T1, 1), loop(100, S0, add), finish(4)
    )
    for world in worlds(core, *[code] * 4):
        assert world.run() == "DONE"
        assert world.peek(SHARED) == 400


def conditional_stores_lose_no_add(core: Core) -> None:
    add = asm.program(
        asm.lr_w(T1, T0),
        asm.addi(T1, T1, 1),
        asm.sc_w(T2, T1, T0),
        asm.bne(T2, ZERO, -12),
    )
    code = asm.program(asm.li(T0, SHARED), loop(100, S0, add), finish(4))
    for world in worlds(core, *[code] * 4):
        assert world.run() == "DONE"
        assert world.peek(SHARED) == 400


def a_lock_excludes(core: Core) -> None:
    # What the lock guards is changed by a load and a store some way apart.
    add = asm.program(
        asm.amoswap_w(T2, T1, T0),
        asm.bne(T2, ZERO, -4),
        asm.lw(T3, 4, T0),
        *[asm.NOP] * 5,
        asm.addi(T3, T3, 1),
        asm.sw(T3, 4, T0),
        asm.FENCE,
        asm.sw(ZERO, 0, T0),
    )
    code = asm.program(
        asm.li(T0, SHARED), asm.li(T1, 1), loop(40, S0, add), finish(3)
    )
    for world in worlds(core, *[code] * 3):
        assert world.run() == "DONE"
        assert world.peek(SHARED + 4) == 120


def new_code_is_executed_by_all(core: Core) -> None:
    # Hart 1 calls a function all the time; hart 0 stores another instruction
    # into it, and says so. From then on the old one is not executed.
    function, say = place(7), SHARED
    caller = asm.program(
        asm.li(S0, say),
        asm.li(S1, function),
        asm.li(S2, 0),
        asm.lw(T0, 0, S0),  # which one is it?
        asm.FENCE_I,
        asm.jalr(RA, 0, S1),  # a0 = its number
        asm.slt(T1, A0, T0),
        asm.add(S2, S2, T1),  # how often the old one came after the new
        asm.li(T2, 20),
        asm.blt(T0, T2, -28),
        store(SHARED + 8, 0),
        asm.sw(S2, 0, T0),
        finish(2),
    )
    writer = asm.program(
        asm.li(S0, say),
        asm.li(S1, function),
        asm.li(S2, asm.addi(A0, ZERO, 0)),
        asm.li(S3, 1 << 20),
        loop(
            20,
            T2,
            asm.add(S2, S2, S3),
            asm.sw(S2, 0, S1),
            asm.FENCE,
            asm.lw(T0, 0, S0),
            asm.addi(T0, T0, 1),
            asm.sw(T0, 0, S0),
            loop(30, T1, asm.NOP),
        ),
        finish(2),
    )
    body = [asm.addi(A0, ZERO, 0), asm.jalr(ZERO, 0, RA)]
    for world in worlds(core, writer, caller, memory={function: body}):
        assert world.run() == "DONE"
        assert world.peek(SHARED + 8) == 0


# --- other harts, by the firmware's calls ------------------------------------


def interrupts_arrive(core: Core) -> None:
    # Hart 0 interrupts, and waits for the answer, again and again.
    times, at = 30, SHARED
    waiter = asm.program(
        SSIE,
        asm.li(S0, at),
        loop(
            times,
            S1,
            WFI,
            asm.csrr(T0, abi.CSR_SIP),
            asm.andi(T0, T0, abi.MIP_SSIP),
            asm.beq(T0, ZERO, -12),
            CLEAR,
            asm.lw(T0, 0, S0),
            asm.addi(T0, T0, 1),
            asm.sw(T0, 0, S0),
        ),
        finish(2),
    )
    sender = asm.program(
        asm.li(S0, at),
        asm.li(S1, 0),
        loop(
            times,
            S2,
            asm.addi(S1, S1, 1),
            call(abi.SBI_EXT_IPI, abi.SBI_IPI_SEND, 0b10, 0),
            asm.lw(T0, 0, S0),
            asm.bne(T0, S1, -4),
        ),
        finish(2),
    )
    for world in worlds(core, sender, waiter):
        assert world.run() == "DONE"
        assert world.peek(at) == times


def status(core: Core) -> None:
    stopped, started = abi.SBI_HSM_STOPPED, abi.SBI_HSM_STARTED
    hsm, out = abi.SBI_EXT_HSM, SHARED

    def note(i: int) -> Words:
        return asm.program(
            asm.li(T0, out + 8 * i), asm.sw(A0, 0, T0), asm.sw(A1, 4, T0)
        )

    stop = [*note(0), *call(hsm, abi.SBI_HSM_STOP)]
    asked = [
        (abi.SBI_HSM_STATUS, 1),
        (abi.SBI_HSM_STATUS, 0),
        (abi.SBI_HSM_STATUS, 2),
        (abi.SBI_HSM_START, 0, place(1), 0),
        (abi.SBI_HSM_START, 2, place(1), 0),
        (abi.SBI_HSM_START, 1, 0x10, 0),
        (abi.SBI_HSM_START, 1, place(1), 77),
    ]
    first = asm.program(
        # until hart 1 has stopped
        call(hsm, abi.SBI_HSM_STATUS, 1),
        asm.li(T0, stopped),
        asm.bne(A1, T0, -4 * (len(call(0, 0, 1)) + 2)),
        *([*call(hsm, *one), *note(2 + i)] for i, one in enumerate(asked)),
        wait_for(out + 4, 77),
        store(abi.TEST_BASE, abi.TEST_PASS),
        asm.j(0),
    )
    expected = [
        (0, stopped),
        (0, started),
        (abi.SBI_ERR_INVALID_PARAM, 0),
        (abi.SBI_ERR_ALREADY_AVAILABLE, 0),
        (abi.SBI_ERR_INVALID_PARAM, 0),
        (abi.SBI_ERR_INVALID_ADDRESS, 0),
        (0, 0),
    ]
    for world in worlds(core, first, stop):
        assert world.run() == "DONE"
        got = [
            (world.peek(out + 16 + 8 * i), world.peek(out + 20 + 8 * i))
            for i in range(len(asked))
        ]
        assert got == [(e & 0xFFFFFFFF, v) for e, v in expected]
        assert world.peek(out) == 1  # its number, in a0 from the start


def _mapping(frame: int, rights: int = 0xCF) -> int:
    return frame >> 12 << 10 | rights


def a_remote_fence_is_done_when_the_call_returns(core: Core) -> None:
    # Hart 1 reads through a page; hart 0 maps another frame there.
    old, new, page = SHARED + 0x1000, SHARED + 0x2000, 0x1000
    changed = SHARED
    reader = asm.program(
        asm.li(T0, 1 << 31 | TABLES >> 12),
        asm.csrw(abi.CSR_SATP, T0),
        asm.li(S0, changed),
        asm.li(S1, page),
        asm.li(S2, 0),
        asm.lw(T0, 0, S0),  # 1 after the fence
        asm.lw(T1, 0, S1),  # 0 in the old frame, 1 in the new one
        asm.slt(T1, T1, T0),
        asm.add(S2, S2, T1),
        asm.beq(T0, ZERO, -16),
        asm.sw(S2, 8, S0),
        asm.csrw(abi.CSR_SATP, ZERO),
        finish(2),
    )
    slot = TABLES + 0x1000 + 4 * (page >> 12)
    writer = asm.program(
        loop(2000, S0, asm.NOP),
        store(slot, _mapping(new)),
        call(abi.SBI_EXT_RFNC, abi.SBI_RFNC_SFENCE, 0b10, 0, 0, 0),
        store(changed, 1),
        finish(2),
    )
    memory = {
        TABLES: [_mapping(TABLES + 0x1000, 1)],
        TABLES + 4 * (abi.RAM_BASE >> 22): [_mapping(abi.RAM_BASE)],
        slot: [_mapping(old)],
        new: [1],
    }
    for world in worlds(core, writer, reader, memory=memory):
        assert world.run() == "DONE"
        assert world.count(1, "load_misses") >= 3  # it had the old one
        assert world.peek(SHARED + 8) == 0


# --- time --------------------------------------------------------------------


def _timer(ticks: int) -> Words:
    """Ask for an interrupt so many ticks from now, and wait for it."""
    return asm.program(
        asm.csrrwi(ZERO, abi.CSR_SIE, 0),
        asm.li(T0, abi.MIP_STIP),
        asm.csrw(abi.CSR_SIE, T0),
        asm.csrr(A0, abi.CSR_TIME),
        asm.li(A1, ticks),
        asm.add(A0, A0, A1),
        asm.li(A1, 0),
        asm.li(17, abi.SBI_EXT_TIME),
        asm.li(16, 0),
        ECALL,
        WFI,
    )


def who_waits_is_not_left_behind(core: Core) -> None:
    # Hart 1 waits for hart 0, which waits for its timer: a long time in which
    # nobody runs. It is not to wake up in the past.
    long = 100_000
    sleeper = asm.program(
        _timer(long),
        call(abi.SBI_EXT_IPI, abi.SBI_IPI_SEND, 0b10, 0),
        finish(2),
    )
    waiter = asm.program(
        SSIE,
        WFI,
        asm.csrr(T0, abi.CSR_TIME),
        asm.li(T1, SHARED),
        asm.sw(T0, 0, T1),
        finish(2),
    )
    for world in worlds(core, sleeper, waiter):
        assert world.run() == "DONE"
        quantum = world.quantum // 10 + 1  # ticks
        assert world.peek(SHARED) >= long - quantum
        assert max(world.clocks()) < 10 * long + 100_000
        for hart in (0, 1):
            assert world.count(hart, "idle_cycles") > 9 * long


def a_hart_is_started_now(core: Core) -> None:
    # It was in reset, where no time passes.
    starter = asm.program(
        call(abi.SBI_EXT_HSM, abi.SBI_HSM_STATUS, 1),
        asm.li(T0, abi.SBI_HSM_STOPPED),
        asm.bne(A1, T0, -4 * (len(call(0, 0, 1)) + 2)),
        loop(5000, S0, asm.NOP),
        asm.csrr(S0, abi.CSR_TIME),
        call(abi.SBI_EXT_HSM, abi.SBI_HSM_START, 1, place(3), 0),
        finish(2),
    )
    stop = call(abi.SBI_EXT_HSM, abi.SBI_HSM_STOP)
    again = asm.program(
        asm.addi(S11, ZERO, 1),
        asm.csrr(T0, abi.CSR_TIME),
        asm.li(T1, SHARED),
        asm.sw(T0, 0, T1),
        finish(2),
    )
    for world in worlds(core, starter, stop, memory={place(3): again}):
        assert world.run() == "DONE"
        assert world.peek(SHARED) >= world.reg(0, S0)


def clocks_stay_together(core: Core) -> None:
    work = [*loop(3000, S0, asm.NOP, asm.mul(T0, T0, T0)), *finish(3)]
    for world in worlds(core, *[work] * 3):
        world.run(200)  # the others have been started
        for _ in range(40):
            assert world.run(97) == "BUDGET"
            clocks = world.clocks()
            assert max(clocks) - min(clocks) <= world.quantum + 100


# --- the run -----------------------------------------------------------------


def budgets_are_exact(core: Core) -> None:
    work = [*loop(30_000, S0, asm.NOP), asm.j(0)]
    for world in worlds(core, *[work] * 3):
        world.run(300)
        before = [world.count(hart, "instret") for hart in range(3)]
        for budget in (1, 2, 3, 5, 100, 1001):
            assert world.run(budget) == "BUDGET"
            assert world.last.insns == budget
        after = [world.count(hart, "instret") for hart in range(3)]
        assert sum(after) - sum(before) == 1 + 2 + 3 + 5 + 100 + 1001


def a_breakpoint_says_whose(core: Core) -> None:
    work = [*loop(5, S0, asm.NOP), asm.j(0)]
    for world in worlds(core, *[work] * 3):
        for hart in (1, 2):
            world.stop_at(place(hart) + 12)
        seen = [0, 0, 0]
        while world.run(5000) == "BREAK":
            hart = world.last.vcpu
            seen[hart] += 1
            assert world.reg(hart, PC) == place(hart) + 12
        assert world.last.reason == world.lib.HV_RUN_BUDGET
        assert seen == [0, 5, 5]


def a_step_is_of_one_hart(core: Core) -> None:
    work = [*loop(1000, S0, asm.NOP), asm.j(0)]
    world = World(core, [work] * 3, quantum=10)
    world.run(500)
    for hart in (2, 0, 1, 1):
        before = [world.reg(h, PC) for h in range(3)]
        clocks = world.clocks()
        assert world.step(hart) == 0
        for other in range(3):
            moved = world.reg(other, PC) != before[other]
            assert moved == (other == hart)
            assert (world.clocks()[other] > clocks[other]) == moved
    # Far ahead, it waits for the others.
    for _ in range(200):
        assert world.step(1) == 0
    ahead = world.clocks()[1]
    at = world.count(1, "instret")
    world.run(100)
    assert world.count(1, "instret") == at
    world.run(1000)
    assert world.count(1, "instret") > at
    assert min(world.clocks()) > ahead


def all_wait(core: Core) -> None:
    # ... for what only the outside can do; then for a character.
    other = [SSIE, WFI, asm.j(-4)]
    enable, context = abi.PLIC_BASE + 0x2000, 3  # S of hart 1
    listener = asm.program(
        store(abi.PLIC_BASE + 4 * abi.UART_IRQ, 1),
        store(enable + 0x80 * context, 1 << abi.UART_IRQ),
        asm.li(T0, abi.UART_BASE),
        asm.addi(T1, ZERO, 1),
        asm.sb(T1, 1, T0),
        asm.li(T1, abi.MIP_SEIP),
        asm.csrw(abi.CSR_SIE, T1),
        WFI,
        asm.lbu(S0, 0, T0),
        store(abi.TEST_BASE, abi.TEST_PASS),
        asm.j(0),
    )
    for world in worlds(core, *[other, listener, other]):
        for _ in range(2):
            assert world.run() == "IDLE"
            state = world.hash()
        assert world.hash() == state
        assert world.lib.hv_console_give(world.raw, 0, b"!", 1) == 1
        assert world.run() == "DONE"
        assert world.reg(1, S0) == ord("!")
        assert world.run() == "DONE"


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        atomic_adds_are_all_there,
        conditional_stores_lose_no_add,
        a_lock_excludes,
        new_code_is_executed_by_all,
        interrupts_arrive,
        status,
        a_remote_fence_is_done_when_the_call_returns,
        who_waits_is_not_left_behind,
        a_hart_is_started_now,
        clocks_stay_together,
        budgets_are_exact,
        a_breakpoint_says_whose,
        a_step_is_of_one_hart,
        all_wait,
    )
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_harts(check: Check) -> None:
    check(good_core())
