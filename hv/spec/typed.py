"""Style ``direct`` beside the rest: its typed tables in a VM's memory.

:mod:`hv.spec.direct` says what a table is and what may stand in it. It has
words of its own, so that it can be read alone. Here they are those of the VM.
"""

from collections.abc import Callable
from struct import Struct

from hv.abi import SbiError
from hv.spec.calls import as_answered, need
from hv.spec.direct import Answer, Tables
from hv.spec.hart import Computer, Hart, Trap
from hv.spec.mmu import Access, AccessFault, Mode, PageFault

PAGE_SIZE = 4096
WORDS = Struct("<1024I")


def typed(computer: Computer) -> Tables:
    """Return the tables of a VM, told what is in its memory now."""
    tables = computer.tables
    need(tables is not None, SbiError.NOT_SUPPORTED)
    assert tables is not None  # noqa: S101 - for the type
    tables.held = computer.memory.held
    tables.memory = {
        gfn: {4 * n: word for n, word in enumerate(WORDS.unpack(page)) if word}
        for gfn, page in computer.memory.contents.items()
    }
    return tables


def typed_call(computer: Computer, call: Callable[[Tables], Answer]) -> int:
    """Make one of the calls that hv.spec.direct specifies."""
    tables = typed(computer)
    try:
        return as_answered(call(tables))
    finally:
        tables.memory = {}


def reach(computer: Computer, hart: Hart, va: int, access: Access) -> int:
    """Return where an access goes, having set A and D; or trap.

    Without roots an address is physical, and stores into tables fault.
    """
    tables = typed(computer)
    untranslated = hart.id not in tables.loaded
    user = hart.mode is Mode.USER
    pa = tables.access(hart.id, va, access, user=user)
    for gfn, page in tables.memory.items():
        for at, word in page.items():
            if computer.memory[gfn * PAGE_SIZE + at] != word:
                entry = word.to_bytes(4, "little")
                computer.put(gfn * PAGE_SIZE + at, entry)
    tables.memory = {}
    if untranslated and va not in computer.memory:
        raise Trap(AccessFault(access).cause, va)
    if pa is None:
        raise Trap(PageFault(access).cause, va)
    return pa
