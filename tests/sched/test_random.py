"""Whatever happens, in whatever order: no vCPU is lost, none runs twice."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hv.spec.sched import LEAD, Claim, Vcpu, World, shares
from tests.sched import scenario
from tests.sched.simlib import Sim

BATCH = 60
EXIT = 1000  # cycles
Claims = dict[int, Claim]


@pytest.mark.parametrize("policy", scenario.SHARING)
@given(seed=st.integers(0, 1 << 32))
def test_any_life_of_a_host(policy: str, seed: int) -> None:
    scenario.play(seed, policy)


@pytest.mark.parametrize("policy", [*scenario.SHARING, "sampled"])
def test_many_lives_of_a_host(policy: str) -> None:
    decisions = sum(scenario.play(seed, policy) for seed in range(BATCH))
    assert decisions > 100_000


@pytest.mark.nightly
@pytest.mark.parametrize("policy", [*scenario.SHARING, "sampled"])
def test_very_many_lives_of_a_host(policy: str) -> None:
    for seed in range(BATCH, 100 * BATCH):
        scenario.play(seed, policy)


@given(seed=st.integers(0, 1 << 32))
def test_round_robin_takes_turns(seed: int) -> None:
    scenario.in_turn(seed)


def _claims(rng: random.Random, sim: Sim, harts: int, least: int) -> Claims:
    claims = {}
    for _ in range(rng.randrange(2, 6)):
        vcpus = rng.randrange(least, harts + 1)
        weight = rng.choice((64, 256, 300, 1024, 4096))
        claims[sim.vm(vcpus, weight=weight)] = Claim(weight=weight, vcpus=vcpus)
    return claims


@pytest.mark.parametrize("policy", ["fair", "credit"])
@pytest.mark.parametrize("harts", [1, 2, 4])
@given(seed=st.integers(0, 1 << 32))
def test_nobody_is_far_ahead(policy: str, harts: int, seed: int) -> None:
    """Of what is due to it since the runnable set last changed (P23)."""
    rng = random.Random(seed)
    sim = Sim(policy, harts, check=False)
    span = sim.slice if policy == "fair" else 2 * sim.period
    world = World(harts)
    for vm, claim in _claims(rng, sim, harts, harts).items():
        world.arrive(vm, weight=claim.weight)
        for number in range(harts):
            world.wake(Vcpu(vm, number))
    before = dict.fromkeys(world.weight, 0)
    others = 1  # at the beginning nobody is behind
    for _ in range(6):
        time = rng.randrange(1, 2_000_000)
        sim.run(sim.now + time)
        world.advance(time)
        for vm, due in world.due.items():
            ahead = sim.charged(vm) - before[vm] - due
            # What runs is charged when it stops: a slice more, or less.
            bound = (LEAD[policy] * others * span + sim.slice + EXIT) * harts
            assert ahead <= bound, (vm, float(ahead))
        if rng.randrange(2):
            _change(rng, sim, world)
            before = {vm: sim.charged(vm) for vm in world.weight}
            others = len(before)  # who was behind, by what these were ahead


def _change(rng: random.Random, sim: Sim, world: World) -> None:
    """Give one VM another weight, or let one rest from now on."""
    vm = rng.choice(list(world.weight))
    if rng.randrange(2) and len(world.claims()) > 2:
        sim.pause(vm)
        world.leave(vm)
    else:
        weight = rng.choice((100, 1000))
        sim.change(vm, weight=weight)
        world.change(vm, weight=weight)


@pytest.mark.parametrize("policy", ["fair", "credit"])
@pytest.mark.parametrize("harts", [2, 4])
@given(seed=st.integers(0, 1 << 32))
def test_vms_of_any_width_get_about_their_share(
    policy: str, harts: int, seed: int
) -> None:
    rng = random.Random(seed)
    sim = Sim(policy, harts, check=False)
    claims = _claims(rng, sim, harts, 1)
    sim.run(5_000_000)
    for vm, share in shares(claims, harts).items():
        assert abs(sim.charged(vm) / sim.now - share) < 0.2  # of a hart


@pytest.mark.parametrize("policy", scenario.SHARING)
@pytest.mark.parametrize("harts", [1, 2, 4])
def test_nobody_starves(policy: str, harts: int) -> None:
    """The lightest runs, and so does the last of many."""
    sim = Sim(policy, harts)
    light = sim.vm(weight=16)
    heavy = [sim.vm(harts, weight=1024) for _ in range(4)]
    total = 16 + 4 * 1024
    for window in range(1, 6):
        before = sim.charged(light)
        sim.run(window * 4 * sim.slice * total // 16)
        assert sim.charged(light) > before
    assert all(sim.charged(vm) for vm in heavy)
