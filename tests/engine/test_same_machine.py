"""The fast engine is the same machine as the reference engine.

After every run - of one cycle, of some, of thousands - registers, CSRs, clock,
counters, TLB and memory must be the same in both.
"""

import pytest

from .core import Engines, build


def check(engines: Engines, seed: int, insns: int) -> None:
    outcome = engines.compare(seed, insns)
    assert outcome.equal, (
        f"{outcome.why}: reproduce with compare({outcome.seed}, 1)"
    )
    assert outcome.executed >= insns


def test_a_million_instructions(engines: Engines) -> None:
    check(engines, 1, 1_000_000)


def test_the_programs_do_what_they_are_for(engines: Engines) -> None:
    # Not only an equal number of nothing: of everything there is enough.
    outcome = engines.compare(1, 2_000_000)
    until, trap_m, idle, _ = outcome.exits
    assert outcome.traps > 10_000
    assert outcome.interrupts > 1_000
    assert outcome.accesses > 20_000
    assert min(until, trap_m) > 50
    assert idle > 0
    assert outcome.guest_runs > 500
    assert outcome.guest_traps > 500


def test_a_scenario_is_a_function_of_its_seed(engines: Engines) -> None:
    assert engines.compare(77, 1) == engines.compare(77, 1)
    assert engines.compare(77, 1) != engines.compare(78, 1)


def test_without_computed_goto() -> None:
    portable = build(flags=("-DHV_NO_COMPUTED_GOTO",))
    check(Engines(portable), 100_000, 1_000_000)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
def test_a_hundred_million_instructions(engines: Engines, part: int) -> None:
    check(engines, 1_000_000 * (part + 1), 10_000_000)
