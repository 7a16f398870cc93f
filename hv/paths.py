"""Whether there is such a file, for names that a person has typed.

Some names no file can have: one that is too long is an error of the operating
system, and not just a file that is not there.
"""

from pathlib import Path


def exists(path: Path) -> bool:
    """Say whether there is such a file or folder.

    >>> exists(Path("x" * 10_000))
    False
    """
    try:
        return path.exists()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Say whether there is such a file, and it is no folder."""
    try:
        return path.is_file()
    except OSError:
        return False
