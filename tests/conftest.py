"""What holds for the tests of the code, but not for those of the book."""

import os
from pathlib import Path

import pytest

import hv


@pytest.fixture(scope="session", autouse=True)
def _the_core_is_the_one_that_was_asked_for() -> None:
    """`make sanitize` must not test the ordinary build by accident."""
    where = Path(hv.__file__).parts
    assert ("sanitize" in where) == bool(os.environ.get("HV_SANITIZED"))
