"""A student's Python file that is wrong: its tests are lost, with its line."""

from dataclasses import replace

import pytest

from hv.labs import cut
from hv.labs.run import grade
from hv.labs.sandbox import Limits
from hv.labs.spec import find

LAB = find(9)
FILE = "incremental.py"
LINE = "        changed = self.vm.fetch_log()\n"
QUICK = replace(Limits(), cpu=3, loops=1)


def graded(instead: str) -> tuple[str, int]:
    """Grade one test with this for a line; return its message and the line."""
    files = cut.solution(LAB)
    assert files[FILE].count(LINE) == 1
    number = files[FILE].partition(LINE)[0].count("\n") + 1
    files[FILE] = files[FILE].replace(LINE, instead)
    done = grade(LAB, files, only="rounds", limits=QUICK)
    assert not done.broken
    return done.results[0].message, number


def test_an_exception_is_said_with_file_and_line() -> None:
    message, number = graded("        changed = self.vm.fetched()\n")
    assert message.startswith("AttributeError: 'Fake' object has no attribute")
    assert f"at {FILE}:{number}: changed = self.vm.fetched()" in message


def test_what_is_no_python_is_said_with_file_and_line() -> None:
    message, number = graded("        changed = = 1\n")
    assert message.startswith("SyntaxError: invalid syntax")
    assert f"({FILE}, line {number})" in message


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("instead", "says"),
    [
        ("        while True: pass\n", "it did not come to an end"),
        ("        raise SystemExit\n", "SystemExit"),
    ],
)
def test_what_does_not_return(instead: str, says: str) -> None:
    assert says in graded(instead)[0]
