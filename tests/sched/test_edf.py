"""Budgets: what is admitted is kept, and what is not could not be."""

import random
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hv.spec.sched import Server, demand
from tests.sched.simlib import (
    HOG,
    RUN,
    SLEEP,
    WORK,
    Library,
    Refused,
    Sim,
    Step,
)

ADMIT = Path(__file__).parents[2] / "csrc" / "sched" / "edf_admit.c"
TICK = 10
FULL = "edf: no hart that it may run on has so much time left"
# Whoever has no budget does its worst: exits as long as an exit may be.
PESTS: list[list[Step]] = [
    [(WORK, 11_000, 0)],
    [(RUN, 3, 0), (SLEEP, 1, 0)],
    list(HOG),
]


def _constant(name: str) -> int:
    found = re.search(rf"#define {name} +(\d+)", ADMIT.read_text())
    assert found
    return int(found[1])


SWITCH, EXIT = _constant("EDF_SWITCH"), _constant("EDF_EXIT")


def _overhead() -> int:
    return -(-(3 * SWITCH + EXIT) // TICK)


def misses(sim: Sim) -> int:
    """Return how many budgets were not delivered by their deadlines.

    When a period ends, the event says what is left of the budget, of one that
    always wanted to run.
    """
    return sum(
        event.kind == "credit" and TICK <= event.arg < 1 << 31
        for event in sim.take()
    )


def admits(sim: Sim, budget: int, period: int) -> bool:
    """Say if a VM with this budget was let in."""
    try:
        sim.vm(budget=budget, period=period)
    except Refused as why:
        if str(why) != FULL:
            raise
        return False
    return True


def fill(rng: random.Random, sim: Sim) -> int:
    """Admit VMs until there is no room for the smallest; return how many."""
    admitted, budget, period = 0, 0, 0
    while admitted < 40:
        if budget < 50:
            period = rng.choice((12_000, 20_000, 30_000, 50_000, 100_000))
            budget = rng.randrange(period // 50, period // 2)
        if admits(sim, budget, period):
            admitted, budget = admitted + 1, 0
        else:
            budget = budget * 3 // 4
            if budget < 50:
                break
    return admitted


def no_deadline_is_missed(seed: int, library: Library | None = None) -> None:
    """Fill a host with budgets and pests, and run it."""
    rng = random.Random(seed)
    sim = Sim("edf", rng.choice((1, 2, 4)), tick=TICK, library=library)
    sim.watch("credit")
    for steps in PESTS:
        sim.vm(sim.harts, steps=steps)
    assert fill(rng, sim)
    sim.run(3_000_000)
    assert misses(sim) == 0, "edf: a deadline was missed"


@given(seed=st.integers(0, 1 << 32))
def test_no_admitted_deadline_is_missed(seed: int) -> None:
    no_deadline_is_missed(seed)


def test_no_admitted_deadline_is_missed_by_many() -> None:
    for seed in range(100):
        no_deadline_is_missed(seed)


@given(seed=st.integers(0, 1 << 32))
def test_one_hart_is_promised_to_the_brim(seed: int) -> None:
    """All that was admitted fits, and what was refused did not."""
    rng = random.Random(seed)
    sim = Sim("edf", tick=TICK)
    wanted = [
        (rng.randrange(100, period), period)
        for period in (rng.randrange(10_000, 90_000) for _ in range(40))
    ]
    inside: list[tuple[int, int]] = []
    for budget, period in wanted:
        pairs = [*inside, (budget, period)]
        need = sum(demand(b, p, _overhead()) for b, p in pairs)
        need += Fraction(-(-EXIT // TICK), min(p for _, p in pairs))
        if admits(sim, budget, period):
            assert need <= 1
            inside.append((budget, period))
        else:  # each part is rounded up
            assert need > 1 - Fraction(len(pairs) + 1, 1 << 20)


def test_the_first_that_is_too_much_is_refused() -> None:
    sim = Sim("edf", 2, tick=TICK)
    sim.vm(2, budget=40_000, period=100_000)
    sim.vm(2, budget=40_000, period=100_000)
    with pytest.raises(Refused, match=FULL):
        sim.vm(1, budget=40_000, period=100_000)
    sim.vm(2, budget=10_000, period=100_000)


def test_vcpus_that_have_not_started_are_counted() -> None:
    sim = Sim("edf", 2, tick=TICK)
    sim.vm(2, budget=60_000, period=100_000, start=False)
    with pytest.raises(Refused):
        sim.vm(1, budget=60_000, period=100_000)


def test_what_ends_makes_room() -> None:
    sim = Sim("edf", tick=TICK)
    first = sim.vm(budget=60_000, period=100_000)
    sim.run(500_000)
    with pytest.raises(Refused):
        sim.vm(budget=60_000, period=100_000)
    sim.destroy(first)
    sim.vm(budget=60_000, period=100_000)
    sim.run(1_000_000)


def test_a_change_is_admitted_or_changes_nothing() -> None:
    sim = Sim("edf", tick=TICK)
    first = sim.vm(budget=30_000, period=100_000)
    second = sim.vm(budget=30_000, period=100_000)
    sim.run(10_000_000)
    with pytest.raises(Refused, match=FULL):
        sim.change(first, budget=80_000, period=100_000)
    before = sim.charged(first), sim.charged(second)
    sim.run(20_000_000)
    assert abs(sim.charged(first) - before[0] - 3_000_000) < 50_000
    sim.change(first, budget=50_000, period=100_000)
    before = sim.charged(first), sim.charged(second)
    sim.run(30_000_000)
    assert abs(sim.charged(first) - before[0] - 5_000_000) < 50_000
    assert abs(sim.charged(second) - before[1] - 3_000_000) < 50_000


def test_the_same_again_changes_nothing() -> None:
    sim = Sim("edf", tick=TICK)
    vm = sim.vm(budget=30_000, period=100_000)
    sim.run(10_300_000)
    deadline, left = sim.vcpu(vm).deadline, sim.vcpu(vm).left
    assert left < 30_000 * TICK
    sim.change(vm, budget=30_000, period=100_000)
    assert (sim.vcpu(vm).deadline, sim.vcpu(vm).left) == (deadline, left)
    sim.change(vm, budget=30_000, period=120_000)
    assert sim.vcpu(vm).deadline * TICK == sim.now // TICK * TICK + 1_200_000
    assert sim.vcpu(vm).left == 30_000 * TICK


def test_a_budget_can_be_given_back() -> None:
    """Spent or not: from then on it shares what nobody was promised."""
    sim = Sim("edf", tick=TICK)
    vm = sim.vm(budget=60_000, period=100_000)
    other = sim.vm()
    sim.run(10_700_000)
    assert sim.vcpu(vm).parked
    sim.change(vm)
    before, began = sim.charged(vm), sim.now
    third = sim.vm(budget=60_000, period=100_000)
    sim.run(began + 20_000_000)
    assert abs(sim.charged(vm) - before - 4_000_000) < 100_000
    assert abs(sim.charged(third) - 12_000_000) < 100_000
    assert sim.charged(other) > 4_000_000


def test_a_cap_is_refused() -> None:
    sim = Sim("edf", tick=TICK)
    with pytest.raises(Refused, match="a cap is a budget"):
        sim.vm(cap=50)


def test_a_pin_is_kept() -> None:
    """It counts from when the budget is asked for; later, it is too late."""
    sim = Sim("edf", 2, tick=TICK)
    vm = sim.vm(start=False)
    assert sim.pin(vm, 0, 0b10)
    sim.change(vm, budget=60_000, period=100_000)
    assert sim.vcpu(vm).home == 1
    assert not sim.pin(vm, 0, 0b01)
    other = sim.vm(start=False)
    assert sim.pin(other, 0, 0b10)
    with pytest.raises(Refused, match=FULL):
        sim.change(other, budget=60_000, period=100_000)


def test_a_budget_is_not_exceeded() -> None:
    """The rest is for those who have none, and they share it."""
    sim = Sim("edf", tick=TICK)
    vm = sim.vm(budget=20_000, period=100_000)
    others = [sim.vm(), sim.vm()]
    used = 0
    for period in range(1, 21):
        sim.run(period * 1_000_000)
        assert sim.charged(vm) - used <= 200_000 + EXIT
        used = sim.charged(vm)
    for other in others:
        assert abs(sim.charged(other) - 8_000_000) < 200_000


def test_who_sleeps_gets_no_more_than_its_share() -> None:
    sim = Sim("edf", tick=TICK)
    sly = sim.vm(
        budget=30_000, period=100_000, steps=[(RUN, 90_000, 0), (SLEEP, 1, 0)]
    )
    sim.vm()
    sim.run(50_000_000)
    assert sim.charged(sly) <= 0.3 * 50_000_000 + 300_000


@given(
    budget=st.integers(1000, 6000),
    naps=st.lists(st.integers(1, 30_000), min_size=1, max_size=8),
    works=st.lists(st.integers(10, 100_000), min_size=1, max_size=8),
)
def test_deadlines_are_those_of_the_specification(
    budget: int, naps: list[int], works: list[int]
) -> None:
    """One server alone: asleep, awake, out of budget, and renewed."""
    steps = [
        step
        for nap, work in zip(naps, works, strict=False)
        for step in ((RUN, work, 0), (SLEEP, nap, 0))
    ]
    sim = Sim("edf", tick=TICK)
    sim.watch("wake", "sleep", "park", "unpark", "credit", "run", "stop")
    vm = sim.vm(budget=budget, period=10_000, steps=steps)
    server = Server(budget * TICK, 10_000 * TICK, grain=TICK)
    server.renew(10_000 * TICK)  # its VM was made at time 0
    charged = 0
    awake = False
    for _ in range(300):
        sim.run(sim.now + 5_000)
        for event in sim.take():
            server.run(event.charged - charged)
            charged = event.charged
            now = event.cycle // TICK * TICK
            if event.kind == "wake" and not awake:
                server.wake(now)
                awake = True
            elif event.kind == "credit":
                server.pass_to(now)
            elif event.kind == "sleep":
                awake = False
        assert sim.vcpu(vm).deadline * TICK == server.deadline
