"""The checks of harts and of their interleaving find mistakes in both."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import Core, Planted
from tests.harts import test_harts, test_interleave

RECORDS = Path(__file__).with_name("planted.toml")
CHECKS: dict[str, Callable[[Core], None]] = test_harts.CHECKS | {
    check.__name__: check for check in test_interleave.CHECKS
}


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted.toml."""

    reason: str
    check: str


BUGS = Bug.read(RECORDS)
# A bug found is a bug found: sanitizers have little to add.
if os.environ.get("HV_SANITIZED"):
    BUGS = BUGS[:2]


def test_each_has_a_name_and_a_reason() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert all(bug.reason for bug in BUGS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_check_finds(bug: Bug) -> None:
    core = bug.core()
    with pytest.raises(AssertionError):
        CHECKS[bug.check](core)
