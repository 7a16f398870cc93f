"""Who watches sees how a grade comes about, and what to do next."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from hv.cli import main
from hv.labs import report, workspace
from hv.labs.points import Award, plan
from hv.labs.process import Ear, Event, Tell
from hv.labs.run import Grade, Result
from hv.labs.seal import sealed
from hv.labs.spec import find
from hv.labs.watch import Show, next_hint, watch

LAB = find(1)
AWARDS = plan(LAB.tests)
FULL = sum(award.points for award in AWARDS)
FILES = {"mmu.c": "", "tlb.c": ""}


def some(**good: bool) -> Grade:
    return Grade(
        1,
        "The MMU",
        tuple(
            Result(Award(test, test.title(), 10), good=it)
            for test, it in good.items()
        ),
    )


def graded(*good: str) -> Grade:
    """Return a grade of lab 1 in which these tests are passed."""
    results = tuple(
        Result(award, good=True)
        if award.test in good
        else Result(award, good=False, message="wrong\n  so", replay="again")
        for award in AWARDS
    )
    return Grade(1, LAB.lab.title, results)


def shown(
    *grades: Grade,
    console: Console | None = None,
    taken: tuple[str, ...] = (),
    where: str = "",
) -> str:
    """Return what is seen of grades, one after each save of mmu.c."""
    left = iter(grades)

    def grade(_: Mapping[str, str], tell: Tell) -> Grade:
        done = next(left)
        if not done.broken:
            tell(Event(""))
            for result in done.results:
                tell(Event(result.award.test))
                tell(Event(result.award.test, result.good))
        return done

    console = console or Console(file=StringIO(), width=80)
    looks: list[Mapping[str, str]] = []
    for number in range(len(grades)):
        saved = FILES | {"mmu.c": str(number)}
        looks += [saved, saved, {}]  # nothing new; an editor's moment
    watch(looks, grade, Show(LAB, console, lambda: taken, where))
    assert next(left, None) is None
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_each_test_is_a_line_where_there_is_no_terminal() -> None:
    lines = shown(graded("bare", "walk_page")).splitlines()
    assert lines[:5] == [
        "grading mmu.c, tlb.c",
        "  5/100 OK   bare: nothing is translated",
        " 15/100 OK   walk: a page of 4 KiB",
        " 15/100 FAIL walk: a megapage",
        " 15/100 FAIL rights: U, S, SUM, MXR",
    ]
    assert lines[1 + len(AWARDS) :] == [
        f"[####{'-' * 26}] 15/100",
        "next: walk: a megapage",
        "    wrong",
        "      so",
        "again: again",
        "hint:  hv lab hint walk",
    ]


def test_a_bar_names_the_test_that_runs_and_the_points_so_far() -> None:
    screen = Console(file=StringIO(), width=100, force_terminal=True)
    text = shown(graded("bare", "walk_page"), console=screen)
    assert "0/100 starting the tests" in text
    assert "5/100 walk: a page of 4 KiB" in text
    assert "15/100 walk: a megapage" in text
    assert f"15/100 {AWARDS[-1].title}" in text
    assert "FAIL" not in text
    assert "next: walk: a megapage" in text


def test_a_save_is_compared_with_the_grade_before() -> None:
    every = [award.test for award in AWARDS]
    text = shown(graded("bare"), graded("bare", "fence"), graded(*every))
    assert text.count("grading mmu.c\n") == 2
    assert "15/100  +10; now good: fence" in text
    assert f"{FULL}/{FULL}  +{FULL - 15}; now good: " in text
    assert text.endswith("all points: `hv lab submit` packs your files\n")


def test_what_does_not_compile_loses_nothing_yet() -> None:
    broken = Grade(1, "", graded().results, "mmu.c:3: expected ';'")
    text = shown(graded("bare"), broken, graded("bare", "fence"))
    assert "grading mmu.c\nmmu.c:3: expected ';'\ngrading mmu.c\n" in text
    assert "no longer" not in text
    assert "+10; now good: fence" in text


def test_the_next_hint_is_one_that_was_not_taken() -> None:
    assert next_hint(LAB, "fence", ()) == "fence"
    assert next_hint(LAB, "fence", ("fence 1", "walk 2")) == "fence --step 2"
    assert next_hint(LAB, "fence", ("fence 1", "fence 3")) == "fence --step 2"
    every = tuple(f"fence {step}" for step in (1, 2, 3))
    assert next_hint(LAB, "fence", every) == ""
    assert next_hint(LAB, "no test", ()) == ""
    text = shown(graded("bare"), taken=("walk 1",), where=" -C lab1")
    assert text.endswith(
        "again: again -C lab1\nhint:  hv lab hint walk --step 2 -C lab1\n"
    )


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ({"a": False, "b": False}, {"a": True, "b": False}, "+10; now good: a"),
        (
            {"a": True, "b": False},
            {"a": False, "b": False},
            "-10; no longer: a",
        ),
        (
            {"a": True, "b": False},
            {"a": False, "b": True},
            "now good: b; no longer: a",
        ),
        ({"a": True, "b": False}, {"a": True, "b": False}, ""),
    ],
)
def test_who_watches_is_told_what_has_changed(
    before: dict[str, bool], after: dict[str, bool], says: str
) -> None:
    assert report.changed(some(**before), some(**after)).strip() == says


def test_the_files_of_a_folder_are_watched(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "lab1"
    workspace.start(LAB, place)
    every = graded(*[award.test for award in AWARDS])
    grades = iter([graded("bare"), every])
    monkeypatch.setattr("hv.labs.run.grade", lambda *_, **__: next(grades))
    naps = []

    def nap(_: float) -> None:
        naps.append(1)
        if len(naps) == 2:  # a look at which nothing had changed comes first
            (place / "mmu.c").unlink()
        if len(naps) == 3:
            (place / "mmu.c").write_text("/* saved */\n")
        if len(naps) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", nap)
    monkeypatch.chdir(tmp_path)
    assert main(["lab", "watch", "1"]) == 130  # it is beside lab1/
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "grading mmu.c, tlb.c"
    assert "hint:  hv lab hint walk -C lab1" in shown
    assert "grading mmu.c" in shown
    assert shown[-1] == "all points: `hv lab submit` packs your files"
    assert main(["lab", "watch", "2", "-C", "lab1"]) == 2
    assert "is the folder of lab 1, not 2" in capsys.readouterr().err


def test_only_the_graders_lines_are_told_in_whatever_pieces() -> None:
    key, told = b"k", list[Event]()
    ear = Ear(key, told.append)
    texts = [
        '{"event": "start", "test": "a"}',
        '{"event": "done", "test": "a", "good": false, "message": "no"}',
        '{"event": "start", "test": "b"}',
    ]
    lines = [f"{sealed(key, i, text)} {text}\n" for i, text in enumerate(texts)]
    forged = texts[1].replace("false", "true")
    lines.insert(1, f"0 {forged}\n{sealed(b'other', 1, forged)} {forged}\n")
    lines.append(lines[0])  # said before: its number is not the next
    for piece in "".join(lines):
        ear.hear(piece.encode())
    assert told == [Event("a"), Event("a", good=False), Event("b")]
    assert ear.run.done == {"a": (False, "no")}
    assert ear.run.running == "b"
