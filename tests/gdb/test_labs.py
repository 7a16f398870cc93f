"""A lab's guest under GDB: `make gdb` in a student's folder."""

from pathlib import Path

import pytest

from hv.cli import main
from hv.labs import debug
from hv.labs.spec import find
from hv.labs.workspace import start

STYLES = {0: "bare", 1: "bare", 3: "", 4: "", 6: "", 9: ""}


@pytest.mark.parametrize(("number", "style"), STYLES.items())
def test_a_lab_is_debugged_where_it_is_about(number: int, style: str) -> None:
    words = debug.command(find(number), None, ["--engine", "ref"])
    assert words[-1] == debug.KERNEL
    assert words[-3:-1] == ["--engine", "ref"]
    assert ("--style" in words) == bool(style)
    assert not style or words[words.index("--style") + 1] == style


def test_a_students_guest_is_what_is_debugged(tmp_path: Path) -> None:
    image = tmp_path / "image.elf"
    assert debug.command(find(6), image, [])[-1] == str(image)


def test_the_makefile_knows_the_word(tmp_path: Path) -> None:
    start(find(1), tmp_path / "lab1")
    text = (tmp_path / "lab1" / "Makefile").read_text()
    assert "\ngdb:\n\t$(HV) lab gdb\n" in text


def test_a_student_without_gdb_is_told_how_to_get_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(find(1), tmp_path / "lab1")
    monkeypatch.setenv("PATH", "")
    assert main(["lab", "gdb", "-C", str(tmp_path / "lab1")]) == 1
    assert "apt install gdb-multiarch" in capsys.readouterr().err
