"""What a call of a paravirtual kernel does, to the bit."""

import struct

from hv.abi import Hypercall
from tests.equivalence.core import Core
from tests.machine import asm
from tests.memory.puppet import (
    CALL,
    CODE,
    DATA,
    FIRST,
    PAGE,
    SBI_EXT_HV,
    SHARED,
    TRAP,
    Host,
    Puppet,
)
from tests.memory.spaces import slow

IRQ_ENABLED, EPC, PREV = 0, 16, 20  # csrc/abi/pv.h: SI_x
PREV_KERNEL, PREV_IRQ = 1, 2
FULL = 0xCF  # valid, all rights of a kernel, accessed and dirty


def a_return_masks_as_before(core: Core) -> None:
    """Interrupts are what they were when the trap came: on, or off."""
    for was in (0, 1):
        puppet = Puppet(Host(core, 64), 16)
        at = SHARED * PAGE
        there = (DATA + 1) * PAGE
        puppet.write_words(there, [asm.j(0)])
        for field, word in (
            (IRQ_ENABLED, 1 - was),
            (EPC, there),
            (PREV, PREV_KERNEL | PREV_IRQ * was),
        ):
            puppet.write(at + field, word.to_bytes(4, "little"))
        puppet.call(Hypercall.IRET)
        enabled = int.from_bytes(puppet.read(at + IRQ_ENABLED), "little")
        assert enabled == was, f"interrupts: {enabled}, and were {was}"
        assert puppet.get(puppet.lib.HV_REG_PC) == there


def a_root_is_where_memory_is(core: Core) -> None:
    """Not at the same place of an address space that no hart has."""
    puppet = Puppet(Host(core, 64), 16)
    entry = (FIRST << 10 | FULL).to_bytes(4, "little")
    puppet.write(DATA * PAGE + 4 * (FIRST >> 10), entry)
    for high in (1, 2, 3):
        satp = 1 << 31 | high << 20 | DATA
        error = puppet.call(Hypercall.SET_ROOT, satp)
        assert error == -5, f"{satp:#x}: {error}"
    assert puppet.call(Hypercall.SET_ROOT, 1 << 31 | DATA, 7) == 0
    assert puppet.get(asm.A1) == 0  # it has no value


def what_another_has_cannot_be_taken_back(core: Core) -> None:
    """A balloon that finds no promise left is as full as before."""
    host = Host(core, 64)
    puppet = Puppet(host, 24)
    pages = [DATA + i for i in range(8)]
    assert puppet.balloon(Hypercall.BALLOON_GIVE, pages) == 0
    info = host.info
    left = int(info.frames_free - info.frames_reserved)
    other = Puppet(host, left - 4)
    for _ in range(2):
        denied = puppet.balloon(Hypercall.BALLOON_TAKE, pages)
        assert denied < 0, "frames that there are not"
        host.audit()
    other.destroy()
    assert puppet.balloon(Hypercall.BALLOON_TAKE, pages) == 0
    host.audit()


def the_first_page_is_logged(core: Core) -> None:
    """As any other: clean when the log begins, and named when it changes."""
    for style in ("PV", "EMULATE", "NESTED"):
        puppet = Puppet(Host(core, 64), 16, style)
        bits, count = core.ffi.new("uint8_t[2]"), core.ffi.new("uint32_t *")
        raw, vm = puppet.host.raw, puppet.id
        assert puppet.change("store", FIRST, 2048, 1)
        dirtied, named = puppet.counter("dirtied"), 0
        puppet.host.ok(core.lib.hv_dirty_start(raw, vm))
        for value, names in ((None, 0), (7, 1), (None, 0), (8, 1)):
            if value is not None:
                assert puppet.change("store", FIRST, 2048, value)
            puppet.host.ok(core.lib.hv_dirty_fetch(raw, vm, bits, 2, count))
            named += count[0]
            assert bits[0] & 1 == names, f"it is {bits[0] & 1}, as {style}"
        more = puppet.counter("dirtied") - dirtied
        assert (dirtied, more) == (0, named), (dirtied, more)


def _ask(puppet: Puppet, pc: int, call: int, a0: int, a1: int) -> None:
    """Let its next instruction be the ecall at `pc`, with these arguments."""
    arguments = (a0, a1, call, SBI_EXT_HV)
    names = (asm.A0, asm.A1, asm.A6, asm.A7)
    for name, value in zip(names, arguments, strict=True):
        puppet.set(name, value)
    puppet.set(puppet.lib.HV_REG_PC, pc)


def a_list_is_done_on_the_slowest_host(core: Core) -> None:
    """Each exit gets on, if only by one entry."""
    count = 32
    stores = [((DATA + 1 + n) * PAGE, 1000 + n) for n in range(count)]
    calls = [(Hypercall.FENCE, 9, 0, 0, 0, 0)] * count
    for call, rows in (
        (Hypercall.PT_UPDATE, stores),
        (Hypercall.MULTICALL, calls),
    ):
        puppet = Puppet(slow(core), 64)
        words = [int(word) for row in rows for word in row]
        puppet.write_words(DATA * PAGE, words)
        _ask(puppet, CODE * PAGE + CALL, call, DATA * PAGE, count)
        for _ in range(10 * count):
            puppet._step()
            if puppet.get(puppet.lib.HV_REG_PC) != CODE * PAGE + CALL:
                break
        assert puppet.get(asm.A0) == 0, f"{call!r} never ends"
        if call == Hypercall.PT_UPDATE:
            last = puppet.read((DATA + count) * PAGE)
            assert int.from_bytes(last, "little") == 1000 + count - 1


def an_update_stores_what_it_lists(core: Core) -> None:
    """Not what the one before it has listed, too."""
    puppet = Puppet(Host(core, 64), 16)
    slots = [(DATA + 1) * PAGE + 8 * n for n in range(3)]
    for count in (3, 2, 1):
        words = [word for slot in slots[:count] for word in (slot, count)]
        puppet.write_words(DATA * PAGE, words)
        assert puppet.call(Hypercall.PT_UPDATE, DATA * PAGE, count) == 0
        now = [int.from_bytes(puppet.read(slot), "little") for slot in slots]
        assert now[:count] == [count] * count
        assert now[count:] == [0] * (3 - count), now
        for slot in slots:
            puppet.write(slot, bytes(4))


def a_map_names_each_frame(core: Core) -> None:
    """Of one page, of some, and of all of them; and of no more."""
    pages, at = 16, DATA * PAGE
    puppet = Puppet(Host(core, 64), pages, "DIRECT")
    for first, count in ((0, 1), (15, 1), (3, 5), (0, pages)):
        call = (Hypercall.MEMORY_MAP, FIRST + first, count, at)
        assert puppet.call(*call) == 0
        told = struct.unpack(f"<{count}I", puppet.read(at, 4 * count))
        frames = [puppet.frame(FIRST + first + n) for n in range(count)]
        assert list(told) == frames
    for first, count in ((0, 0), (0, pages + 1), (15, 2), (pages, 1)):
        call = (Hypercall.MEMORY_MAP, FIRST + first, count, at)
        assert puppet.call(*call) < 0, (first, count)
    for short in (1, 2, 4):  # of a word that the list needs
        end = (FIRST + pages) * PAGE - 4 * 4 + 4 * short
        assert puppet.call(Hypercall.MEMORY_MAP, FIRST, 4, end) < 0, short


def a_pinned_page_goes_with_its_vm(core: Core) -> None:
    """Also the first one."""
    host = Host(core, 64)
    free = host.info.frames_free
    puppet = Puppet(host, 16, "DIRECT")
    puppet.write_words(DATA * PAGE, [asm.ECALL])
    puppet.write(FIRST * PAGE, bytes(PAGE))
    _ask(puppet, DATA * PAGE, Hypercall.PT_PIN, FIRST * PAGE, 0)
    puppet._step()
    assert puppet.get(asm.A0) == 0
    puppet.destroy()
    host.audit()
    assert host.info.frames_free == free


def what_has_no_value_has_none(core: Core) -> None:
    """A call that only does something says that it did, and no more."""
    puppet = Puppet(Host(core, 64), 16)
    for call, *arguments in (
        (Hypercall.SET_SHARED, SHARED * PAGE),
        (Hypercall.SET_ENTRY, CODE * PAGE + TRAP),
        (Hypercall.SET_TIMER, 0xFFFF_FFFF, 0xFFFF_FFFF),
        (Hypercall.FENCE,),
        (Hypercall.SET_ROOT,),
        (Hypercall.YIELD,),
    ):
        assert puppet.call(call, *arguments) == 0
        value = puppet.get(asm.A1)
        assert value == 0, f"{call!r} has the value {value}"


def a_list_hands_over_all_arguments(core: Core) -> None:
    """The third as well."""
    puppet, at = Puppet(Host(core, 64), 16, "DIRECT"), DATA * PAGE
    record = [Hypercall.MEMORY_MAP, 9, FIRST + 2, 3, at + 64, 0]
    puppet.write_words(at, record)
    assert puppet.call(Hypercall.MULTICALL, at, 1) == 0
    error = int.from_bytes(puppet.read(at + 4), "little")
    told = struct.unpack("<3I", puppet.read(at + 64, 12))
    frames = tuple(puppet.frame(FIRST + 2 + n) for n in range(3))
    assert (error, told) == (0, frames)


def all_bytes_are_printed(core: Core) -> None:
    """And nothing that is behind them."""
    puppet, out = Puppet(Host(core, 64), 16), core.ffi.new("uint8_t[]", 1000)
    text = bytes(range(1, 251))
    puppet.write(DATA * PAGE, text)
    for size in (1, 63, 64, 65, 100, 128, 250):
        call = (Hypercall.CONSOLE_WRITE, DATA * PAGE, size)
        assert puppet.call(*call) == 0
        assert puppet.get(asm.A1) == size
        count = core.lib.hv_console_take(puppet.host.raw, puppet.id, out, 1000)
        assert bytes(core.ffi.buffer(out, count)) == text[:size]


CHECKS = (
    all_bytes_are_printed,
    a_list_hands_over_all_arguments,
    what_has_no_value_has_none,
    a_pinned_page_goes_with_its_vm,
    a_map_names_each_frame,
    an_update_stores_what_it_lists,
    a_list_is_done_on_the_slowest_host,
    the_first_page_is_logged,
    what_another_has_cannot_be_taken_back,
    a_return_masks_as_before,
    a_root_is_where_memory_is,
)
