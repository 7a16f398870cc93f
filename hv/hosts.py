"""Saved hosts: a machine with all its VMs, in one image or one file.

What the bytes mean is C's affair (``csrc/api/host_image.h``); how they become a
file is that of :mod:`hv.snapshots`. Only what VMs are called is Python's: it is
in the image as a note, which C keeps and does not read.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from hv import core, snapshots
from hv.core import check, ffi, lib
from hv.errors import ImageError
from hv.facts import Engine
from hv.host import Host, HostConfig
from hv.snapshots import Snapshot, Source, read_whole

_VMS = 1024  # more than there can be


class _Note(msgspec.Struct):
    """What Python knows of a host's VMs, by their number."""

    names: dict[int, str]


@dataclass(frozen=True, slots=True)
class SavedVm:
    """A VM in a saved host.

    :param snapshot: what there is in it. Its ``contents`` and ``size`` are
        those of the whole host, whose pages are kept once for all VMs.
    """

    number: int
    name: str
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class HostSnapshot:
    """What there is in a saved host. Sizes are in bytes.

    :param config: the arguments of :class:`hv.Hypervisor`, as attributes.
    :param contents: different pages, of all its VMs together.
    :param cycles: that the first hart's clock shows.
    """

    config: HostConfig
    vms: tuple[SavedVm, ...]
    contents: int
    cycles: int
    size: int


def is_host(path: str) -> bool:
    """Say whether a file begins as a saved host does."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head[:8] == b"\x89hvsave\n" and head[12:16] == b"\2\0\0\0"


def read_host(source: Source) -> HostSnapshot:
    """Return what there is in a saved host.

    Every number is checked by itself; whether all of them go together, a
    :meth:`hv.Hypervisor.restore` finds out.

    :raises ImageError: if no host was saved there.

    >>> import hv
    >>> with hv.Hypervisor(ram="8MiB", policy="fair") as hypervisor:
    ...     vm = hypervisor.create(mem="1MiB", name="first")
    ...     saved = hv.read_host(hypervisor.to_bytes())
    >>> saved.config.policy, [vm.name for vm in saved.vms]
    (<Policy.FAIR: 'fair'>, ['first'])
    """
    what = "a saved host" if isinstance(source, bytes) else f"{source}"
    return _read(read_whole(source), what)


def _read(data: bytes, what: str) -> HostSnapshot:
    out = ffi.new("struct hv_host_image_info *")
    vms = ffi.new("struct hv_host_image_vm[]", _VMS)
    why = ffi.new("char[]", core.WHY_SIZE)
    held = ffi.from_buffer(data)
    status = lib.hv_host_image_info(
        held, len(data), out, vms, _VMS, why, core.WHY_SIZE
    )
    check(status, what, core.text(why))
    there = {vms[i].id: vms[i].vm for i in range(out.vms)}
    names = _names(data[out.note_at : out.note_at + out.note_size], what)
    if names.keys() != there.keys():
        raise ImageError(f"{what}: its names are those of other VMs")
    return HostSnapshot(
        config=HostConfig.from_c(out.config),
        vms=tuple(
            SavedVm(number, name, snapshots.facts(there[number], len(data)))
            for number, name in names.items()
        ),
        contents=out.contents * lib.PAGE_SIZE,
        cycles=out.cycles,
        size=len(data),
    )


def _names(note: bytes, what: str) -> dict[int, str]:
    """Return what VMs are called, in the order of their creation."""
    try:
        names = msgspec.json.decode(note, type=_Note).names
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ImageError(f"{what}: its VMs have no names: {error}") from None
    if len(set(names.values())) < len(names):
        raise ImageError(f"{what}: two of its VMs have one name")
    return names


def saved_host(host: Host, names: dict[int, str]) -> bytes:
    """Return the image of a host whose VMs have these names.

    :raises UsageError: if one of them is of style ``direct``.
    :raises HvError: see :func:`hv.core.check`.
    """
    note = msgspec.json.encode(_Note(names))
    return snapshots.image_of(
        host, "saving the host", lib.hv_host_save, note, len(note)
    )


def restored_host(
    source: Source, engine: Engine
) -> tuple[Host, dict[int, str]]:
    """Make a host of what was saved; return it, and what its VMs are called.

    :raises ImageError: if no host was saved there.
    :raises NoMemory: if this computer has no room for it.
    """
    data = read_whole(source)
    what = "restoring a host" if isinstance(source, bytes) else f"{source}"
    saved = _read(data, what)
    out = ffi.new("hv_host **")
    why = ffi.new("char[]", core.WHY_SIZE)
    number = core.to_c("HV_ENGINE_", engine)
    held = ffi.from_buffer(data)
    status = lib.hv_host_restore(
        held, len(data), number, out, why, core.WHY_SIZE
    )
    check(status, what, core.text(why))
    return Host.over(out[0]), {vm.number: vm.name for vm in saved.vms}
