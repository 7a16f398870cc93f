"""Style ``direct`` does what hv.spec.direct says, whatever a guest tries."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.direct.programs import Program
from tests.direct.world import World
from tests.equivalence.core import good_core

STEPS = 40


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.integers(1, STEPS))
def test_random_programs(random: Random, steps: int) -> None:
    Program(World(good_core()), random).run(steps)
