"""What cannot be graded is told to the student, by the platform's file."""

import json
from pathlib import Path

import msgspec
import pytest

from hv.cli import main
from hv.labs import workspace
from hv.labs.batch import Batch
from hv.labs.spec import find
from hv.labs.workers import processes

from .schemas import Gradescope


def grade(place: Path, *more: str) -> int:
    return main(["lab", "grade", "1", "-C", str(place), *more])


def outside(place: Path) -> None:
    (place / "mmu.c").unlink()
    (place / "mmu.c").symlink_to("/etc/passwd")


def huge(place: Path) -> None:
    (place / "mmu.c").write_text(" " * (workspace.LARGEST + 1))


def of_another_lab(place: Path) -> None:
    workspace.start(find(0), place)


def no_note(place: Path) -> None:
    (place / workspace.NOTE).write_text("no JSON")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda place: (place / "mmu.c").unlink(), "mmu.c is missing"),
        (outside, "mmu.c is missing, or no ordinary file"),
        (huge, "mmu.c is larger than"),
        (of_another_lab, "is the folder of lab 0, not 1"),
        (no_note, workspace.NOTE),
    ],
)
def test_a_platform_has_its_file_and_the_reason_is_in_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: object,
    says: str,
) -> None:
    place, out = tmp_path / "submission", tmp_path / "results.json"
    workspace.start(find(1), place)
    assert callable(spoil)
    spoil(place)
    assert grade(place, "--as", "gradescope", "-o", str(out)) == 0
    found = msgspec.json.decode(out.read_bytes(), type=Gradescope)
    assert says in found.output
    assert sum(test.score or 0 for test in found.tests or []) == 0
    assert len(found.tests or []) > 5
    assert grade(place) == 2  # a person at a terminal made a mistake
    assert says in capsys.readouterr().err


def test_it_is_no_grade_of_another_lab(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    (tmp_path / "empty").mkdir()
    assert grade(tmp_path / "empty", "--as", "json", "-o", str(out)) == 0
    found = json.loads(out.read_text())
    assert (found["lab"], found["score"]) == (1, 0)
    nowhere = ["lab", "grade", "77", "-C", str(tmp_path), "-o", str(out)]
    out.unlink()
    assert main(nowhere) == 2
    assert not out.exists()


@pytest.mark.parametrize(
    ("missing", "says"),
    [("pytest", "grading needs pytest"), ("hv._native", "core is not built")],
)
def test_nobody_has_no_points_because_something_is_not_installed(
    missing: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "hv.labs.run.find_spec", lambda name: None if name == missing else name
    )
    workspace.start(find(1), tmp_path / "in/ada")
    whole = Batch(find(1), tmp_path / "in", tmp_path / "out")
    (row,) = whole.run(pool=processes(0))
    assert says in row.note
    assert not list((tmp_path / "out/grades").iterdir())
