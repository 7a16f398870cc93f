"""A student's first ten minutes, as the book has them, on an empty computer.

What is typed and what must be printed is read from the chapter itself.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.conftest import commands, matches
from tools.check_floors import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("install"),
    pytest.mark.timeout(1500),  # compilers run, and several at once
]

CHAPTER = ROOT / "docs/labs.md"
SECTION = "## The first ten minutes"
EXTRAS = "labs,guests"


def section() -> str:
    """Return the part of the chapter that is about the beginning."""
    _, begin, rest = CHAPTER.read_text().partition(f"{SECTION}\n")
    assert begin, f"{CHAPTER.name} has no {SECTION!r}"
    return rest.partition("\n## ")[0]


def blocks(language: str) -> list[str]:
    """Return the text of each block of a language."""
    found = re.findall(
        rf"^```{language}\n(.*?)^```$", section(), re.MULTILINE | re.DOTALL
    )
    assert found
    return found


@pytest.fixture(scope="module")
def computer(
    tmp_path_factory: pytest.TempPathFactory, wheel: Path
) -> dict[str, str]:
    """Install the wheel where nothing is; return the environment there."""
    place = tmp_path_factory.mktemp("empty")
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    tools = place / "venv/bin"
    subprocess.run(
        [
            *(tools / "python", "-m", "pip", "install", "--quiet"),
            f"{wheel}[{EXTRAS}]",
        ],
        check=True,
    )
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "HV_", "ZIG_"))
    }
    return kept | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(place),
        "XDG_CACHE_HOME": str(place / "cache"),
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def test_what_is_installed_is_what_the_chapter_says() -> None:
    (install,) = [b for b in blocks("sh") if "pip install" in b]
    assert f"pip install 'microhv[{EXTRAS}]'" in install


def test_the_commands_come_in_the_order_of_a_beginner() -> None:
    typed = [c for block in blocks("console") for c, _ in commands(block)]
    wanted = ["hv demo", "hv doctor", "hv lab start 0", "hv lab grade 0"]
    places = [
        next((i for i, c in enumerate(typed) if c.startswith(want)), -1)
        for want in wanted
    ]
    assert -1 not in places, typed
    assert places == sorted(places)


def test_the_first_point_is_made_on_an_empty_computer(
    tmp_path: Path, computer: dict[str, str]
) -> None:
    for block in blocks("console"):
        for command, expected in commands(block):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=computer,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"$ {command}\n{done.stdout}"
            assert matches(expected, done.stdout), (
                f"$ {command}\n{done.stdout}\nbut the chapter says\n{expected}"
            )
    assert "OK" in done.stdout
