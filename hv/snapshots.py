"""Saved VMs and hosts: bytes from C, and files that are whole or not there.

What the bytes mean is C's affair (``csrc/api/image.h``). A file is written
beside its place and then moved there in one step, so whatever interrupts that,
a reader finds the old file or the new one.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hv import core
from hv.core import CData, check, ffi, from_c, lib
from hv.errors import HvError, ImageError
from hv.facts import Profile, State, Style, Sync
from hv.host import Host

PIECE = 64 << 10
_LARGEST = 4 << 30

Place = str | os.PathLike[str]
Source = Place | bytes


class Disk:
    """The steps of writing a file, each of which can fail."""

    def write(self, fd: int, data: bytes) -> int:
        """Write some of the data; return how much."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Return when what was written would survive a power cut."""
        os.fsync(fd)

    def replace(self, new: str, old: Path) -> None:
        """Give the new file the name of the old one, in one step."""
        Path(new).replace(old)


def write_whole(path: Place, data: bytes, disk: Disk | None = None) -> None:
    """Write a file so that nobody ever sees a part of it.

    :raises HvError: if it cannot be written; an old file is then untouched.
    """
    disk = disk or Disk()
    place = Path(path)
    try:
        fd, temporary = tempfile.mkstemp(
            prefix=f".{place.name}.", suffix=".part", dir=place.parent
        )
    except OSError as error:
        raise HvError(f"{place}: {error.strerror}") from None
    try:
        _fill(fd, data, disk)
        disk.replace(temporary, place)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise HvError(f"{place}: {error.strerror}") from None
        raise
    _settle(place.parent, disk)


def _fill(fd: int, data: bytes, disk: Disk) -> None:
    try:
        left = memoryview(data)
        while left:
            left = left[disk.write(fd, bytes(left[:PIECE])) :]
        disk.sync(fd)
    finally:
        os.close(fd)


def _settle(folder: Path, disk: Disk) -> None:
    """Let the new name survive a power cut, too, where folders can."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        disk.sync(fd)
    except OSError as error:
        raise HvError(f"{folder}: {error.strerror}") from None
    finally:
        os.close(fd)


def read_whole(source: Source) -> bytes:
    """Return what was saved: the bytes of a file, or these.

    :raises ImageError: if there is no such file, or none that can be read.
    """
    if isinstance(source, bytes):
        return source
    try:
        path = Path(source)
        if path.stat().st_size > _LARGEST:
            raise ImageError(f"{path}: too large for a saved VM or host")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{source}: {error.strerror}") from None


def image_of(
    host: Host, what: str, function: Callable[..., int], *args: object
) -> bytes:
    """Call C for an image, and return its bytes.

    :param what: what was being done.
    :raises HvError: see :func:`hv.core.check`.
    """
    out = ffi.new("hv_image **")
    host.explained(what, function, *args, out)
    image = ffi.gc(out[0], lib.hv_image_free)
    data = b"".join(_pieces(image))
    ffi.release(image)
    return data


def _pieces(image: CData) -> Iterator[bytes]:
    room = ffi.new("uint8_t[]", PIECE)
    at = 0
    while count := lib.hv_image_read(image, at, room, PIECE):
        yield bytes(ffi.buffer(room, count))
        at += count


def restored_vm(host: Host, source: Source) -> int:
    """Make a VM of what was saved; return its number.

    :raises ImageError: if no VM was saved there.
    :raises HvError: see :func:`hv.core.check`.
    """
    data = read_whole(source)
    number = ffi.new("uint32_t *")
    host.explained(
        "restoring a VM" if isinstance(source, bytes) else f"{source}",
        lib.hv_vm_restore,
        *(ffi.from_buffer(data), len(data), number),
    )
    return int(number[0])


def forked_vm(host: Host, number: int, name: str) -> int:
    """Make a VM that shares the memory of another; return its number.

    :raises HvError: see :func:`hv.core.check`.
    """
    child = ffi.new("uint32_t *")
    host.explained(f"forking {name}", lib.hv_vm_fork, number, child)
    return int(child[0])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is in a saved VM. Sizes are in bytes.

    :param version: of the format.
    :param populated: memory that it has touched, of which ``zero`` is all
        zero; what else there is is written once for each of ``contents``
        pages, whoever is equal.
    :param ballooned: memory that it gave back.
    :param ticks: of ``time`` that it is old.
    :param unread: what it printed and nobody took.
    """

    version: int
    style: Style
    sync: Sync
    state: State
    profile: Profile
    ad_fault: bool
    vcpus: int
    insns: int
    ticks: int
    mem: int
    populated: int
    zero: int
    contents: int
    ballooned: int
    shadow_frames: int
    unread: int
    size: int


def read_snapshot(source: Source) -> Snapshot:
    """Return what there is in a saved VM.

    :raises ImageError: if no VM was saved there.

    >>> import hv
    >>> with hv.Hypervisor(ram="8MiB") as hypervisor:
    ...     vm = hypervisor.create(mem="1MiB", style="pv")
    ...     snapshot = hv.read_snapshot(vm.to_bytes())
    >>> snapshot.style, snapshot.mem, snapshot.populated
    (<Style.PV: 'pv'>, 1048576, 0)
    """
    data = read_whole(source)
    out = ffi.new("struct hv_image_info *")
    why = ffi.new("char[]", core.WHY_SIZE)
    status = lib.hv_image_info(
        ffi.from_buffer(data), len(data), out, why, core.WHY_SIZE
    )
    what = "a saved VM" if isinstance(source, bytes) else f"{source}"
    check(status, what, core.text(why))
    return facts(out, len(data))


def facts(out: CData, size: int) -> Snapshot:
    """Return what C says of a saved VM, in an image of so many bytes."""
    page = lib.PAGE_SIZE
    return Snapshot(
        version=out.version,
        style=from_c("HV_STYLE_", Style, out.style),
        sync=from_c("HV_SYNC_", Sync, out.sync),
        state=from_c("HV_VM_", State, out.state),
        profile=from_c("HV_PROFILE_", Profile, out.profile),
        ad_fault=bool(out.ad_fault),
        vcpus=out.vcpus,
        insns=out.insns,
        ticks=out.ticks,
        mem=out.mem_size,
        populated=out.frames * page,
        zero=out.frames_zero * page,
        contents=out.contents,
        ballooned=out.frames_gone * page,
        shadow_frames=out.shadow_frames,
        unread=out.out,
        size=size,
    )
