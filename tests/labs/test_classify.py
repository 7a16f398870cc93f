"""Lab 2, classify.py: what mistakes and tricks are worth."""

import pytest

from hv.labs import cut, spec
from hv.labs.run import Grade, grade

LAB = spec.find(2)


def graded(*, more: str = "", **instead: str) -> Grade:
    """Grade the solution with some text at its end, and some exchanged."""
    files = cut.solution(LAB)
    text = files["classify.py"] + more
    for old, new in instead.items():
        assert f"computer.{old}(" in text
        text = text.replace(f"computer.{old}(", f"{new}.{old}(")
    return grade(LAB, files | {"classify.py": text})


def lost(done: Grade) -> set[str]:
    return {result.award.test for result in done.results if not result.good}


def test_a_table_of_the_known_machines_is_half_of_it() -> None:
    """All answers are right, for whoever has read about `clean` and `leaky`."""
    known = "Computer(computer.profile)"
    done = graded(run=known, held=known)
    assert done.score == 50
    assert lost(done) == {
        *("privileged_always", "behaviour_leaks", "user", "verdict_any"),
    }


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("x = = 1\n", "classify.py:{}: SyntaxError: invalid syntax"),
        ("x = 1 // 0\n", "classify.py:{}: ZeroDivisionError: "),
        ("raise SystemExit(0)\n", "classify.py:{}: SystemExit: 0"),
        ("import os; os._exit(0)\n", "it called exit(), with status 0"),
    ],
)
def test_what_goes_wrong_is_said_with_its_line(more: str, says: str) -> None:
    line = cut.solution(LAB)["classify.py"].count("\n") + 1
    done = graded(more=more)
    assert {"reads", "privileged", "verdict"} <= lost(done)
    message = next(r.message for r in done.results if not r.good)
    assert says.format(line) in message


def test_what_is_no_answer_is_said() -> None:
    done = graded(more="def control(*_: object) -> int:\n    return 7\n")
    assert {"control", "user"} <= lost(done)
    told = [result.message for result in done.results]
    assert any(
        "control() must give a tuple of states, not 7" in m for m in told
    )
