"""What breaks a rule of C, or an assertion, is told with the student's line."""

import re
from pathlib import Path

import pytest

from hv.errors import UsageError
from hv.labs import build
from hv.labs.crash import assertion
from hv.labs.run import grade
from hv.labs.sandbox import Limits

from .hostile import LAB, submission

QUICK = Limits(cpu=30, wall=200, deaths=1, loops=1)
gcc = pytest.mark.skipif(
    build.sanitizer() is None, reason="needs gcc and its libasan"
)


def line_of(files: dict[str, str], text: str) -> int:
    lines = files["mmu.c"].splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


@gcc
def test_what_does_not_crash_is_found_if_asked_for() -> None:
    code = "volatile uint32_t n = 32; volatile uint32_t x = 1u << n; (void)x;"
    files = submission(code)
    done = grade(LAB, files, limits=QUICK, sanitize=True, only="walk_page")
    (result,) = done.results
    assert not result.good
    said = f"shift exponent 32 is too large .*, at mmu.c:{line_of(files, code)}"
    assert re.search(said, result.message)
    assert grade(LAB, files, only="walk_page").score


@gcc
def test_what_breaks_no_rule_has_its_points_under_sanitizers() -> None:
    done = grade(LAB, submission(""), sanitize=True, only="walk_page")
    assert done.score == done.full


def test_no_sanitizer_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "sanitizer", lambda: None)
    with pytest.raises(UsageError, match="needs gcc"):
        grade(LAB, submission(""), sanitize=True)


def test_an_assertion_of_the_students_file(tmp_path: Path) -> None:
    (tmp_path / "shadow.c").write_text("a\n  HV_ASSERT(hal, held);\n")
    said = "running: shadow.c:2: held"
    assert assertion(said, tmp_path) == (
        "in your file, line 2: HV_ASSERT(hal, held);"
    )
    assert assertion(
        "running: hyp/frame.c:182: refs == 1", tmp_path
    ).startswith(
        "hyp/frame.c is hv's own: something before it did not keep a promise"
    )
    assert not assertion("running: no file at all", tmp_path)
    assert assertion("shadow.c:99: gone", tmp_path) == "in your file, line 99: "
