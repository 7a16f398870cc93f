"""Each check finds the bug that it is there for, for the stated reason."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import Core, build, planted
from tests.snapshot_files.checks import CHECKS

RECORDS = Path(__file__).with_name("planted.toml")


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One record of planted.toml."""

    name: str
    file: str
    text: str
    instead: str
    precedent: str
    property: str
    check: str
    shows: str

    def core(self) -> Core:
        """Build and load the core that has this bug."""
        files = planted(self.name, self.file, self.text, self.instead)
        return Core(build(files))


BUGS = [Bug(**record) for record in tomllib.loads(RECORDS.read_text())["bug"]]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_check_finds(bug: Bug) -> None:
    with pytest.raises(AssertionError) as found:
        CHECKS[bug.check](bug.core())
    assert any(shows in str(found.value) for shows in bug.shows.split(" | "))
