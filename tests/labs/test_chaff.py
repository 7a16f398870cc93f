"""Wheat and chaff: what is said of checks and attacks, and what is not."""

import re
from pathlib import Path

import pytest

from hv.errors import UsageError
from hv.fuzz.text import parse
from hv.labs import cut, patience, spec
from hv.labs.attack import attack
from hv.labs.chaff import Suite
from hv.labs.chaff_cores import GOOD, cores, probed
from hv.labs.difference import difference
from hv.labs.readers import read_attack, read_checks
from hv.labs.run import grade
from hv.labs.seen import SHARED, Step
from hv.labs.trial import Stage
from hv.zoo import Edit, record

LAB = spec.find(10)
PV = "world vms=1 memory=3 harts=0 first=1 others=1 sync=3"
GIVE = parse(f"hvp 1\n{PV}\nrun\nvm0.0 kernel balloon_give gfn=live:0 count=1")
CREATE = parse(record("M16").trigger)


@pytest.fixture(scope="module")
def built() -> dict[str, Path]:
    return cores(LAB)


def program(*lines: str) -> str:
    return "\n".join(["hvp 1", PV, "run", *lines])


# ---- attacks -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("bug", "line", "stage"),
    [
        ("M02", "vm0.0 kernel nop", Stage.MISSED),
        ("M02", "vm0.0 kernel call_at call=10 gpa=edge:2 count=64",
         Stage.REACHED),
        ("M02", "vm0.0 kernel call_at call=10 gpa=edge:3 count=edge:23",
         Stage.DETECTED),
        ("M10", "vm0.0 kernel balloon_give gfn=live:0 count=1",
         Stage.DETECTED),
    ],
)  # fmt: skip
def test_how_far_an_attack_comes(
    built: dict[str, Path], bug: str, line: str, stage: Stage
) -> None:
    assert attack(built, bug, parse(program(line))).stage is stage


def test_an_attack_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "attack.hvp"
    path.write_text(program("vm0.0 kernel nonsense"))
    with pytest.raises(UsageError, match=r"attack\.hvp, line 4: no operation"):
        read_attack(path, 12)
    path.write_text(program(*["vm0.0 kernel nop"] * 3))
    with pytest.raises(UsageError, match="has 3 operations; 2 are enough"):
        read_attack(path, 2)


# ---- checks ------------------------------------------------------------------


def owners(step: Step) -> str | None:
    for vm in step.now.vms.values():
        for number in vm.p2m.values():
            if step.now.frames[number].owner not in (vm.id, SHARED):
                return f"frame {number:#x}"
    return None


def alarmed(step: Step) -> str | None:
    return f"{step.does} was done"


def raises(step: Step) -> str | None:
    raise KeyError(step.does)


def test_a_bug_is_detected_by_a_check_that_counts(
    built: dict[str, Path],
) -> None:
    trial = Suite({"owners": owners}, built, [CREATE]).trial(
        "M16", ["W01"], [0]
    )
    assert trial.stage is Stage.DETECTED
    assert trial.alarm is not None
    assert trial.alarm.check == "owners"
    assert trial.alarm.place.does == "create"


def test_a_false_alarm_is_named_and_does_not_count(
    built: dict[str, Path],
) -> None:
    suite = Suite({"alarmed": alarmed}, built, [CREATE])
    (alarm,) = suite.false_alarms(["W01"])
    assert (alarm.core, alarm.check) == (GOOD, "alarmed")
    trial = suite.trial("M16", ["W01"], [0])
    assert trial.stage is Stage.TRIGGERED
    assert [alarm.check for alarm in trial.unheard] == ["alarmed"]
    assert re.match(
        r"frames\.0x8\w+\.refs: 2; on the good core: 1$", trial.differs
    )


def test_a_check_that_raises_is_no_alarm(built: dict[str, Path]) -> None:
    suite = Suite({"raises": raises}, built, [CREATE], Path(__file__).name)
    trial = suite.trial("M16", [], [0])
    assert trial.stage is Stage.TRIGGERED
    (alarm,) = trial.unheard
    assert re.match(r"test_chaff\.py:\d+: KeyError: ", alarm.says)


def loops(step: Step) -> str | None:
    while step.does:
        pass
    return None


def test_a_check_that_loops_costs_itself_alone(
    built: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.2)
    suite = Suite({"loops": loops, "owners": owners}, built, [CREATE])
    (alarm,) = suite.false_alarms(["W01"])
    assert alarm.check == "loops"
    assert "Endless: it does not come to an end" in alarm.says
    assert suite.trial("M16", ["W01"], [0]).stage is Stage.DETECTED


def test_every_wheat_is_asked(built: dict[str, Path]) -> None:
    """Free frames come in another order there: who counts on it is told."""
    good = Suite({}, built, [GIVE])._good(0)
    first = good[0][1]
    assert first is not None
    pages = {vm.id: vm.p2m for vm in first.now.vms.values()}

    def same_frames(step: Step) -> str | None:
        now = {vm.id: vm.p2m for vm in step.now.vms.values()}
        return None if now == pages else "other frames"

    suite = Suite({"same": same_frames}, built, [GIVE])
    assert not suite.false_alarms([])
    assert [a.core for a in suite.false_alarms(["W03", "W01"])] == ["W01"]


def test_checks_that_are_no_python(tmp_path: Path) -> None:
    path = tmp_path / "checks.py"
    path.write_text("x = 1\ndef check_a(step:\n")
    with pytest.raises(UsageError, match=r"checks\.py:2: "):
        read_checks(path)
    path.write_text("x = 1\n\nprint(y)\n")
    with pytest.raises(UsageError, match=r"checks\.py:3: NameError"):
        read_checks(path)
    path.write_text("def check_a(s): ...\ncheck_b = 1\ndef other(): ...\n")
    assert list(read_checks(path)) == ["check_a"]


def test_what_differs_is_said_with_its_place() -> None:
    assert difference({1: (2, 3)}, {1: (2, 3)}) is None
    found = difference({1: (2, 0x80001)}, {1: (2, 0x80002)}, "p2m")
    assert str(found) == "p2m.1.1: 0x80002; on the good core: 0x80001"


# ---- cores -------------------------------------------------------------------

C = """\
static int one(int x)
{
    return x + 1;
}

#define LIMIT 3

int two(int x)
{
    return one(x) * 2;
}
"""


def test_a_function_with_an_edit_notes_that_it_ran() -> None:
    edits = [Edit("a.c", "x + 1", "x + 7"), Edit("a.c", "* 2", "* 9")]
    edited = {"a.c": C.replace("x + 1", "x + 7").replace("* 2", "* 9")}
    text = probed(edited, edits)["a.c"]
    assert text.startswith("unsigned hv_lab_reached;\n")
    assert "{\n    hv_lab_reached |= 1u << 0;\n    return x + 7;" in text
    assert "{\n    hv_lab_reached |= 1u << 1;\n    return one(x) * 9;" in text
    assert text.endswith("const unsigned hv_lab_probes = 2;\n")


def test_an_edit_outside_of_functions_notes_nothing() -> None:
    edit = Edit("a.c", "LIMIT 3", "LIMIT 9")
    edited = {"a.c": C.replace("LIMIT 3", "LIMIT 9")}
    assert probed(edited, [edit]) == edited


def test_the_second_time_nothing_is_built(built: dict[str, Path]) -> None:
    said: list[str] = []
    assert cores(LAB, said.append) == built
    assert not said


def test_a_lab_that_names_no_core_of_the_zoo(tmp_path: Path) -> None:
    place = tmp_path / LAB.path.name
    place.mkdir()
    for path in LAB.path.iterdir():
        if path.is_file():
            (place / path.name).write_bytes(path.read_bytes())
    toml = place / "lab.toml"
    toml.write_text(toml.read_text().replace('"W01", ', '"W99", '))
    with pytest.raises(UsageError, match="the zoo has no wheat 'W99'"):
        spec.read(place)


# ---- what a report tells -----------------------------------------------------


@pytest.mark.nightly
def test_a_hidden_bug_is_told_by_its_class_alone() -> None:
    files = cut.solution(LAB)
    files["checks.py"] = cut.skeleton(LAB)["checks.py"]
    done = grade(LAB, files)
    hidden = [r for r in done.results if r.award.test.startswith("hidden")]
    assert len(hidden) == 6
    for result in hidden:
        assert not result.good
        assert "a bug of the class" in result.message
        for bug in LAB.lab.cores.bugs if LAB.lab.cores else ():
            assert bug not in result.message
            assert record(bug).title not in result.message
