"""A grade in the formats of teaching platforms: what they are said to take."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from hv.cli import main
from hv.errors import UsageError
from hv.labs import cut, workspace
from hv.labs.exports import FORMATS, export
from hv.labs.exports.classroom50 import ABOUT
from hv.labs.exports.gradescope import pack
from hv.labs.points import Award
from hv.labs.run import Grade, Result, hidden_seed
from hv.labs.spec import find

from .schemas import Classroom50, Gradescope, PrairieLearn

ODD = 'expected <1> & "2"\n\x1b[31m\x00 got \ud800'.replace("\ud800", "\u2603")
MIXED = Grade(
    1,
    "The MMU & the TLB",
    (
        Result(Award("a", "walk: <a>", 10), good=True),
        Result(Award("b", "TLB: b", 30), good=False, message=ODD, replay="hv"),
    ),
)
BROKEN = Grade(
    1,
    "The MMU",
    (Result(Award("a", "walk", 10), good=False),),
    "mmu.c:3: expected ';'",
)
FACTS = dict.fromkeys(ABOUT, "x") | {"submission": "submit/1"}
both = pytest.mark.parametrize(
    "grade", [MIXED, BROKEN], ids=["mixed", "broken"]
)


@both
def test_gradescope(grade: Grade) -> None:
    text = export(grade, "gradescope", {})
    found = msgspec.json.decode(text, type=Gradescope)
    assert found.tests is not None
    assert sum(test.score or 0 for test in found.tests) == grade.score
    assert sum(test.max_score or 0 for test in found.tests) == grade.full
    assert found.output == grade.broken
    assert found.stdout_visibility == "hidden"


@both
def test_prairielearn(grade: Grade) -> None:
    text = export(grade, "prairielearn", {})
    found = msgspec.json.decode(text, type=PrairieLearn)
    assert found.score == grade.score / grade.full
    assert found.gradable == (not grade.broken)
    assert len(text) < 1 << 20


@both
def test_classroom50(grade: Grade) -> None:
    text = export(grade, "classroom50", FACTS)
    found = msgspec.json.decode(text, type=Classroom50)
    assert (found.score, found.max_score) == (grade.score, grade.full)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({}, "classroom: missing"),
        (FACTS | {"grade": "A"}, "grade: unknown"),
        (FACTS | {"submission": "v1"}, "a tag that begins with submit/"),
    ],
)
def test_what_classroom50_has_to_be_told(
    facts: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        export(MIXED, "classroom50", facts)


@both
def test_junit(grade: Grade) -> None:
    root = ET.fromstring(export(grade, "junit", {}))  # noqa: S314 -- our own
    cases = root.findall("testsuite/testcase")
    assert len(cases) == len(grade.results) == int(root.attrib["tests"])
    failed = [c for c in cases if c.find("failure") is not None]
    assert len(failed) == int(root.attrib["failures"])
    assert [c.attrib["name"] for c in failed] == [
        r.award.title for r in grade.results if not r.good
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_is_the_same_every_time(form: str) -> None:
    later = Grade(1, MIXED.title, MIXED.results, seconds=99)
    assert export(MIXED, form, FACTS) == export(later, form, FACTS)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_gradescope_zip_runs_in_an_empty_folder(tmp_path: Path) -> None:
    folder = find(1)
    pack(1, tmp_path / "one.zip", [], key="secret")
    root = tmp_path / "autograder"
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        archive.extractall(root / "source")
        modes = {i.filename: i.external_attr >> 16 for i in archive.infolist()}
    assert modes["run_autograder"] & 0o111
    (root / "submission").mkdir()
    wrong = cut.wrong_solution(folder, folder.lab.wrong[0])
    for name, text in wrong.items():
        (root / "submission" / name).write_text(text)
    users = [{"email": name, "id": 1, "name": "x"} for name in ("zoe", "ada")]
    metadata = msgspec.json.encode({"id": 7, "users": users})
    (root / "submission_metadata.json").write_bytes(metadata)
    environment = {
        "AUTOGRADER": str(root),
        "HV": f"{sys.executable} -m hv",
        "PATH": os.environ["PATH"],
    }
    subprocess.run(
        ["sh", str(root / "source/run_autograder")],
        env=environment,
        check=True,
        timeout=200,
    )
    found = msgspec.json.decode(
        (root / "results/results.json").read_bytes(), type=Gradescope
    )
    lost = [t for t in found.tests or [] if t.status == "failed"]
    assert lost[0].name == "rights: U, S, SUM, MXR"
    assert f"--seed {hidden_seed('secret', 'ada', 1)}" in lost[0].output
    assert not (root / "source/course.key").exists()


def test_what_is_compiled_once_can_be_compiled_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", "prepare", "1"]) == 0
    assert capsys.readouterr().out == "lab 1: hv's core\n"
    pack(1, tmp_path / "one.zip", [])
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        setup = archive.read("setup.sh").decode()
    assert setup.splitlines()[-1] == '"$root/hv/bin/hv" lab prepare 1'


def test_the_zip_is_the_same_every_time(tmp_path: Path) -> None:
    wheel = tmp_path / "x-1-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    for name in ("a.zip", "b.zip"):
        pack(1, tmp_path / name, [wheel])
    assert (tmp_path / "a.zip").read_bytes() == (
        tmp_path / "b.zip"
    ).read_bytes()
    with pytest.raises(UsageError, match="is no wheel"):
        pack(1, tmp_path / "c.zip", [tmp_path / "none.whl"])


def test_the_commands_of_a_student(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lab", "start", "1"]) == 0
    assert main(["lab", "start", "1"]) == 2
    assert "may be your work" in capsys.readouterr().err
    monkeypatch.chdir("lab1")
    assert main(["lab", "hint"]) == 0
    assert "hv lab hint rights" in capsys.readouterr().out
    assert main(["lab", "hint", "walk", "--step", "3"]) == 0
    assert "for (level = 1" in capsys.readouterr().out
    assert main(["lab", "hint", "nothing"]) == 2
    assert main(["lab", "replay", "1", "walk_page"]) == 1
    out = capsys.readouterr().out
    assert "Score: 0/10" in out
    assert "what the tables say" in out
    assert main(["lab", "replay", "1", "walk_pages"]) == 2
    assert "there are bare, walk_page" in capsys.readouterr().err
    assert main(["lab", "grade", "2"]) == 2
    assert "is the folder of lab 1, not 2" in capsys.readouterr().err
    workspace_files = workspace.submission(find(1), Path())
    assert workspace_files == cut.skeleton(find(1))
    assert main(["lab", "submit", "-o", "out.tar"]) == 0
    assert "5/100" in capsys.readouterr().out
    assert main(["lab", "watch", "--once"]) == 0
    assert "next: walk: a page of 4 KiB" in capsys.readouterr().out
