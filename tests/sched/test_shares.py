"""Weights, caps and theft: who gets how much of simulated harts."""

from fractions import Fraction
from itertools import permutations

import pytest

from hv.spec.sched import Claim, shares
from tests.sched.simlib import (
    HOG,
    RUN,
    RUN_TO,
    SLEEP,
    SLEEP_TO,
    Refused,
    Sim,
)

WEIGHTED = ("credit", "fair")
ORDERS = tuple(permutations((256, 512, 1024)))
LONG = 10**7  # cycles for each hart
EXIT = 1000  # cycles: more than an exit with a switch takes


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: "-".join(map(str, o)))
@pytest.mark.parametrize("harts", [1, 2, 4])
@pytest.mark.parametrize("policy", WEIGHTED)
def test_cycles_go_by_weight(
    policy: str, harts: int, order: tuple[int, ...]
) -> None:
    sim = Sim(policy, harts)
    vms = {sim.vm(harts, weight=weight): weight for weight in order}
    sim.run(LONG)
    for vm, weight in vms.items():
        percent = 100 * sim.charged(vm) / (harts * LONG)
        assert abs(percent - 100 * weight / sum(order)) < 1, (weight, percent)


@pytest.mark.parametrize("harts", [2, 4])
@pytest.mark.parametrize("policy", WEIGHTED)
def test_what_one_cannot_use_the_others_get(policy: str, harts: int) -> None:
    claims = {
        1: Claim(weight=4096, vcpus=1),
        2: Claim(weight=256, vcpus=harts),
        3: Claim(weight=512, vcpus=harts),
    }
    sim = Sim(policy, harts)
    for claim in claims.values():
        sim.vm(claim.vcpus, weight=claim.weight)
    sim.run(LONG)
    for vm, share in shares(claims, harts).items():
        got = Fraction(sim.charged(vm), LONG)
        assert abs(got - share) < Fraction(4, 100), (vm, float(got))


@pytest.mark.parametrize("policy", WEIGHTED)
def test_what_a_sleeper_leaves_is_not_lost(policy: str) -> None:
    """Nor is the sleeper made to wait for what it does not use."""
    sim = Sim(policy)
    sleeper = sim.vm(steps=[(RUN, 1000, 0), (SLEEP, 900, 0)])
    hogs = [sim.vm(), sim.vm()]
    sim.run(LONG)
    assert sim.charged(sleeper) > 0.09 * LONG
    assert sim.charged(sleeper) + sum(map(sim.charged, hogs)) > 0.98 * LONG


@pytest.mark.parametrize("policy", WEIGHTED)
def test_a_vm_pays_for_all_of_its_vcpus(policy: str) -> None:
    sim = Sim(policy)
    many, one = sim.vm(8), sim.vm(1)
    sim.run(LONG)
    assert abs(sim.charged(many) / LONG - 0.5) < 0.01
    assert abs(sim.charged(one) / LONG - 0.5) < 0.01


@pytest.mark.parametrize("policy", WEIGHTED)
def test_weights_can_change(policy: str) -> None:
    sim = Sim(policy)
    first, second = sim.vm(weight=256), sim.vm(weight=768)
    sim.run(LONG)
    before = sim.charged(first), sim.charged(second)
    sim.change(first, weight=768)
    sim.change(second, weight=256)
    sim.run(2 * LONG)
    after = sim.charged(first) - before[0], sim.charged(second) - before[1]
    assert abs(before[0] / LONG - 0.25) < 0.01
    assert abs(after[0] / LONG - 0.75) < 0.01


@pytest.mark.parametrize("policy", ["rr", "credit", "fair", "sampled"])
@pytest.mark.parametrize("harts", [1, 2, 4])
@pytest.mark.parametrize("steps", [HOG, [(RUN, 700, 0), (SLEEP, 50, 0)]])
def test_a_cap_is_kept_in_every_period(
    policy: str,
    harts: int,
    steps: list[tuple[int, int, int]],
) -> None:
    period = 100_000  # ticks
    sim = Sim(policy, harts, period=period, quantum=100)
    capped = sim.vm(harts, cap=25, steps=steps)
    sim.vm(1)
    used, most = 0, 0
    for _ in range(20):
        sim.run(sim.period_end + 1)
        most = max(most, sim.charged(capped) - used)
        used = sim.charged(capped)
    assert most <= 0.255 * sim.period
    if steps == HOG:
        assert used >= 0.24 * 19 * sim.period


@pytest.mark.parametrize("policy", WEIGHTED)
@pytest.mark.parametrize("others", [1, 3])
def test_theft_gains_a_slice_at_most(policy: str, others: int) -> None:
    sim, thief = _theft(policy, others)
    due = LONG // (others + 1)
    assert sim.charged(thief) <= due + sim.slice


@pytest.mark.parametrize("others", [1, 3])
def test_charging_at_the_tick_invites_theft(others: int) -> None:
    sim, thief = _theft("sampled", others)
    assert sim.charged(thief) > 0.9 * LONG


def _theft(policy: str, others: int) -> tuple[Sim, int]:
    """Run one that sleeps just before every tick beside some that do not."""
    sim = Sim(policy)
    ticks = sim.slice // sim.tick
    thief = sim.vm(steps=[(RUN_TO, ticks, ticks - 40), (SLEEP_TO, ticks, 5)])
    for _ in range(others):
        sim.vm()
    sim.run(LONG)
    return sim, thief


@pytest.mark.parametrize("policy", WEIGHTED)
def test_who_slept_long_has_saved_little(policy: str) -> None:
    """It takes what is its own from then on, and not what it has slept."""
    sim = Sim(policy)
    sim.vm()
    late = sim.vm(steps=[(SLEEP, 500_000, 0), (RUN, 10**9, 0)])
    sim.run(5_000_000 + EXIT)
    before = sim.charged(late)
    sim.run(5_000_000 + 40 * sim.slice)
    got = sim.charged(late) - before
    slack = 2 * sim.slice if policy == "fair" else sim.period
    assert abs(got - 20 * sim.slice) <= slack


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("weight", 0, "weight must be"),
        ("weight", 65536, "weight must be"),
        ("cap", 801, "cap is in percent"),
        ("budget", 1, "budget must be"),
        ("period", 1, "budget must be"),
    ],
)
@pytest.mark.parametrize("policy", WEIGHTED)
def test_what_is_out_of_range_is_refused(
    policy: str, name: str, value: int, says: str
) -> None:
    """And changes nothing."""
    sim = Sim(policy)
    vm, _ = sim.vm(weight=768), sim.vm(weight=256)
    with pytest.raises(Refused, match=says):
        sim.change(vm, **{name: value})
    sim.run(2_000_000)
    assert abs(sim.charged(vm) - 1_500_000) < 40_000
