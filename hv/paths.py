"""Files by name: whether there is one, and how to write one whole.

Some names that a person types no file can have: one that is too long is an
error of the operating system, and not just a file that is not there.
"""

import os
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


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it, or what was there.

    A power cut may lose it; :func:`hv.snapshots.write_whole` waits for the
    disk.

    :raises OSError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)
