"""Each check of hosts finds the bug that it is there for."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import Planted
from tests.snapshot_files.host_checks import CHECKS

RECORDS = Path(__file__).with_name("planted_hosts.toml")


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted_hosts.toml."""

    precedent: str
    property: str
    check: str
    shows: str
    quick: bool = False


BUGS = [
    pytest.param(bug, marks=[] if bug.quick else [pytest.mark.nightly])
    for bug in Bug.read(RECORDS)
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_check_finds(bug: Bug) -> None:
    with pytest.raises(AssertionError) as found:
        CHECKS[bug.check](bug.core())
    assert any(shows in str(found.value) for shows in bug.shows.split(" | "))
