"""Fixtures: the engines, built once per session."""

import pytest

from .core import Engines, build


@pytest.fixture(scope="session")
def engines() -> Engines:
    """Both engines as they are."""
    return Engines(build())
