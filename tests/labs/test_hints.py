"""Which hints were taken is noted, shown to instructors, and costs nothing."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from hv.cli import main
from hv.labs import workspace
from hv.labs.exports import export
from hv.labs.exports.classroom50 import ABOUT
from hv.labs.points import Award
from hv.labs.run import Grade, Result
from hv.labs.spec import Folder, find

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
