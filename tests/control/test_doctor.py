"""hv doctor says what is missing, what for, and how to get it."""

import shutil
from importlib import util

import pytest

from hv import doctor
from hv.cli import main
from hv.doctor import Check

NEEDED = ("Python", "C core", "guest images")


def rows(*missing: str) -> list[Check]:
    """Return a row for each thing, some of which are not there."""
    return [
        Check(what, good=what not in missing, found="", needed=what in NEEDED)
        for what in (*NEEDED, *doctor.LABS, "dtc")
    ]


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ((), "hv works, and so do the labs."),
        (("dtc",), "hv works, and so do the labs."),
        (("grader",), "hv works. For the labs get: grader."),
        (("C core", "grader"), "hv does not work yet: C core."),
    ],
)
def test_the_last_line_is_the_verdict(
    missing: tuple[str, ...], says: str
) -> None:
    assert doctor.verdict(rows(*missing)) == says


def test_whatever_is_missing_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(util, "find_spec", lambda _: None)
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    checks = doctor.examine()
    bad = [check for check in checks if not check.good]
    assert {"guest compiler", "grader", "the book's tools", "make"} <= {
        check.what for check in bad
    }
    assert [check.what for check in bad if not check.remedy] == []
    assert main(["doctor"]) == (1 if any(c.needed for c in bad) else 0)
    out = capsys.readouterr().out
    for check in bad:
        assert check.remedy in out
    assert out.splitlines()[-1].startswith("hv works. For the labs get: ")


def test_the_verdict_speaks_of_rows_that_there_are() -> None:
    assert {*NEEDED, *doctor.LABS} <= {c.what for c in doctor.examine()}
