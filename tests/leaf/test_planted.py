"""Each planted bug of a leaf function is found, for the stated reason."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import Planted
from tests.leaf.leaflib import CHECKS, Leaf, library

RECORDS = Path(__file__).with_name("planted.toml")


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted.toml."""

    precedent: str
    property: str
    by: str
    shows: str


BUGS = Bug.read(RECORDS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_check_finds(bug: Bug) -> None:
    _, wrong = Leaf(library(bug.files())).check(bug.by)
    assert bug.shows in wrong.partition(": wanted")[0]


def test_every_check_has_a_bug() -> None:
    assert {bug.by for bug in BUGS} == set(CHECKS)
