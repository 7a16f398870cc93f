"""The command ``hv``."""

from hv.cli.app import main

__all__ = ["main"]
