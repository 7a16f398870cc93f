"""Planted bugs are found by programs made at random; good cores are not."""

from pathlib import Path

import pytest

from hv import zoo
from hv.fuzz.format import encode
from hv.fuzz.native import load
from hv.fuzz.text import parse
from hv.fuzz.verdict import Verdict
from hv.zoo import builder, hunt
from hv.zoo.guarded import Died, guarded
from hv.zoo.picture import picture

WITH_TRIGGER = [bug for bug in zoo.records() if bug.trigger]
SAMPLE = ("C04", "L02", "S01")
MOST_OPERATIONS = 12
PROGRAMS = 256  # for each strategy, of each variant


@pytest.fixture(scope="module")
def good() -> Path:
    return zoo.sound()


def replayed(library: Path, bug: zoo.Bug) -> Verdict | Died:
    """Execute a bug's trigger on a core, as a replay does."""

    def work() -> Verdict:
        with load(str(library)).context(audit_every=1) as context:
            return context.execute(encode(parse(bug.trigger)))

    return guarded(work)


def shows(bug: zoo.Bug, good: Path) -> None:
    """Check that the trigger tells the bugged core from the good one."""
    outcome = replayed(zoo.build(bug), bug)
    assert isinstance(outcome, Died) or not outcome.ok
    if "X" not in bug.violates:  # else it depends on what lies behind
        assert isinstance(outcome, Verdict)
        assert f"<-- {outcome.broke}: " in bug.trigger
    outcome = replayed(good, bug)
    assert isinstance(outcome, Verdict)
    assert outcome.ok, outcome.what


@pytest.mark.parametrize("name", SAMPLE)
def test_a_trigger_shows_its_bug(name: str, good: Path) -> None:
    shows(zoo.record(name), good)


@pytest.mark.nightly
@pytest.mark.parametrize("bug", WITH_TRIGGER, ids=lambda bug: bug.id)
def test_every_trigger_shows_its_bug(bug: zoo.Bug, good: Path) -> None:
    shows(bug, good)


@pytest.mark.parametrize("bug", WITH_TRIGGER, ids=lambda bug: bug.id)
def test_a_trigger_is_small_and_can_be_drawn(bug: zoo.Bug) -> None:
    program = parse(bug.trigger)
    assert len(program.records) <= MOST_OPERATIONS  # none: as it ends
    drawn = picture(program, bug.title, "P1: ...")
    assert drawn.startswith("<svg ")
    assert drawn.count("<title>") > len(program.records)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_bug_is_found_from_a_cold_start(name: str, good: Path) -> None:
    bug = zoo.record(name)
    found = hunt.hunt_apart(
        *(zoo.build(bug), good), seed=1, executions=4_000, seconds=60
    )
    assert found.property, f"missed in {found.executions} programs"
    assert found.operations <= MOST_OPERATIONS


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", WITH_TRIGGER, ids=lambda bug: bug.id)
def test_all_are_found_from_a_cold_start(bug: zoo.Bug, good: Path) -> None:
    found = hunt.hunt_apart(
        *(zoo.build(bug), good), seed=1, executions=400_000, seconds=500
    )
    assert found.property, f"missed in {found.executions} programs"


def complaint(library: Path, rounds: int) -> str:
    """Return what some property says of a core, or nothing."""
    core = load(str(library))
    for strategy in ("g3", "g4", "g2"):
        with core.context(audit_every=8) as context:
            for _, found in context.batch(strategy, 1 << 20, rounds):
                if found:
                    return f"{strategy} {found.seed}: {found.verdict.what}"
    return ""


@pytest.mark.parametrize("name", ["W01", "W03"])
def test_a_variant_is_no_bug(name: str) -> None:
    (wheat,) = [wheat for wheat in zoo.wheats() if wheat.id == name]
    assert not complaint(zoo.build(wheat), PROGRAMS)


@pytest.mark.nightly
@pytest.mark.parametrize("wheat", zoo.wheats(), ids=lambda wheat: wheat.id)
def test_no_variant_is_a_bug(wheat: zoo.Wheat) -> None:
    if wheat.compiler not in builder.compilers():
        pytest.skip("no such compiler")
    assert not complaint(zoo.build(wheat), 64 * PROGRAMS)
