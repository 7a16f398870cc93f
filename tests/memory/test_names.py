"""What is known of a page by one of its names goes when it must, no sooner."""

from collections.abc import Callable

import pytest

from tests.equivalence.core import Core, good_core
from tests.memory import names


@pytest.mark.parametrize("check", names.CHECKS, ids=lambda c: c.__name__)
def test_names(check: Callable[[Core], None]) -> None:
    check(good_core())
