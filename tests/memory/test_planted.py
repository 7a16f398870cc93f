"""The model finds bugs in what is done with guests' memory, as they are."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.equivalence.core import Planted
from tests.memory.model import Memories

RECORDS = Path(__file__).with_name("planted.toml")


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted.toml."""

    precedent: str
    property: str
    shows: str


BUGS = Bug.read(RECORDS)
# A bug found is a bug found: sanitizers have little to add.
if os.environ.get("HV_SANITIZED"):
    BUGS = BUGS[:2]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_model_finds(bug: Bug) -> None:
    class Bugged(Memories):
        core = bug.core()

    with pytest.raises(AssertionError) as found:
        run_state_machine_as_test(
            Bugged,
            settings=settings(
                max_examples=400,
                stateful_step_count=30,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
            ),
        )
    assert any(shows in str(found.value) for shows in bug.shows.split(" | "))
