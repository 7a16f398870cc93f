"""Fences forget what changed, all of it and no more, wherever that is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import Core, Planted, good_core
from tests.memory import fences

RECORDS = Path(__file__).with_name("planted_fences.toml")
CHECKS: dict[str, Callable[[Core], None]] = {
    check.__name__: check for check in fences.CHECKS
}


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted_fences.toml."""

    precedent: str
    property: str
    by: str
    shows: str


@pytest.mark.parametrize("name", CHECKS)
def test_fences(name: str) -> None:
    CHECKS[name](good_core())


@pytest.mark.parametrize("bug", Bug.read(RECORDS), ids=lambda bug: bug.name)
def test_a_check_finds(bug: Bug) -> None:
    with pytest.raises(AssertionError, match=bug.shows):
        CHECKS[bug.by](bug.core())
