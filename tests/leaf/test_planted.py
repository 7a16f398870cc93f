"""Each planted bug of a leaf function is found, for the stated reason."""

from pathlib import Path

import pytest

from tests.equivalence.core import Checked
from tests.leaf.leaflib import CHECKS, Leaf, library

RECORDS = Path(__file__).with_name("planted.toml")


BUGS = Checked.read(RECORDS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_check_finds(bug: Checked) -> None:
    _, wrong = Leaf(library(bug.files())).check(bug.by)
    assert bug.shows in wrong.partition(": wanted")[0]


def test_every_check_has_a_bug() -> None:
    assert {bug.by for bug in BUGS} == set(CHECKS)
