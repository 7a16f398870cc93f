"""Saving and restoring hosts, on the core as it is."""

import pytest

from tests.equivalence.core import good_core
from tests.snapshot_files.host_checks import CHECKS


@pytest.mark.parametrize("name", CHECKS)
def test_of_the_good_core(name: str) -> None:
    CHECKS[name](good_core())
