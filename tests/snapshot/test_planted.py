"""The checks of marks find mistakes in what is kept and put back."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import Core, Planted
from tests.snapshot import test_marks as marks
from tests.snapshot.world import Shape

RECORDS = Path(__file__).with_name("planted.toml")
SEEDS = 40


def shapes() -> Iterator[Shape]:
    """Yield worlds of both engines, all sizes, bare and with VMs."""
    for seed in range(SEEDS):
        yield Shape(seed, bare=seed % 3 == 0, harts=1 + seed % 2)


def each_shape(check: Callable[[Core, Shape], None]) -> Callable[[Core], None]:
    """Return the check of them all."""

    def checked(core: Core) -> None:
        for shape in shapes():
            check(core, shape)

    return checked


CHECKS: dict[str, Callable[[Core], None]] = {
    "back_and_on": each_shape(marks.back_and_on),
    "many_marks": each_shape(lambda core, it: marks.many_marks(core, it.seed)),
    "what_was_written": each_shape(marks.what_was_written),
    "large_consoles": lambda core: marks.large_consoles(core, Shape()),
    "between_lr_and_sc": marks.between_lr_and_sc,
    "stores_all_the_time": marks.stores_all_the_time,
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
    with pytest.raises(AssertionError):
        CHECKS[bug.check](bug.core())
