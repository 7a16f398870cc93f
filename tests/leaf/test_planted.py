"""Each planted bug of a leaf function is found, for the stated reason."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import planted
from tests.leaf.leaflib import CHECKS, Leaf, library

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
    by: str
    shows: str


BUGS = [Bug(**b) for b in tomllib.loads(RECORDS.read_text())["bug"]]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_check_finds(bug: Bug) -> None:
    files = planted(bug.name, bug.file, bug.text, bug.instead)
    _, wrong = Leaf(library(files)).check(bug.by)
    assert bug.shows in wrong.partition(": wanted")[0]


def test_every_check_has_a_bug() -> None:
    assert {bug.by for bug in BUGS} == set(CHECKS)
