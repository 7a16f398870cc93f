"""Which hints were taken is noted, shown to instructors, and costs nothing."""

import csv
import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from hv.cli import main
from hv.labs import batch, cut, workspace
from hv.labs.exports import export
from hv.labs.exports.classroom50 import ABOUT
from hv.labs.exports.ours import plain
from hv.labs.points import Award
from hv.labs.run import Grade, Result
from hv.labs.spec import Folder, find
from hv.labs.workers import processes

from .schemas import Classroom50, Gradescope, PrairieLearn

TAKEN = ("walk 1", "walk 3")


def graded(**good: bool) -> Grade:
    return Grade(
        1,
        "The MMU",
        tuple(
            Result(Award(test, test.title(), 10), good=it)
            for test, it in good.items()
        ),
    )


@pytest.fixture
def lab(tmp_path: Path) -> tuple[Folder, Path]:
    folder, place = find(1), tmp_path / "lab1"
    workspace.start(folder, place)
    return folder, place


def hint(place: Path, *args: str) -> int:
    return main(["lab", "hint", *args, "-C", str(place)])


def test_a_hint_is_noted_once_and_in_order(lab: tuple[Folder, Path]) -> None:
    folder, place = lab
    assert workspace.hints_taken(folder, place) == ()
    assert hint(place) == 0  # the list of parts is no hint
    assert hint(place, "nothing") == 2
    for step in ("3", "1", "3"):
        assert hint(place, "walk", "--step", step) == 0
    assert workspace.hints_taken(folder, place) == ("walk 3", "walk 1")


def test_a_new_beginning_forgets_no_hint(lab: tuple[Folder, Path]) -> None:
    folder, place = lab
    hint(place, "walk")
    workspace.start(folder, place, force=True)
    assert workspace.hints_taken(folder, place) == ("walk 1",)


def test_what_a_note_invents_is_not_believed(lab: tuple[Folder, Path]) -> None:
    folder, place = lab
    known = workspace.note(place)
    odd = ("walk 9", "<b>", "walk 1", "walk 1", "fence 2\n" * 1000)
    note = msgspec.structs.replace(known, hints=odd)
    (place / workspace.NOTE).write_bytes(msgspec.json.encode(note))
    assert workspace.hints_taken(folder, place) == ("walk 1",)
    (place / workspace.NOTE).write_text("{}")
    assert workspace.hints_taken(folder, place) == ()


def test_instructors_see_them_and_no_point_is_lost() -> None:
    grade = graded(a=True, b=False)
    plain = json.loads(export(grade, "json", {}, TAKEN))
    assert plain["hints"] == list(TAKEN)
    assert plain["score"] == grade.score
    text = export(grade, "gradescope", {}, TAKEN)
    found = msgspec.json.decode(text, type=Gradescope)
    *tests, last = found.tests or []
    assert (last.visibility, last.max_score) == ("hidden", 0)
    assert last.output == "walk 1\nwalk 3"
    assert sum(test.score or 0 for test in tests) == grade.score
    document = ET.fromstring(export(grade, "junit", {}, TAKEN))  # noqa: S314
    found_property = document.find("testsuite/properties/property")
    assert found_property is not None
    assert found_property.attrib == {"name": "hints", "value": "walk 1, walk 3"}


def test_platforms_that_show_students_everything_are_not_told() -> None:
    grade = graded(a=True)
    about = dict.fromkeys(ABOUT, "x") | {"submission": "submit/1"}
    text = export(grade, "prairielearn", {}, TAKEN)
    msgspec.json.decode(text, type=PrairieLearn)
    assert "walk" not in text
    text = export(grade, "classroom50", about, TAKEN)
    msgspec.json.decode(text, type=Classroom50)
    assert "walk" not in text


@pytest.mark.parametrize("form", ["gradescope", "junit"])
def test_without_hints_nothing_is_said_of_them(form: str) -> None:
    assert "hints" not in export(graded(a=True), form, {})


def noted(folder: Folder, *hints: str, lab: int = 1) -> str:
    note = workspace.Note(lab, folder.lab.name, "ada", hints)
    return msgspec.json.encode(note).decode()


def handed_in(folder: Folder, place: Path) -> dict[str, tuple[str, ...]]:
    """Write a class of submissions; return which hints each has noted."""
    files = cut.skeleton(folder)
    good = noted(folder, "walk 1", "fence 2")
    notes = {
        "ada": good,
        "bob": noted(folder, "walk 9", "<b>", "walk 1", "walk 1"),
        "cem": noted(folder, "walk 1", lab=2),
        "dan": "no JSON",
        "eve": good + " " * workspace.LARGEST,
    }
    (place / "fay").mkdir(parents=True)  # a folder, and no note
    for name, text in files.items():
        (place / "fay" / name).write_text(text)
    for student, text in notes.items():
        with_note = files | {workspace.NOTE: text}
        workspace.pack(with_note, place / f"{student}.tar")
    with zipfile.ZipFile(place / "gus.zip", "w") as archive:
        for name, text in (files | {workspace.NOTE: good}).items():
            archive.writestr(f"lab1/{name}", text)
        archive.writestr(f"copy/{workspace.NOTE}", good)  # which one?
    return {
        "ada": ("walk 1", "fence 2"),
        "bob": ("walk 1",),
        **dict.fromkeys(("cem", "dan", "eve", "fay", "gus"), ()),
    }


def test_the_summary_of_a_class_shows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = find(1)
    right = handed_in(folder, tmp_path / "in")
    asked: list[object] = []

    def fake(*order: object) -> dict[str, object]:
        asked.append(order)
        return plain(graded(a=True, b=False))

    monkeypatch.setattr(batch, "one", fake)
    whole = batch.Batch(folder, tmp_path / "in", tmp_path / "out")
    rows = whole.run(pool=processes(0))
    assert {row.student: row.hints for row in rows} == right
    assert {row.score for row in rows} == {10}
    with (tmp_path / "out/summary.csv").open() as file:
        cells = {row["student"]: row["hints"] for row in csv.DictReader(file)}
    assert cells == {who: ", ".join(hints) for who, hints in right.items()}
    page = (tmp_path / "out/summary.html").read_text()
    assert "<tr><td>ada<td>10/20<td>b<td>walk 1, fence 2<td>" in page
    assert "<li>walk 1: 2 of 7\n<li>fence 2: 1 of 7\n" in page
    grade = json.loads((tmp_path / "out/grades/ada.json").read_text())["grade"]
    assert grade["hints"] == ["walk 1", "fence 2"]

    assert whole.run(pool=processes(0)) == rows
    assert len(asked) == len(right)  # once each: they are known now
    text = noted(folder, "walk 1")
    (tmp_path / "in/fay" / workspace.NOTE).write_text(text)
    again = {row.student: row.hints for row in whole.run(pool=processes(0))}
    assert again == right | {"fay": ("walk 1",)}
