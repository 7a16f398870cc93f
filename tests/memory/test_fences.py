"""Fences forget what changed, all of it and no more, wherever that is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.equivalence.core import Checked, Core, good_core
from tests.memory import fences

RECORDS = Path(__file__).with_name("planted_fences.toml")
CHECKS: dict[str, Callable[[Core], None]] = {
    check.__name__: check for check in fences.CHECKS
}


@pytest.mark.parametrize("name", CHECKS)
def test_fences(name: str) -> None:
    CHECKS[name](good_core())


@pytest.mark.parametrize("bug", Checked.read(RECORDS), ids=lambda bug: bug.name)
def test_a_check_finds(bug: Checked) -> None:
    with pytest.raises(AssertionError, match=bug.shows):
        CHECKS[bug.by](bug.core())
