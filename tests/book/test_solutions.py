"""Every exercise of every chapter has a solution, and no solution has none."""

import re
from pathlib import Path

import pytest

from tools.check_floors import ROOT

DOCS = ROOT / "docs"
CHAPTERS = [
    path
    for path in sorted(DOCS.glob("*.md"))
    if "\n## Exercises\n" in path.read_text()
]
each = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda p: p.stem)


@each
def test_each_exercise_has_a_solution(chapter: Path) -> None:
    _, _, exercises = chapter.read_text().partition("\n## Exercises\n")
    asked = re.findall(r"^(\d+)\. ", exercises, re.MULTILINE)
    solutions = (DOCS / "solutions" / chapter.name).read_text()
    solved = re.findall(r"^:::\{solution\} (\d+)$", solutions, re.MULTILINE)
    assert asked == solved == [str(i + 1) for i in range(len(asked))]


@each
def test_the_chapter_ends_with_its_solutions(chapter: Path) -> None:
    end = f"```{{include}} solutions/{chapter.name}\n```\n"
    assert chapter.read_text().endswith(end)


def test_there_are_no_others() -> None:
    files = {path.name for path in (DOCS / "solutions").iterdir()}
    assert files == {path.name for path in CHAPTERS}
