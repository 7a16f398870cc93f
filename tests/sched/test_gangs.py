"""Gangs: a VM's vCPUs run at the same time, and get no more for it."""

import pytest

from tests.sched.simlib import HOG, RUN, SLEEP, Library, Sim

POLICIES = ("rr", "credit", "fair")
LONG = 2_000_000  # cycles for each hart
STEP = 2000


def runs_together(
    policy: str, others: int, library: Library | None = None
) -> float:
    """Run a gang of two beside another VM; return its part of two harts."""
    sim = Sim(policy, 2, library=library)
    sim.vm(others)
    gang = sim.vm(2, gang=1)
    apart = 0
    for cycle in range(STEP, LONG, STEP):
        sim.run(cycle)
        apart += sum(sim.hart(hart).vm == gang for hart in range(2)) == 1
    assert apart < 0.03 * LONG / STEP, f"apart for {apart} of {LONG // STEP}"
    return sim.charged(gang) / sim.all_charged


@pytest.mark.parametrize("others", [2, 3])
@pytest.mark.parametrize("policy", POLICIES)
def test_the_vcpus_of_a_gang_run_together(policy: str, others: int) -> None:
    assert abs(runs_together(policy, others) - 0.5) < 0.02


def beside(
    policy: str, others: int, harts: int, library: Library | None = None
) -> float:
    """Run a gang as wide as the machine beside another; return its harts."""
    sim = Sim(policy, harts, library=library)
    sim.vm(others)
    gang = sim.vm(harts, gang=1)
    sim.run(LONG)
    return harts * sim.charged(gang) / sim.all_charged


@pytest.mark.parametrize("harts", [2, 4])
@pytest.mark.parametrize("policy", ["credit", "fair"])
def test_a_gang_leaves_a_smaller_vm_its_share(policy: str, harts: int) -> None:
    """Also where one hart is left over, and the gang's whenever it likes."""
    for others in range(1, harts + 1):
        due = harts - min(others, harts / 2)
        assert abs(beside(policy, others, harts) - due) < 0.06


def test_a_gang_that_ends_gives_its_turn_back() -> None:
    sim = Sim("fair", 2)
    other = sim.vm(2)
    sim.run(LONG)
    gang = sim.vm(2, gang=1)
    while sim.hart(0).vm != gang or sim.hart(1).vm != gang:
        sim.run(sim.now + 10)
    sim.destroy(gang)
    before, began = sim.charged(other), sim.now
    sim.run(began + LONG)
    assert sim.charged(other) - before > 2 * 0.99 * LONG


def test_a_hart_that_a_gang_cannot_use_goes_to_others() -> None:
    """One of its vCPUs sleeps nine tenths of the time."""
    sim = Sim("fair", 2)
    sim.vm(2, gang=1, steps=[HOG, [(RUN, 1000, 0), (SLEEP, 900, 0)]])
    other = sim.vm(2)
    sim.run(LONG)
    assert sim.hart(0).idle + sim.hart(1).idle < 0.01 * LONG
    assert sim.charged(other) > 0.5 * LONG
