"""Whatever is done with its memory, a guest sees what it wrote there."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.equivalence.core import good_core
from tests.memory.model import Memories


def test_guests_see_what_the_model_says() -> None:
    Memories.core = good_core()
    run_state_machine_as_test(
        Memories, settings=settings(stateful_step_count=30)
    )
