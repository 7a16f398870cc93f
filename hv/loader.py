"""Put an image, its device tree and its RAM disk into a guest's memory.

::

    RAM base    free, or the firmware of a machine whose M-mode is code
    +4 MiB      the kernel, where it was linked
    ...
                the RAM disk         } as high as they fit,
                fw_dynamic_info      } each at a page of its own
    RAM end     the device tree      }

The checks are the toolstack's: a file is a stranger's, and an
:class:`hv.errors.ImageError` is all that it can cause.
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from hv.core import lib
from hv.devicetree import board
from hv.elf import Program, Segment, is_elf, read_elf, read_symbols
from hv.errors import ImageError, UsageError
from hv.facts import U32, integer
from hv.memory import Memory
from hv.units import format_size

MAX_FILE = 256 << 20
_FLAT_SUFFIXES = {".bin", ".img"}

# OpenSBI's fw_dynamic_info: how a firmware learns what to start.
_INFO_MAGIC, _INFO_VERSION, _INFO_MODE_S = 0x4942534F, 2, 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is: physical addresses, for :meth:`Guest.boot`.

    :param entry: where the first instruction is: of the firmware if there is
        one, else of the kernel.
    :param info: the fw_dynamic_info for the firmware, else 0.
    """

    entry: int
    dtb: int
    info: int
    initrd: tuple[int, int] | None
    symbols: dict[str, int] = field(default_factory=dict, repr=False)


def read_file(path: str | os.PathLike[str], what: str = "image") -> bytes:
    """Return a file's bytes.

    :raises ImageError: if it is missing, no file, unreadable, empty or huge.
    """
    try:
        name = os.fsdecode(path)
        size = Path(name).stat().st_size
        if Path(name).is_dir():
            raise ImageError(f"{name}: a directory, not an {what}")
        if size > MAX_FILE:
            raise ImageError(
                f"{name}: {size} bytes; an {what} has at most "
                f"{format_size(MAX_FILE)}"
            )
        data = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{path!s}: cannot read the {what}: {why}") from None
    if not data:
        raise ImageError(f"{name}: the {what} is empty")
    return data


def read_program(
    path: str | os.PathLike[str],
    *,
    flat: bool | None = None,
    base: int | None = None,
) -> tuple[Program, dict[str, int]]:
    """Read an image: ELF, or flat if it is named so or ``flat`` says so.

    :param flat: True and False decide; None goes by the file.
    :param base: where a flat image goes, and its entry; default KERNEL_BASE.
    :raises ImageError: saying what is wrong with the file.
    """
    data = read_file(path)
    name = Path(path).name
    by_name = Path(path).suffix in _FLAT_SUFFIXES and not is_elf(data)
    if by_name if flat is None else flat:
        at = integer("base", lib.KERNEL_BASE if base is None else base, 0, U32)
        if at % 4:
            raise UsageError(f"base must be a multiple of 4, not {at:#x}")
        return Program(name, (Segment(at, data, len(data)),), at), {}
    if base is not None:
        raise UsageError(f"{name}: ELF, so it says itself where it goes")
    return read_elf(name, data), read_symbols(data)


def place(
    memory: Memory,
    programs: Sequence[Program],
    *,
    append: str = "",
    initrd: bytes | None = None,
    harts: int = 1,
    pv: bool = False,
    devices: bool = True,
) -> Layout:
    """Write programs, device tree and RAM disk into a guest's memory.

    :param programs: the kernel; or a firmware and the kernel it is to start.
    :param append: the kernel's command line.
    :raises ImageError: if something does not fit; then nothing was written.
    """
    try:
        args = append.encode()
    except UnicodeEncodeError:
        raise UsageError("the command line is not text") from None
    if b"\0" in args:
        raise UsageError("the command line has a NUL in it")

    def tree(disk: tuple[int, int] | None) -> bytes:
        return board(
            ram_size=memory.size,
            harts=harts,
            bootargs=append,
            initrd=disk,
            pv=pv,
            devices=devices,
        )

    # The tree names the RAM disk, which lies below the tree: its size counts,
    # and that does not depend on the addresses.
    size = len(tree((0, 0) if initrd else None))
    dtb = _below(memory.end, size)
    info = _below(dtb, 24) if len(programs) > 1 else 0
    disk = None
    if initrd:
        start = _below(info or dtb, len(initrd))
        disk = (start, start + len(initrd))

    pieces = [
        (program.name, segment)
        for program in programs
        for segment in program.segments
    ]
    if disk and initrd:
        pieces.append(("the initrd", Segment(disk[0], initrd, len(initrd))))
    if info:
        words = (_INFO_MAGIC, _INFO_VERSION, programs[-1].entry, _INFO_MODE_S)
        data = struct.pack("<6I", *words, 0, 0)
        pieces.append(("fw_dynamic_info", Segment(info, data, len(data))))
    blob = tree(disk)
    pieces.append(("the device tree", Segment(dtb, blob, len(blob))))
    _check_fit(memory, pieces)

    for _, segment in pieces:
        memory.write(segment.base, segment.data)
        memory.zero(
            segment.base + len(segment.data), segment.size - len(segment.data)
        )
    return Layout(programs[0].entry, dtb, info, disk)


def _below(end: int, size: int) -> int:
    """Return the highest page-aligned address with ``size`` bytes below end."""
    return (end - size) & ~(lib.PAGE_SIZE - 1)


def _check_fit(memory: Memory, pieces: list[tuple[str, Segment]]) -> None:
    for name, segment in pieces:
        if segment.base < memory.base or segment.end > memory.end:
            raise ImageError(
                f"{name}: [{segment.base:#x}, {segment.end:#x}) is outside "
                f"RAM [{memory.base:#x}, {memory.end:#x}); "
                f"the guest has {format_size(memory.size)}"
            )
    by_base = sorted(pieces, key=lambda piece: piece[1].base)
    for (low_name, low), (name, high) in pairwise(by_base):
        if low.end > high.base:
            raise ImageError(
                f"{name} at {high.base:#x} overlaps {low_name} "
                f"[{low.base:#x}, {low.end:#x}) "
                f"in a guest with {format_size(memory.size)}"
            )
