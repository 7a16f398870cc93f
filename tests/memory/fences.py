"""A fence is a whole fence, in however many exits, on whichever hart.

A kernel has several address spaces, of one window each, and changes what all of
them map. Then it fences once. Where each step of the hypervisor takes long, it
has to do that in pieces; and where the kernel has been on another hart before,
that one may remember what was so then.
"""

import struct

from hv.abi import Hypercall
from tests.equivalence.core import Core
from tests.machine import asm
from tests.memory.puppet import DATA, PAGE, Host, Puppet
from tests.memory.spaces import (
    FENCE,
    FULL,
    LEAVES,
    NEW,
    OLD,
    ROOTS,
    SPACES,
    WINDOW,
    enter,
    execute,
    kernel,
    le32,
    look,
    slow,
)

SBI_RFNC, SBI_LEGACY_FENCES = 0x52464E43, (6, 7)
S0, S1, WINDOW_AT, FLAG_AT, T1 = 8, 9, 18, 19, asm.T1
POLICIES = ("LAZY", "TRACE", "TRACE_STRICT")


def _change(puppet: Puppet) -> None:
    """Let it map other pages in all its spaces."""
    for i in range(SPACES):
        entry = NEW + i << 10 | FULL
        assert puppet.change("store", LEAVES + i, 0, entry)


def _fence(puppet: Puppet) -> int:
    """Let it fence once; return how many exits that took."""
    exits = puppet.counter("exits")
    puppet.set(puppet.lib.HV_REG_PC, FENCE)
    while puppet.get(puppet.lib.HV_REG_PC) == FENCE:
        puppet._step()
    return puppet.counter("exits") - exits


def a_long_fence_is_whole(core: Core) -> None:
    """After it nothing is seen that the tables said before."""
    for policy in POLICIES:
        puppet = kernel(slow(core), "EMULATE", policy)
        assert look(puppet) == [100 + i for i in range(SPACES)]
        _change(puppet)
        exits = _fence(puppet)
        assert look(puppet) == [200 + i for i in range(SPACES)], "stale"
        # Strictly, each store was followed: there is nothing to be done.
        assert exits > SPACES // 2 or policy == "TRACE_STRICT", "no end"
        puppet.host.audit()


def what_is_dropped_takes_its_time(core: Core) -> None:
    """Tables that nothing leads to any more go in pieces, too."""
    puppet = kernel(slow(core), "EMULATE", "TRACE")
    assert look(puppet) == [100 + i for i in range(SPACES)]
    _change(puppet)
    for i in range(SPACES):
        link = ROOTS + i, 4 * (WINDOW >> 10)
        assert puppet.change("store", *link, 0)
    drops = puppet.counter("shadow_drops")
    exits = _fence(puppet)
    drops = puppet.counter("shadow_drops") - drops
    assert drops >= SPACES
    assert exits > SPACES // 2, f"{drops} tables in {exits} exits"
    assert look(puppet) == [None] * SPACES
    puppet.host.audit()


def _mover() -> list[int]:
    """Look, until told to change the table; and once more, when told to."""
    looks = asm.program(asm.lw(S0, 0, WINDOW_AT), asm.lw(T1, 0, FLAG_AT))
    waits = asm.program(asm.lw(T1, 4, FLAG_AT))
    return asm.program(
        asm.li(WINDOW_AT, WINDOW * PAGE),
        asm.li(FLAG_AT, (DATA + 40) * PAGE),
        asm.li(asm.T0, LEAVES * PAGE),
        asm.li(asm.T2, NEW << 10 | FULL),
        asm.lw(T1, 0, asm.T0),
        asm.sw(T1, 0, asm.T0),
        *(*looks, asm.beq(T1, asm.ZERO, -4 * len(looks))),
        *(asm.sw(asm.T2, 0, asm.T0), asm.sfence_vma(0, 0)),
        *(*waits, asm.beq(T1, asm.ZERO, -4 * len(waits))),
        *(asm.lw(S1, 0, WINDOW_AT), asm.j(0)),
    )


def a_fence_goes_with_its_vcpu(core: Core) -> None:
    """One that was made on another hart holds on this one, too."""
    for style in ("EMULATE", "ASSIST", "NESTED"):
        puppet = kernel(Host(core, 512, harts=2), style)
        code = b"".join(map(le32, _mover()))
        puppet.write(FENCE + 64, code)
        enter(puppet, 0)
        puppet.set(puppet.lib.HV_REG_PC, FENCE + 64)
        for hart in (0, 1, 0):
            status = puppet.lib.hv_affinity_set(
                puppet.host.raw, puppet.id, 0, 1 << hart, puppet.ffi.NULL, 0
            )
            puppet.host.ok(status)
            puppet.host.run(300)
            flag = (DATA + 40) * PAGE + 4 * hart
            puppet.write(flag, le32(1))
        assert puppet.get(S0) == 100
        assert puppet.get(S1) == 200, f"stale, as {style}"
        puppet.host.audit()


def what_is_current_stays(core: Core) -> None:
    """Of a table that was watched, or of one page, only what changed goes."""
    first, second = WINDOW * PAGE, (WINDOW + 1024) * PAGE
    for style in ("EMULATE", "ASSIST"):
        for policy, operand in (("TRACE", 0), ("LAZY", asm.T0)):
            puppet = kernel(Host(core, 512), style, policy)
            link = le32(LEAVES + 1 << 10 | 1)
            puppet.write(ROOTS * PAGE + 4 * (second >> 22), link)
            for i in range(SPACES):
                leaf = LEAVES * PAGE + 4 * i
                puppet.write(leaf, le32(OLD + i << 10 | FULL))
            enter(puppet, 0)
            pages = [*(first + PAGE * i for i in range(SPACES)), second]
            told = [100 + i for i in range(SPACES)] + [101]
            assert [puppet.load(va // PAGE, 0) for va in pages] == told
            at = LEAVES * PAGE + 4 * 2
            execute(puppet, asm.sw(asm.T1, 0, asm.T0), at, NEW << 10 | FULL)
            execute(puppet, asm.sfence_vma(operand, 0), pages[2])
            told[2] = 200
            fills = puppet.counter("shadow_fills")
            assert [puppet.load(va // PAGE, 0) for va in pages] == told
            fills = puppet.counter("shadow_fills") - fills
            assert fills == 1, f"{fills} entries were lost, {policy}"
            puppet.host.audit()


def each_store_is_followed(core: Core) -> None:
    """Strictly, that is: of a word, a half or a byte."""
    puppet = kernel(Host(core, 512), "EMULATE", "TRACE_STRICT")
    enter(puppet, 0)
    assert puppet.load(WINDOW, 0) == 100
    stores = (asm.sb, asm.sh, asm.sw, asm.sb, asm.sh, asm.sw)
    for n, store in enumerate(stores):
        entry = (NEW if n % 2 else OLD) + n << 10 | FULL
        execute(puppet, store(asm.T1, 0, asm.T0), LEAVES * PAGE, entry)
        word = puppet.read(LEAVES * PAGE, 4)
        page = int.from_bytes(word, "little") >> 10
        told = int.from_bytes(puppet.read(page * PAGE, 4), "little")
        assert puppet.load(WINDOW, 0) == told, "a store was not followed"
        assert puppet.counter("exit_trace") == n + 1
    puppet.host.audit()


def each_byte_from_outside_is_followed(core: Core) -> None:
    """Of entries that are written in part, by no more than one call."""
    policy = "TRACE_STRICT"
    for begin, end in ((0, 8), (2, 8), (3, 8), (2, 6), (1, 7)):
        puppet = kernel(Host(core, 512), "EMULATE", policy)
        old = b"".join(le32(OLD + i << 10 | FULL) for i in range(2))
        new = b"".join(le32(NEW + i << 10 | FULL) for i in range(2))
        puppet.write(LEAVES * PAGE, old)
        enter(puppet, 0)
        assert [puppet.load(WINDOW + i, 0) for i in range(2)] == [100, 101]
        puppet.write(LEAVES * PAGE + begin, new[begin:end])
        for i, word in enumerate(struct.unpack("<2I", old)):
            now = puppet.read(LEAVES * PAGE + 4 * i)
            page = int.from_bytes(now, "little") >> 10
            told = int.from_bytes(puppet.read(page * PAGE), "little")
            assert puppet.load(WINDOW + i, 0) == told, (begin, end, word)
        puppet.host.audit()


def a_store_is_to_no_other_entry(core: Core) -> None:
    """Where it is followed, it costs the entries beside it nothing."""
    for style, policy, writer in (
        ("EMULATE", "TRACE_STRICT", "store"),
        ("PV", "TRACE_STRICT", "pt_update"),
    ):
        puppet = kernel(Host(core, 512), style, policy)
        for i in range(SPACES):
            puppet.write(LEAVES * PAGE + 4 * i, le32(OLD + i << 10 | FULL))
        enter(puppet, 0)
        for at in range(SPACES):
            for i in range(SPACES):
                assert puppet.load(WINDOW + i, 0) == 100 + i
            fills = puppet.counter("shadow_fills")
            entry = OLD + at << 10 | FULL
            assert puppet.change(writer, LEAVES, 4 * at, entry)
            for i in range(SPACES):
                assert puppet.load(WINDOW + i, 0) == 100 + i
            fills = puppet.counter("shadow_fills") - fills
            assert fills == 1, f"{fills} entries were lost, as {style}"


def a_leaf_is_what_its_table_says(core: Core) -> None:
    """No more than that: neither one without V or A, nor one of less rights."""
    leaf = OLD << 10 | FULL
    for style, policy in (
        *(("EMULATE", "LAZY"), ("ASSIST", "LAZY")),
        *(("EMULATE", "TRACE"), ("NESTED", "DEFAULT")),
    ):
        for entry, told in (
            *((leaf & ~1, None), (leaf & ~3, None), (leaf | 0x10, None)),
            *((leaf & ~0x41, None), (leaf & ~0x40, 100), (leaf & ~8, 100)),
        ):
            for operand in (0, asm.T0):
                puppet = kernel(Host(core, 512), style, policy)
                enter(puppet, 0)
                assert puppet.load(WINDOW, 0) == 100
                assert puppet.change("amo", LEAVES, 0, entry)
                execute(puppet, asm.sfence_vma(operand, 0), WINDOW * PAGE)
                assert puppet.load(WINDOW, 0) == told, f"{entry:#x}, {style}"
                puppet.host.audit()


def a_fence_is_of_all_styles(core: Core) -> None:
    """What was known as one style is not known again when it comes back."""
    for first, second in (("NESTED", "EMULATE"), ("ASSIST", "NESTED")):
        puppet = kernel(Host(core, 512), first, "LAZY")
        enter(puppet, 0)
        assert puppet.load(WINDOW, 0) == 100
        for style in (second, first):
            number = getattr(core.lib, f"HV_STYLE_{style}")
            puppet.host.ok(
                core.lib.hv_vm_set_style(puppet.host.raw, puppet.id, number)
            )
            if style == second:  # which looks at nothing in the window
                assert puppet.change("store", LEAVES, 0, NEW << 10 | FULL)
                execute(puppet, asm.sfence_vma(asm.T0, 0), WINDOW * PAGE)
        assert puppet.load(WINDOW, 0) == 200, f"stale, as {first}"
        puppet.host.audit()


def a_root_is_not_let_go(core: Core) -> None:
    """Each store to it is seen; a table of leaves is free from the first on."""
    for table, exits in ((ROOTS, 3), (LEAVES, 1)):
        puppet = kernel(Host(core, 512), "EMULATE", "TRACE")
        enter(puppet, 0)
        assert puppet.load(WINDOW, 0) == 100
        for _ in range(3):
            at = table * PAGE + 4 * (WINDOW >> 10) + 4
            execute(puppet, asm.sw(asm.T1, 0, asm.T0), at, 0)
        assert puppet.counter("exit_trace") == exits
        puppet.host.audit()


def a_link_is_what_the_root_says(core: Core) -> None:
    """No more than that: neither one that lost its V, nor one that is a leaf.

    After a fence of everything or of the page, of a root that was stored to by
    an instruction that is emulated or by one that is not.
    """
    link, rest = LEAVES << 10, 4 * (WINDOW >> 10)
    entries: dict[int, int | None] = {link | 1: 100, link: None}
    entries |= {link | 0x11: None, link | FULL: None}
    entries[LEAVES + 1 << 10 | 1] = 101
    for style, policy, writer in (
        ("EMULATE", "LAZY", "store"),
        ("ASSIST", "LAZY", "store"),
        ("EMULATE", "TRACE", "amo"),
    ):
        for entry, told in entries.items():
            for operand in (0, asm.T0):
                puppet = kernel(Host(core, 512), style, policy)
                enter(puppet, 0)
                assert puppet.load(WINDOW, 0) == 100
                assert puppet.change(writer, ROOTS, rest, entry)
                execute(puppet, asm.sfence_vma(operand, 0), WINDOW * PAGE)
                assert puppet.load(WINDOW, 0) == told, f"stale: {entry:#x}"
                puppet.host.audit()


def what_a_fence_does_is_counted(core: Core) -> None:
    """Tables that it compares, and those that nothing links to, which go."""
    for unlinks, done in ((False, (0, 1)), (True, (1, 0))):
        puppet = kernel(Host(core, 512), "EMULATE", "TRACE")
        enter(puppet, 0)
        assert puppet.load(WINDOW, 0) == 100
        entry = NEW << 10 | FULL
        execute(puppet, asm.sw(asm.T1, 0, asm.T0), LEAVES * PAGE, entry)
        if unlinks:
            at = ROOTS * PAGE + 4 * (WINDOW >> 10)
            execute(puppet, asm.sw(asm.T1, 0, asm.T0), at, 0)
        kinds = ("shadow_drops", "shadow_syncs")
        before = [puppet.counter(kind) for kind in kinds]
        execute(puppet, asm.sfence_vma(0, 0))
        after = [puppet.counter(kind) for kind in kinds]
        more = tuple(b - a for a, b in zip(before, after, strict=True))
        assert more == done
        puppet.host.audit()
    # Without traces all roots go, but for the one that is in force.
    puppet = kernel(Host(core, 512), "EMULATE", "LAZY")
    assert look(puppet) == [100 + i for i in range(SPACES)]
    execute(puppet, asm.sfence_vma(0, 0))
    assert puppet.counter("shadow_drops") == SPACES - 1


def a_range_is_no_more_than_that(core: Core) -> None:
    """The call that fences some pages leaves what is cached of others."""
    for at, size in (
        *((0, PAGE), (4, 1), (PAGE - 1, 2), (PAGE - 1, PAGE + 1)),
        *((PAGE, 2 * PAGE), (3 * PAGE, 3 * PAGE)),
    ):
        puppet = kernel(Host(core, 512), "PV", "LAZY")
        for i in range(SPACES):
            leaf = LEAVES * PAGE + 4 * i
            puppet.write(leaf, le32(OLD + i << 10 | FULL))
        assert puppet.call(Hypercall.SET_ROOT, 1 << 31 | ROOTS) == 0
        told = [100 + i for i in range(SPACES)]
        assert [puppet.load(WINDOW + i, 0) for i in range(SPACES)] == told
        for i in range(SPACES):
            leaf = LEAVES * PAGE + 4 * i
            puppet.write(leaf, le32(NEW + i << 10 | FULL))
        assert puppet.call(Hypercall.FENCE, WINDOW * PAGE + at, size) == 0
        first = at // PAGE
        last = (at + size - 1) // PAGE
        seen = [puppet.load(WINDOW + i, 0) for i in range(SPACES)]
        for i, word in enumerate(seen):
            new = 200 + i if first <= i <= last else 100 + i
            assert word == new, f"page {i} after a fence of {first} to {last}"


def a_fence_of_everything_is_that(core: Core) -> None:
    """By the call: of no size, of very much, and of what wraps."""
    everything = ((0, 0), (0, 65 * PAGE), (PAGE, 0xFFFF_FFFF))
    for begin, size in everything:
        puppet = kernel(Host(core, 512), "PV", "LAZY")
        assert puppet.call(Hypercall.SET_ROOT, 1 << 31 | ROOTS) == 0
        assert puppet.load(WINDOW, 0) == 100
        puppet.write(LEAVES * PAGE, le32(NEW << 10 | FULL))
        assert puppet.call(Hypercall.FENCE, begin, size) == 0
        assert puppet.load(WINDOW, 0) == 200, f"stale after {(begin, size)}"


def a_remote_fence_is_of_all_its_pages(core: Core) -> None:
    """However many there are; nobody has said what becomes of others."""
    for pages in (1, 2, SPACES):
        puppet = kernel(Host(core, 512), "EMULATE", "LAZY")
        enter(puppet, 0)
        for frames in (OLD, NEW):
            for i in range(SPACES):
                leaf = LEAVES * PAGE + 4 * i
                puppet.write(leaf, le32(frames + i << 10 | FULL))
            if frames == OLD:
                seen = [puppet.load(WINDOW + i, 0) for i in range(SPACES)]
                assert seen == [100 + i for i in range(SPACES)]
        fence = (1, 0, WINDOW * PAGE, pages * PAGE)  # of hart 0
        assert puppet.call(1, *fence, extension=SBI_RFNC) == 0
        seen = [puppet.load(WINDOW + i, 0) for i in range(pages)]
        assert seen == [200 + i for i in range(pages)], f"of {pages} pages"


def a_fence_of_old_is_of_all_pages(core: Core) -> None:
    """The legacy calls have arguments for a range, which nobody looked at."""
    for extension in SBI_LEGACY_FENCES:
        puppet = kernel(Host(core, 512), "EMULATE", "LAZY")
        enter(puppet, 0)
        for frame, told in ((OLD, 100), (NEW, 200)):
            puppet.write(LEAVES * PAGE, le32(frame << 10 | FULL))
            puppet.call(0, 0, 0, PAGE, extension=extension)
            assert puppet.get(asm.A0) == 0
            assert puppet.load(WINDOW, 0) == told, f"stale after {extension}"


def _missed(puppet: Puppet) -> int:
    """Return how often the TLB of hart 0 did not know of a page to load."""
    lib, ffi = puppet.lib, puppet.ffi
    group = lib.HV_COUNTERS_HART
    count = lib.hv_counter_count(group)
    names = [ffi.string(lib.hv_counter_name(group, i)) for i in range(count)]
    out = ffi.new("uint64_t[]", count)
    puppet.host.ok(lib.hv_counters(puppet.host.raw, 0, group, out, count))
    return int(out[names.index(b"load_misses")])


def a_fence_of_a_page_is_of_no_other(core: Core) -> None:
    """The TLB keeps what it knows of others, where tables follow fences."""
    puppet = kernel(Host(core, 512), "EMULATE", "LAZY")
    puppet.write(LEAVES * PAGE + 4, le32(OLD + 1 << 10 | FULL))
    enter(puppet, 0)
    for _ in range(2):
        assert [puppet.load(WINDOW + i, 0) for i in range(2)] == [100, 101]
    for page, misses in ((WINDOW + 1, 0), (WINDOW, 1)):
        execute(puppet, asm.sfence_vma(asm.T0, 0), page * PAGE)
        before = _missed(puppet)
        assert puppet.load(WINDOW, 0) == 100
        more = _missed(puppet) - before
        assert min(more, 1) == misses, f"{more} misses, not {misses}"


def a_fence_is_of_the_last_window_too(core: Core) -> None:
    """Of whatever a root can name."""
    for index in (0, 31, 32, 991, 992, 1023):
        puppet = kernel(Host(core, 512), "EMULATE", "LAZY")
        slot = ROOTS * PAGE + 4 * index
        enter(puppet, 0)
        for table, told in ((LEAVES, 100), (LEAVES + 1, 101)):
            puppet.write(slot, le32(table << 10 | 1))
            execute(puppet, asm.sfence_vma(0, 0))
            assert puppet.load(index << 10, 0) == told, f"stale: {index}"
        puppet.host.audit()


CHECKS = (
    a_fence_of_old_is_of_all_pages,
    a_store_is_to_no_other_entry,
    a_leaf_is_what_its_table_says,
    a_fence_is_of_all_styles,
    what_is_dropped_takes_its_time,
    a_root_is_not_let_go,
    a_fence_of_everything_is_that,
    a_fence_is_of_the_last_window_too,
    a_fence_of_a_page_is_of_no_other,
    a_remote_fence_is_of_all_its_pages,
    a_range_is_no_more_than_that,
    what_a_fence_does_is_counted,
    a_long_fence_is_whole,
    a_link_is_what_the_root_says,
    a_fence_goes_with_its_vcpu,
    what_is_current_stays,
    each_store_is_followed,
    each_byte_from_outside_is_followed,
)
