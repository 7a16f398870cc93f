"""What the hypervisor has made of a machine: frames, shadow tables, registers.

C's answers as records of :mod:`hv.facts`. Nothing here changes anything: the
host's hash is the same before and after. :class:`hv.Hypervisor` and
:class:`hv.VM` have these as methods.
"""

from collections.abc import Iterator

from hv.core import CData, check, ffi, from_c, lib, to_c
from hv.facts import (
    U32,
    Frame,
    FrameType,
    Made,
    NamedBy,
    Priv,
    Real,
    Role,
    Shadow,
    ShadowKind,
    integer,
)
from hv.host import Host

_AT_ONCE = 4096  # frames of one call
_TYPES = {to_c("HV_FRAME_", kind): kind for kind in FrameType}


def _or_none(number: int) -> int | None:
    return None if number == lib.HV_NONE else number


def _frame(number: int, out: CData) -> Frame:
    return Frame(
        number=number,
        owner=out.owner,
        type=_TYPES[out.type],
        refs=out.refs,
        gfn=_or_none(out.gfn),
        uses=out.uses,
        serves=out.serves,
        traced=out.traced,
        entries=out.entries,
        foreign=out.foreign,
    )


def frame(host: Host, number: int) -> Frame:
    """Return one row of the frame table.

    :raises UsageError: if the machine has no such frame.
    """
    integer("a frame number", number, 0, U32)
    out = ffi.new("struct hv_frame *")
    host.checked(f"frame {number:#x}", lib.hv_frame_info, number, out)
    return _frame(number, out)


def frames(host: Host) -> Iterator[Frame]:
    """Iterate over the frame table, one row per frame of the machine.

    A frame's number is its machine address without the low 12 bits.
    """
    first = lib.RAM_BASE // lib.PAGE_SIZE
    end = first + host.info.frames
    out = ffi.new("struct hv_frame[]", _AT_ONCE)
    for at in range(first, end, _AT_ONCE):
        count = min(_AT_ONCE, end - at)
        host.checked("the frame table", lib.hv_frames, at, count, out)
        for i in range(count):
            yield _frame(at + i, out[i])


def named_by(host: Host, number: int) -> list[NamedBy]:
    """Return every shadow entry that names a frame: its reverse map.

    :raises UsageError: if the machine has no such frame.
    """
    room = frame(host, number).entries
    out = ffi.new("struct hv_entry[]", room + 1)
    count = ffi.new("uint32_t *")
    host.checked(
        f"frame {number:#x}", lib.hv_frame_entries, number, out, room, count
    )
    return [
        NamedBy(out[i].vm, out[i].shadow, out[i].index, out[i].pte)
        for i in range(min(room, count[0]))
    ]


def read(host: Host, address: int, size: int) -> bytes:
    """Return bytes of machine memory, by machine address.

    :raises AddressError: if one of them is not RAM.
    """
    integer("an address", address, 0, U32)
    integer("a size", size, 0, U32)
    buffer = ffi.new("uint8_t[]", size)
    what = f"reading {size} bytes of the machine at {address:#x}"
    host.checked(what, lib.hv_machine_read, address, buffer, size)
    return bytes(ffi.buffer(buffer, size))


def _made(out: CData) -> Made:
    return Made(
        kind=from_c("HV_SHADOW_", ShadowKind, out.kind),
        role=from_c("HV_ROLE_", Role, out.role),
        rights=out.rights,
        gfn=out.gfn,
    )


def shadows(host: Host, vm: int) -> list[Shadow]:
    """Return the shadow tables of a VM that are in use, in its pool's order.

    :raises ClosedError: if there is no such VM.
    """
    found: list[Shadow] = []
    out = ffi.new("struct hv_shadow *")
    number = 0
    while True:
        status = host.call(lib.hv_shadow, vm, number, out)
        if status == lib.HV_ERR_INVALID and number:
            return found
        check(status, f"the shadows of VM {vm}")
        if out.live:
            found.append(
                Shadow(
                    number=number,
                    made=_made(out),
                    hfn=out.hfn,
                    holds=out.holds,
                    links=out.links,
                    traced=bool(out.traced),
                    entries=out.entries,
                    asid=_or_none(out.asid),
                )
            )
        number += 1


def real(host: Host, vm: int, vcpu: int) -> Real:
    """Return what a vCPU really runs with.

    :raises UsageError: if there is no such vCPU.
    """
    out = ffi.new("struct hv_real *")
    host.checked(f"vCPU {vcpu} of VM {vm}", lib.hv_real, vm, vcpu, out)
    return Real(
        running=bool(out.running),
        priv=from_c("PRIV_", Priv, out.mode),
        satp=out.satp,
        root=_or_none(out.root),
        shadow=_or_none(out.shadow),
        wants=_made(out),
    )
