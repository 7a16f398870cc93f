"""Planted bugs are found by programs made at random; good cores are not."""

import json
import os
from pathlib import Path
from statistics import median

import pytest

from hv import zoo
from hv.errors import UsageError
from hv.fuzz.format import encode
from hv.fuzz.native import ALL_BUT_EACH, load
from hv.fuzz.text import parse
from hv.fuzz.verdict import Verdict
from hv.zoo import builder, hunt, rounds
from hv.zoo.guarded import Died, guarded
from hv.zoo.picture import picture

WITH_TRIGGER = [bug for bug in zoo.records() if bug.trigger]
SAMPLE = ("C04", "L02", "S01")
MOST_OPERATIONS = 10
# Of each of these variants, so many programs are executed.
PROFILE = os.environ.get("HV_TEST_PROFILE", "dev")
PROGRAMS = {"dev": 1_000, "ci": 100_000, "nightly": 10_000_000}
SOME = ("W01", "W03")
FIVE = (*SOME, "W05", "W06", "W11")
VARIANTS = {"dev": SOME, "ci": FIVE, "nightly": FIVE}
SEEDS = 1 << 40
MEASURED = Path(__file__).parents[2] / "docs" / "data" / "generator.json"


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


def complaint(library: Path, programs: int) -> str:
    """Return what some property says of a core, or nothing."""
    core = load(str(library))
    with core.context(
        oracles=ALL_BUT_EACH, audit_every=rounds.AUDIT_EVERY
    ) as context:
        for number in range(-(-programs // rounds.ROUND)):
            strategy = rounds.strategy(number)
            first = SEEDS + number * rounds.ROUND
            for _, found in context.batch(strategy, first, rounds.ROUND):
                if found:
                    return f"{strategy} {found.seed}: {found.verdict.what}"
    return ""


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", VARIANTS[PROFILE])
def test_a_variant_is_no_bug(name: str) -> None:
    (wheat,) = [wheat for wheat in zoo.wheats() if wheat.id == name]
    assert not complaint(zoo.build(wheat), PROGRAMS[PROFILE])


@pytest.mark.nightly
@pytest.mark.parametrize("wheat", zoo.wheats(), ids=lambda wheat: wheat.id)
def test_no_variant_is_a_bug(wheat: zoo.Wheat) -> None:
    if wheat.compiler not in builder.compilers():
        pytest.skip("no such compiler")
    assert not complaint(zoo.build(wheat), PROGRAMS["ci"])


def test_a_bug_is_seen_by_a_second_property(good: Path) -> None:
    found = hunt.hunt_apart(
        *(zoo.build("C01"), good),
        seed=1,
        executions=20_000,
        seconds=60,
        second=True,
    )
    assert found.property
    assert found.second not in ("", found.property)


def test_what_is_muted_is_not_heard() -> None:
    bug = zoo.record("C04")
    data = encode(parse(bug.trigger))
    with load(str(zoo.build(bug))).context() as context:
        heard = context.execute(data)
        context.mute([heard.broke])
        assert context.execute(data).broke != heard.broke
        context.mute([])
        assert context.execute(data) == heard


@pytest.mark.parametrize("name", ["P0", "P41", "7", "P7 ", "Q1", ""])
def test_only_properties_are_muted(name: str, good: Path) -> None:
    with (
        load(str(good)).context() as context,
        pytest.raises(UsageError, match="there are P1 to P40"),
    ):
        context.mute([name])


def test_what_crashes_the_core_is_found(good: Path) -> None:
    """By the program that did it, and without losing those before."""
    found = hunt.hunt_apart(
        *(zoo.build("H09"), good), seed=1, executions=20_000, seconds=60
    )
    assert found.property == "P27"
    assert "the host process died" in found.what
    assert found.executions > 1


def test_two_properties_see_a_bug_or_the_record_says_why_not() -> None:
    witnesses: dict[str, set[str]] = {}
    for it in json.loads(MEASURED.read_text())["hunts"]:
        seen = {it["property"], it["second"]} - {""}
        witnesses.setdefault(it["id"], set()).update(seen)
    for bug in zoo.records():
        assert (len(witnesses[bug.id]) < 2) == bool(bug.alone), bug.id


def test_all_were_found_when_it_was_measured() -> None:
    seconds: dict[str, list[float]] = {}
    for it in json.loads(MEASURED.read_text())["hunts"]:
        assert it["property"], f"{it['id']} was missed"
        assert it["operations"] <= MOST_OPERATIONS
        seconds.setdefault(it["id"], []).append(it["seconds"])
    assert set(seconds) == {bug.id for bug in zoo.records()}
    assert max(max(each) for each in seconds.values()) <= 60
    soon = sum(median(each) <= 1 for each in seconds.values())
    assert soon >= 0.9 * len(seconds)
