"""Fixtures of the machine's tests; core.py says what they are."""

import os

from .core import core

__all__ = ["core"]

# Capstone loads its library with RTLD_DEEPBIND where there is such a thing,
# which the address sanitizer refuses.
preloaded = os.environ.get("LD_PRELOAD", "")
if "libasan" in preloaded and hasattr(os, "RTLD_DEEPBIND"):
    del os.RTLD_DEEPBIND
