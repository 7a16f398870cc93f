"""The lockstep finds bugs of emulation, and shows them for what they are."""

import os

import pytest

from tests.equivalence.chaff import Bug, bugs
from tests.equivalence.lockstep import Lockstep

PROGRAMS = 4000
# A bug found is a bug found: sanitizers have little to add.
BUGS = bugs()[:2] if os.environ.get("HV_SANITIZED") else bugs()


def shown(what: str, shows: tuple[str, ...]) -> bool:
    """Say whether a divergence is one of those named; x is any register."""
    register = what.startswith("x") and what[1:].isdigit()
    return what in shows or (register and "x" in shows)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_lockstep_finds(bug: Bug) -> None:
    lockstep = Lockstep(
        bug.core(),
        style=bug.style,
        sync=bug.sync,
        flags=bug.flags,
        **bug.config,
    )
    found = lockstep.run(bug.first, PROGRAMS)
    assert found, f"{PROGRAMS} programs did not find it"
    assert shown(found.what, bug.shows), str(found)


def test_the_report_of_a_bug_is_small() -> None:
    """Most of a program has nothing to do with the bug it finds."""
    bug = next(bug for bug in bugs() if bug.name == "store-fault-cause")
    lockstep = Lockstep(bug.core())
    found = lockstep.run(0, PROGRAMS)
    assert found
    report = lockstep.report(found)
    program = report.partition("made smaller:")[2].splitlines()
    assert "scause is 0000000f bare and 0000000d in the VM" in report
    assert len(program) < 30, report
