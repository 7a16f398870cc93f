"""Sizes as people write them, ``"16MiB"`` or ``4096``; and what a tick is."""

import re

from hv.errors import UsageError

TICKS = 10_000_000  # of `time` in a second of machine time: the timebase

_SHIFT = {"": 0, "K": 10, "M": 20, "G": 30}
_SIZE = re.compile(r"\s*(\d{1,19})\s*(?:([KMG])(?:i?B)?|B)?\s*", re.IGNORECASE)


def parse_size(size: int | str) -> int:
    """Return a size in bytes. Units are powers of two, as in QEMU.

    :param size: bytes, or digits with a unit: B, K, KB, KiB, M ... GiB.
    :raises UsageError: if it is not a size.

    >>> parse_size("16MiB"), parse_size("64M"), parse_size(4096)
    (16777216, 67108864, 4096)
    """
    if isinstance(size, int) and not isinstance(size, bool):
        if size < 0:
            raise UsageError(f"a size cannot be negative: {size}")
        return size
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    # isdecimal() admits digits of any script, as int() does; ASCII is meant.
    if not found or not found[1].isascii():
        raise UsageError(f"not a size: {size!r} (write 16MiB, 64M or 4096)")
    return int(found[1]) << _SHIFT[(found[2] or "").upper()]


def format_size(size: int) -> str:
    """Return a size in the largest unit that divides it.

    >>> format_size(16 << 20), format_size(4096), format_size(1000)
    ('16MiB', '4KiB', '1000B')
    """
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return f"{size}B"
