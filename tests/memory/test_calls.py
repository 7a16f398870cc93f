"""The checks of calls.py, on the core as it is."""

from collections.abc import Callable

import pytest

from tests.equivalence.core import Core, good_core
from tests.memory.calls import CHECKS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_calls(check: Callable[[Core], None]) -> None:
    check(good_core())
