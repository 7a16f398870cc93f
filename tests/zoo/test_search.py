"""Planted bugs are found by Hypothesis alone, and made small by it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hv import zoo
from hv.errors import UsageError
from hv.fuzz.format import Program, encode
from hv.fuzz.native import load
from hv.fuzz.text import parse
from hv.zoo import search
from hv.zoo.guarded import Died
from hv.zoo.hunt import Finding, hunt_apart
from hv.zoo.rounds import execute
from hv.zoo.served import Served
from tests.equivalence.core import ROOT
from tests.fuzz.cores import fake_core
from tests.fuzz.fake import op

WITH_TRIGGER = [bug for bug in zoo.records() if bug.trigger]
SAMPLE = {"C04": 1_000, "L02": 3_000, "S01": 1_000}  # programs
MANY = 60_000
SHARE = 80  # of a hundred
MOST_OPERATIONS = 6


def found(name: str, executions: int) -> Finding:
    return hunt_apart(
        *(zoo.build(name), zoo.sound()),
        seed=1,
        executions=executions,
        seconds=10_000,
        by="search",
    )


@pytest.mark.parametrize("name", SAMPLE)
def test_a_bug_is_found_from_a_cold_start(name: str) -> None:
    it = found(name, SAMPLE[name])
    assert it.property, f"missed in {it.executions} programs"
    assert it.operations <= MOST_OPERATIONS
    data = encode(parse(it.program))
    bad, good = (load(str(p)) for p in (zoo.build(name), zoo.sound()))
    assert execute(bad, data).broke == it.property
    assert execute(good, data).ok


@pytest.mark.nightly
@pytest.mark.timeout(0)
def test_most_are_found_from_a_cold_start() -> None:
    missed = [b.id for b in WITH_TRIGGER if not found(b.id, MANY).property]
    share = 100 - 100 * len(missed) / len(WITH_TRIGGER)
    assert share >= SHARE, f"missed: {' '.join(missed)}"


def test_most_were_found_when_it_was_measured() -> None:
    path = ROOT / "docs" / "data" / "hypothesis.json"
    bugs = json.loads(path.read_text())["hunts"]
    assert {bug["id"] for bug in bugs} <= {bug.id for bug in zoo.records()}
    assert len(bugs) > 100
    assert sum(bool(b["property"]) for b in bugs) * 100 >= SHARE * len(bugs)
    assert all(b["seconds"] <= 60 for b in bugs if b["property"])


# -- a core whose bugs are known, and that is done in a moment -----------------


def test_the_outcome_does_not_depend_on_time() -> None:
    bad, good = load(fake_core()), load(str(zoo.sound()))
    first, again = (
        replace(search.hunt(bad, good, seed=7), seconds=0) for _ in range(2)
    )
    assert first == again
    assert first.property in ("P2", "P7")
    assert first.operations == 2


def test_nothing_is_found_in_a_good_core() -> None:
    good = load(fake_core())
    it = search.hunt(good, good, executions=100)
    assert not it.property
    assert it.executions >= 100
    assert it.alarms > 0, "what breaks both is no finding"


def test_a_core_that_crashes_is_found_out() -> None:
    ends = Program(run=(op("share"), op("nop"), op("fork"), op("nop")))
    well = Program(run=(op("nop"),))
    bad, good = load(fake_core("crash")), load(fake_core())
    with search._search(bad, good, executions=9, seconds=99) as looks:
        assert not looks.shows((well, well))
        assert looks.shows((well, ends, well))
        assert looks.executed == 4
        assert not looks.shows((well,))
        assert looks.shows((ends,))
        shown = looks.result()
    assert shown is not None
    assert [r.row.name for r in shown[0].records] == ["share", "fork"]
    assert shown[1].broke == "P27"
    assert "SIGABRT" in shown[1].what


def test_hypothesis_is_stopped_after_a_while() -> None:
    bad, good = load(fake_core("crash")), load(fake_core())
    ends = (op("share"), op("fork"))
    with search._search(bad, good, executions=9, seconds=99) as looks:
        assert looks.shows((Program(run=ends),))
        looks.left = 0
        assert looks.shows((Program(run=ends),)), "it is asked again"
        with pytest.raises(search.Enough):
            looks.shows((Program(run=(op("nop"), *ends)),))
        assert looks.found is not None


def test_who_is_served_survives() -> None:
    ends = encode(Program(run=(op("share"), op("fork"))))
    well = encode(Program(run=(op("nop"),)))
    with Served(load(fake_core("crash")), limit=5) as served:
        assert served.first([well, well]) == (2, served.execute(well))
        assert isinstance(served.first([well, ends, well]), Died)
        assert served.execute(well).ok, "there is a new one"
        assert served.execute(ends).broke == "P27"
    with Served(load(fake_core("hang")), limit=1) as served:
        died = served.first([ends])
        assert died == Died("it did not end within 1 s")


# -- Hypothesis is a guest here ----------------------------------------------


def test_hv_does_not_import_it() -> None:
    code = (
        "import sys, hv.zoo, hv.zoo.hunt, hv.fuzz, hv.cli\n"
        "sys.exit('hypothesis' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zoo, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'microhv\[test\]'"):
        next(zoo.hunts([], Path(), hypothesis=True))
