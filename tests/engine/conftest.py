"""Fixtures: the engines, built once per session."""

import pytest

from .core import Engines, Workshop


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Engines:
    """Both engines as they are."""
    return Engines(Workshop(tmp_path_factory.mktemp("engines")).build())
