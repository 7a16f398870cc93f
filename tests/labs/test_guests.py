"""Labs about guests: what is built of a student's files, and how that fails."""

from pathlib import Path

import pytest

from hv.errors import UsageError
from hv.labs import cut, spec
from hv.labs.build import image
from hv.labs.run import grade

from .test_cut import copied

KERNEL = spec.find(6)


def test_a_kernel_of_hv_is_built_with_a_students_files() -> None:
    files = cut.solution(KERNEL)
    name = 'const char priv_name[] = "pv";'
    assert name in files["priv_pv.c"]
    files["priv_pv.c"] = files["priv_pv.c"].replace(
        name, 'const char priv_name[] = "mine";'
    )
    built = image(KERNEL, files)
    assert built is not None
    assert b"mine\0" in built.read_bytes()
    assert image(KERNEL, files) == built


@pytest.mark.parametrize(
    ("file", "before", "line"),
    [("priv_pv.c", "int x = ;\n", 1), ("priv_pv.S", "\n    addd x0\n", 2)],
)
def test_what_does_not_compile_is_said_with_file_and_line(
    file: str, before: str, line: int
) -> None:
    files = cut.solution(KERNEL)
    files[file] = before + files[file]
    done = grade(KERNEL, files)
    assert done.score == 0
    assert f"{file}:{line}: " in done.broken


def test_what_is_missing_is_said() -> None:
    files = cut.solution(KERNEL)
    files["priv_pv.c"] = files["priv_pv.c"].replace(
        "void priv_timer_set(", "void priv_timer_put("
    )
    done = grade(KERNEL, files)
    assert done.score == 0
    assert "priv_timer" in done.broken


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("", "either a script, or instead of which image"),
        ('instead = "kernel-pv"\nscript = "labs/00-tour/tour.ld"', "either"),
        ('instead = "kernel-vp"', "no image 'kernel-vp' in images.toml"),
    ],
)
def test_what_is_wrong_in_a_lab_is_said(
    new: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says):
        spec.read(copied(KERNEL, tmp_path, 'instead = "kernel-pv"', new))
