"""The random programs find what went wrong in real hypervisors."""

import os
from pathlib import Path
from random import Random

import pytest

from tests.direct.logged import Logged
from tests.direct.programs import Program
from tests.direct.world import Differ, World
from tests.equivalence.chaff import Bug, bugs
from tests.equivalence.core import Core

PROGRAMS, STEPS = 150, 60
HERE = Path(__file__).parent
ALL = [
    *((bug, Program) for bug in bugs(HERE / "planted.toml")),
    *((bug, Logged) for bug in bugs(HERE / "planted_log.toml")),
]
# A bug found is a bug found: sanitizers have little to add.
BUGS = ALL[:2] if os.environ.get("HV_SANITIZED") else ALL


def found(core: Core, first: int, kind: type[Program]) -> Differ | None:
    """Run programs until one shows a difference."""
    for seed in range(first, first + PROGRAMS):
        program = None
        try:
            program = kind(World(core), Random(seed))
            program.run(STEPS)
        except Differ as differ:
            differ.add_note(f"program {seed}: {program and program.log[-3:]}")
            return differ
    return None


@pytest.mark.parametrize(
    ("bug", "kind"), [pytest.param(*pair, id=pair[0].name) for pair in BUGS]
)
def test_random_programs_find(bug: Bug, kind: type[Program]) -> None:
    differ = found(bug.core(), bug.first, kind)
    assert differ, f"{PROGRAMS} programs did not find it"
    assert differ.what in bug.shows, f"{differ}, {differ.__notes__}"
