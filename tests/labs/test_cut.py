"""Cutting: the same every time, nothing of the solution left."""

import re
import stat
from pathlib import Path

import msgspec
import pytest

from hv import sources
from hv.errors import UsageError
from hv.labs import cut, spec, workspace
from hv.labs.check import static
from hv.labs.points import plan

ALL = spec.labs()
each = pytest.mark.parametrize("folder", ALL, ids=lambda f: f.path.name)


@each
def test_a_lab_holds_its_promises_on_paper(folder: spec.Folder) -> None:
    assert not list(static(folder))
    assert sum(award.points for award in plan(folder.tests)) == 100


def test_an_installation_has_all_that_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no checkout around it, but some folders: see setup.py."""
    for name in ("csrc", "guestkernel", "labs"):
        (tmp_path / name).symlink_to(sources.tree() / name)
    for module in (sources, spec):
        monkeypatch.setattr(module, "tree", lambda: tmp_path)
    assert [f.lab for f in spec.labs()] == [f.lab for f in ALL]
    for folder in spec.labs():
        assert workspace.contents(folder)


@each
def test_cutting_is_deterministic(folder: spec.Folder) -> None:
    assert workspace.contents(folder) == workspace.contents(folder)


@each
def test_the_task_stands_where_the_solution_stood(folder: spec.Folder) -> None:
    for source in folder.lab.file:
        text = cut.skeleton(folder)[source.name]
        for region in source.region:
            assert f"TO DO ({region.part})" in cut.content(text, region.marker)


@each
def test_a_task_is_no_wider_than_code_is(folder: spec.Folder) -> None:
    for source in folder.lab.file:
        text = cut.skeleton(folder)[source.name]
        for region in source.region:
            lines = cut.content(text, region.marker).splitlines()
            assert max(map(len, lines)) <= cut.COLUMNS


def test_a_task_of_two_paragraphs() -> None:
    source = spec.Source("x.c", "x.c", (region(task="one\n\ntwo " * 2),))
    text = "/* marker: m */\n/* marker: end */\n"
    assert "/*\n * TO DO (p): one\n *\n * two one\n *\n * two\n */\n" in (
        cut.cut(source, text)
    )


def test_a_line_of_the_solution_that_is_left_is_found() -> None:
    folder = spec.find(1)
    files = cut.skeleton(folder)
    assert not cut.leaks(folder, files)
    files["mmu.c"] += "// ppn |= (va >> PAGE_SHIFT) % PT_ENTRIES;\n"
    assert not cut.leaks(folder, files)  # as long as it is another line
    files["mmu.c"] += "    ppn |= (va >> PAGE_SHIFT) % PT_ENTRIES;\n"
    assert cut.leaks(folder, files) == [
        ("mmu.c", "ppn |= (va >> PAGE_SHIFT) % PT_ENTRIES;")
    ]


def region(**changes: str) -> spec.Region:
    facts = {"marker": "m", "part": "p", "task": "do it", "stub": "pass"}
    return spec.Region(**(facts | changes))


PYTHON = "a = 1\n# marker: m\nb = 2\n# marker: end\nc = 3\n"


def test_a_region_of_a_script() -> None:
    source = spec.Source("x.py", "x.py", (region(),))
    assert cut.cut(source, PYTHON) == (
        "a = 1\n# marker: m\n# TO DO (p): do it\npass\n# marker: end\nc = 3\n"
    )


def test_a_region_of_a_function() -> None:
    text = "def f():\n    # marker: m\n    return 1\n    # marker: end\n"
    source = spec.Source("x.py", "x.py", (region(stub="\n    return 0\n"),))
    assert cut.cut(source, text) == (
        "def f():\n    # marker: m\n    # TO DO (p): do it\n    return 0\n"
        "    # marker: end\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1\n", "it is there 0 times"),
        (PYTHON + PYTHON, "it is there 2 times"),
        ("# marker: m\nb = 2\n", "has no `marker: end`"),
    ],
)
def test_a_marker_that_is_not_right(text: str, says: str) -> None:
    source = spec.Source("x.py", "x.py", (region(),))
    with pytest.raises(UsageError, match=says):
        cut.cut(source, text)


def copied(folder: spec.Folder, to: Path, old: str, new: str) -> Path:
    place = to / folder.path.name
    place.mkdir()
    for path in folder.path.iterdir():
        if path.is_file():
            (place / path.name).write_bytes(path.read_bytes())
    toml = place / "lab.toml"
    assert old in toml.read_text()
    toml.write_text(toml.read_text().replace(old, new, 1))
    return place


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("number = 1", "number = 2", "its folder must be named 02-mmu"),
        ('part = "rights"', 'part = "wrongs"', "no part 'wrongs'; there are"),
        ('name = "mmu.c"', 'name = "tlb.c"', "no file 'mmu.c'"),
        ("minutes = 240", 'minutes = "240"', r"\$.minutes"),
        ("minutes = 240", "minute = 240", "unknown field `minute`"),
        ("csrc/abi/pte.h", "csrc/abi/pet.h", "there is no csrc/abi/pet.h"),
    ],
)
def test_what_is_wrong_in_a_lab_is_said(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says):
        spec.read(copied(spec.find(1), tmp_path, old, new))


def test_a_test_without_a_part_and_a_part_without_a_test(
    tmp_path: Path,
) -> None:
    old, new = 'tests = ["rights"]', 'tests = ["left"]'
    left, right = static(spec.read(copied(spec.find(1), tmp_path, old, new)))
    assert left == "test rights belongs to no part: who fails it gets no hint"
    assert right == "a part names the test left, which is not there"


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    folder = spec.find(1)
    place = tmp_path / "lab1"
    workspace.start(folder, place, student="ada")
    assert workspace.opened(place) == (
        folder,
        workspace.Note(1, "mmu", "ada"),
    )
    (place / "mmu.c").write_text("mine")
    with pytest.raises(UsageError, match="may be your work"):
        workspace.start(folder, place)
    assert (place / "mmu.c").read_text() == "mine"
    workspace.start(folder, place, force=True)
    assert workspace.submission(folder, place) == cut.skeleton(folder)


def test_given_files_are_for_reading(tmp_path: Path) -> None:
    workspace.start(spec.find(1), tmp_path)
    for path in (tmp_path / "given").iterdir():
        assert not path.stat().st_mode & stat.S_IWUSR


def test_given_files_of_one_name_are_both_given() -> None:
    names = workspace.contents(spec.find(6))
    assert {"given/abi/pv.h", "given/kernel/pv.h", "given/priv.h"} <= set(names)


def test_only_ordinary_files_are_submitted(tmp_path: Path) -> None:
    folder = spec.find(1)
    workspace.start(folder, tmp_path)
    (tmp_path / "tlb.c").unlink()
    (tmp_path / "tlb.c").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match=r"tlb\.c is missing, or no ordinary"):
        workspace.submission(folder, tmp_path)


def test_beside_labs_one_is_told_of_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`hv lab start 1` makes one"):
        workspace.note(tmp_path)
    for number in (1, 0):
        workspace.start(spec.find(number), tmp_path / f"lab{number}")
    says = rf"but has lab0, lab1: `cd {re.escape(str(tmp_path))}/lab0` first"
    with pytest.raises(UsageError, match=says):
        workspace.note(tmp_path)


def test_a_note_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no lab's folder"):
        workspace.note(tmp_path)
    (tmp_path / workspace.NOTE).write_bytes(msgspec.json.encode({"lab": "x"}))
    with pytest.raises(UsageError, match="int"):
        workspace.note(tmp_path)


def test_an_archive_is_the_same_every_time(tmp_path: Path) -> None:
    files = {"b.c": "2\n", "a.c": "1\n"}
    for name in ("one", "two"):
        workspace.pack(files, tmp_path / name)
        files = dict(reversed(files.items()))
    one, two = ((tmp_path / n).read_bytes() for n in ("one", "two"))
    assert one == two
