"""Whatever VMs ask for, the core does what the specification says."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.equivalence.core import good_core
from tests.spec.lives import Lives


def live(examples: int, steps: int) -> None:
    Lives.core = good_core()
    run_state_machine_as_test(
        Lives,
        settings=settings(max_examples=examples, stateful_step_count=steps),
    )


def test_lives_are_as_specified() -> None:
    live(60, 25)


@pytest.mark.nightly
def test_many_lives_are_as_specified() -> None:
    live(5_000, 60)
