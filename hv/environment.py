"""What programs that we start are to see of our environment."""

import os


def plain() -> dict[str, str]:
    """Return ours, without what is preloaded to check our own memory.

    The sanitizers' library makes a compiler ten times slower, and others hang.
    """
    return {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
