"""The tests find mistakes in the debugger's server, for the stated reason."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gdb.plant import VARIABLE, bugs

ROOT = Path(__file__).parents[2]
BUGS = bugs()


# Each is a process of its own; two of them are quick enough for every day.
EACH = [
    pytest.param(name, marks=[pytest.mark.slow] * (number >= 2))
    for number, name in enumerate(BUGS)
]


@pytest.mark.parametrize("name", EACH)
def test_the_test_finds(name: str) -> None:
    bug = BUGS[name]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", "0", "-x"),
            *("-p", "tests.gdb.plant", "-p", "no:cacheprovider"),
            f"tests/gdb/{bug['test']}",
        ],
        cwd=ROOT,
        env=os.environ | {VARIABLE: name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert bug["says"] in done.stdout
    assert bug["reason"]
