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
from tests.memory.puppet import (
    CODE,
    DATA,
    FIRST,
    PAGE,
    STORE,
    TRAP,
    Host,
    Puppet,
)

SPACES = 6
SATP, SBI_RFNC, SBI_HSM = 0x180, 0x52464E43, 0x48534D
ROOTS, LEAVES = DATA, DATA + SPACES
OLD, NEW = LEAVES + SPACES, LEAVES + 2 * SPACES
WINDOW = 0x40000  # page number
FENCE = CODE * PAGE + 64
S0, S1, WINDOW_AT, FLAG_AT, T1 = 8, 9, 18, 19, asm.T1
SSTATUS, SUM, MXR, SCAUSE = 0x100, 1 << 18, 1 << 19, 0x142
FULL = 0xCF  # valid, all rights of a kernel, accessed and dirty
RMAP_MAX = 128  # csrc/hyp/rmap.h
POLICIES = ("LAZY", "TRACE", "TRACE_STRICT")


def _word(value: int) -> bytes:
    return value.to_bytes(4, "little")


def slow(core: Core) -> Host:
    """Return a host where all that costs anything costs much."""
    config = core.ffi.new("struct hv_config *")
    core.lib.hv_config_default(config)
    return Host(core, 512, cost=[5000 if cost else 0 for cost in config.cost])


def _kernel(
    host: Host, style: str, policy: str = "DEFAULT", vcpus: int = 1
) -> Puppet:
    """Return one with its address spaces."""
    sync = getattr(host.lib, f"HV_SYNC_{policy}")
    options = {"sync": sync, "shadow_frames": 48, "vcpus": vcpus}
    puppet = Puppet(host, 64, style, **options)
    for i in range(SPACES):
        root = (ROOTS + i) * PAGE
        puppet.write(root + 4 * (FIRST >> 10), _word(FIRST << 10 | FULL))
        puppet.write(root + 4 * (WINDOW >> 10), _word(LEAVES + i << 10 | 1))
        puppet.write((LEAVES + i) * PAGE, _word(OLD + i << 10 | FULL))
        puppet.write((OLD + i) * PAGE, _word(100 + i))
        puppet.write((NEW + i) * PAGE, _word(200 + i))
    puppet.write(FENCE, _word(asm.sfence_vma(0, 0)))
    return puppet


def _enter(puppet: Puppet, space: int) -> None:
    register = puppet.lib.HV_REG_CSR + SATP
    puppet.set(register, 1 << 31 | ROOTS + space)


def _seen(puppet: Puppet) -> list[int | None]:
    """Return what the kernel reads in the window of each space."""
    seen = []
    for i in range(SPACES):
        _enter(puppet, i)
        seen.append(puppet.load(WINDOW, 0))
    return seen


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
        puppet = _kernel(slow(core), "EMULATE", policy)
        assert _seen(puppet) == [100 + i for i in range(SPACES)]
        _change(puppet)
        exits = _fence(puppet)
        assert _seen(puppet) == [200 + i for i in range(SPACES)], "stale"
        # Strictly, each store was followed: there is nothing to be done.
        assert exits > SPACES // 2 or policy == "TRACE_STRICT", "no end"
        puppet.host.audit()


def what_is_dropped_takes_its_time(core: Core) -> None:
    """Tables that nothing leads to any more go in pieces, too."""
    puppet = _kernel(slow(core), "EMULATE", "TRACE")
    assert _seen(puppet) == [100 + i for i in range(SPACES)]
    _change(puppet)
    for i in range(SPACES):
        link = ROOTS + i, 4 * (WINDOW >> 10)
        assert puppet.change("store", *link, 0)
    drops = puppet.counter("shadow_drops")
    exits = _fence(puppet)
    drops = puppet.counter("shadow_drops") - drops
    assert drops >= SPACES
    assert exits > SPACES // 2, f"{drops} tables in {exits} exits"
    assert _seen(puppet) == [None] * SPACES
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
        puppet = _kernel(Host(core, 512, harts=2), style)
        code = b"".join(map(_word, _mover()))
        puppet.write(FENCE + 64, code)
        _enter(puppet, 0)
        puppet.set(puppet.lib.HV_REG_PC, FENCE + 64)
        for hart in (0, 1, 0):
            status = puppet.lib.hv_affinity_set(
                puppet.host.raw, puppet.id, 0, 1 << hart, puppet.ffi.NULL, 0
            )
            puppet.host.ok(status)
            puppet.host.run(300)
            flag = (DATA + 40) * PAGE + 4 * hart
            puppet.write(flag, _word(1))
        assert puppet.get(S0) == 100
        assert puppet.get(S1) == 200, f"stale, as {style}"
        puppet.host.audit()


def _execute(puppet: Puppet, insn: int, t0: int = 0, t1: int = 0) -> None:
    """Let it execute an instruction that does not trap."""
    puppet.write(FENCE + 4, _word(insn))
    puppet.set(asm.T0, t0)
    puppet.set(asm.T1, t1)
    puppet.set(puppet.lib.HV_REG_PC, FENCE + 4)
    while puppet.get(puppet.lib.HV_REG_PC) == FENCE + 4:
        puppet._step()
    assert puppet.get(puppet.lib.HV_REG_PC) == FENCE + 8


def what_is_current_stays(core: Core) -> None:
    """Of a table that was watched, or of one page, only what changed goes."""
    first, second = WINDOW * PAGE, (WINDOW + 1024) * PAGE
    for style in ("EMULATE", "ASSIST"):
        for policy, operand in (("TRACE", 0), ("LAZY", asm.T0)):
            puppet = _kernel(Host(core, 512), style, policy)
            link = _word(LEAVES + 1 << 10 | 1)
            puppet.write(ROOTS * PAGE + 4 * (second >> 22), link)
            for i in range(SPACES):
                leaf = LEAVES * PAGE + 4 * i
                puppet.write(leaf, _word(OLD + i << 10 | FULL))
            _enter(puppet, 0)
            pages = [*(first + PAGE * i for i in range(SPACES)), second]
            told = [100 + i for i in range(SPACES)] + [101]
            assert [puppet.load(va // PAGE, 0) for va in pages] == told
            at = LEAVES * PAGE + 4 * 2
            _execute(puppet, asm.sw(asm.T1, 0, asm.T0), at, NEW << 10 | FULL)
            _execute(puppet, asm.sfence_vma(operand, 0), pages[2])
            told[2] = 200
            fills = puppet.counter("shadow_fills")
            assert [puppet.load(va // PAGE, 0) for va in pages] == told
            fills = puppet.counter("shadow_fills") - fills
            assert fills == 1, f"{fills} entries were lost, {policy}"
            puppet.host.audit()


def each_store_is_followed(core: Core) -> None:
    """Strictly, that is: of a word, a half or a byte."""
    puppet = _kernel(Host(core, 512), "EMULATE", "TRACE_STRICT")
    _enter(puppet, 0)
    assert puppet.load(WINDOW, 0) == 100
    stores = (asm.sb, asm.sh, asm.sw, asm.sb, asm.sh, asm.sw)
    for n, store in enumerate(stores):
        entry = (NEW if n % 2 else OLD) + n << 10 | FULL
        _execute(puppet, store(asm.T1, 0, asm.T0), LEAVES * PAGE, entry)
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
        puppet = _kernel(Host(core, 512), "EMULATE", policy)
        old = b"".join(_word(OLD + i << 10 | FULL) for i in range(2))
        new = b"".join(_word(NEW + i << 10 | FULL) for i in range(2))
        puppet.write(LEAVES * PAGE, old)
        _enter(puppet, 0)
        assert [puppet.load(WINDOW + i, 0) for i in range(2)] == [100, 101]
        puppet.write(LEAVES * PAGE + begin, new[begin:end])
        for i, word in enumerate(struct.unpack("<2I", old)):
            now = puppet.read(LEAVES * PAGE + 4 * i)
            page = int.from_bytes(now, "little") >> 10
            told = int.from_bytes(puppet.read(page * PAGE), "little")
            assert puppet.load(WINDOW + i, 0) == told, (begin, end, word)
        puppet.host.audit()


def a_root_is_not_let_go(core: Core) -> None:
    """Each store to it is seen; a table of leaves is free from the first on."""
    for table, exits in ((ROOTS, 3), (LEAVES, 1)):
        puppet = _kernel(Host(core, 512), "EMULATE", "TRACE")
        _enter(puppet, 0)
        assert puppet.load(WINDOW, 0) == 100
        for _ in range(3):
            at = table * PAGE + 4 * (WINDOW >> 10) + 4
            _execute(puppet, asm.sw(asm.T1, 0, asm.T0), at, 0)
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
                puppet = _kernel(Host(core, 512), style, policy)
                _enter(puppet, 0)
                assert puppet.load(WINDOW, 0) == 100
                assert puppet.change(writer, ROOTS, rest, entry)
                _execute(puppet, asm.sfence_vma(operand, 0), WINDOW * PAGE)
                assert puppet.load(WINDOW, 0) == told, f"stale: {entry:#x}"
                puppet.host.audit()


def what_is_dropped_is_counted(core: Core) -> None:
    """A table that was let go, and that nothing links to, goes with a fence."""
    puppet = _kernel(Host(core, 512), "EMULATE", "TRACE")
    _enter(puppet, 0)
    assert puppet.load(WINDOW, 0) == 100
    for at, word in (
        (LEAVES * PAGE, NEW << 10 | FULL),
        (ROOTS * PAGE + 4 * (WINDOW >> 10), 0),
    ):
        _execute(puppet, asm.sw(asm.T1, 0, asm.T0), at, word)
    drops = puppet.counter("shadow_drops")
    _execute(puppet, asm.sfence_vma(0, 0))
    assert puppet.counter("shadow_drops") == drops + 1
    puppet.host.audit()


def a_range_is_no_more_than_that(core: Core) -> None:
    """The call that fences some pages leaves what is cached of others."""
    for at, pages in ((0, 1), (4, 1), (PAGE - 1, 2), (PAGE, 2), (3 * PAGE, 3)):
        puppet = _kernel(Host(core, 512), "PV", "LAZY")
        for i in range(SPACES):
            leaf = LEAVES * PAGE + 4 * i
            puppet.write(leaf, _word(OLD + i << 10 | FULL))
        assert puppet.call(Hypercall.SET_ROOT, 1 << 31 | ROOTS) == 0
        told = [100 + i for i in range(SPACES)]
        assert [puppet.load(WINDOW + i, 0) for i in range(SPACES)] == told
        for i in range(SPACES):
            leaf = LEAVES * PAGE + 4 * i
            puppet.write(leaf, _word(NEW + i << 10 | FULL))
        begin = WINDOW * PAGE + at
        size = (pages - 1) * PAGE + (1 if at % PAGE else PAGE)
        assert puppet.call(Hypercall.FENCE, begin, size) == 0
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
        puppet = _kernel(Host(core, 512), "PV", "LAZY")
        assert puppet.call(Hypercall.SET_ROOT, 1 << 31 | ROOTS) == 0
        assert puppet.load(WINDOW, 0) == 100
        puppet.write(LEAVES * PAGE, _word(NEW << 10 | FULL))
        assert puppet.call(Hypercall.FENCE, begin, size) == 0
        assert puppet.load(WINDOW, 0) == 200, f"stale after {(begin, size)}"


def what_was_rewritten_is_looked_at(core: Core) -> None:
    """An instruction that no hart has is not done for one that has faulted.

    The kernel maps other code, without a fence; its hart knows the old. What
    it loads is the user's, to be executed alone: by SUM and MXR it may, and
    no entry of a shadow can say so.
    """
    wide = asm.lw(asm.T1, 0, asm.T0) | 3 << 12  # of 64 bits
    puppet = _kernel(Host(core, 512), "EMULATE", "LAZY")
    leaves = [OLD << 10 | FULL, OLD + 1 << 10 | FULL & ~6 | 0x10]
    puppet.write(LEAVES * PAGE, b"".join(map(_word, leaves)))
    for page, insn in ((OLD, asm.lb(asm.T1, 0, asm.T0)), (NEW, wide)):
        puppet.write(page * PAGE, _word(insn))
    _enter(puppet, 0)
    puppet.set(puppet.lib.HV_REG_CSR + SSTATUS, SUM | MXR)
    for traps in (False, True):
        puppet.set(asm.T0, (WINDOW + 1) * PAGE)
        puppet.set(puppet.lib.HV_REG_PC, WINDOW * PAGE)
        while puppet.get(puppet.lib.HV_REG_PC) == WINDOW * PAGE:
            puppet._step()
        at = puppet.get(puppet.lib.HV_REG_PC)
        assert (at == CODE * PAGE + TRAP) == traps, f"{at:#x}"
        puppet.write(LEAVES * PAGE, _word(NEW << 10 | FULL))
    cause = puppet.get(puppet.lib.HV_REG_CSR + SCAUSE)
    assert cause == 5, f"cause {cause}"  # load access fault
    puppet.host.audit()


def what_is_replaced_is_forgotten_elsewhere(core: Core) -> None:
    """Where a table is linked twice, its entries have two addresses."""
    puppet = _kernel(Host(core, 512), "EMULATE", "LAZY")
    puppet.write(LEAVES * PAGE, _word(OLD << 10 | FULL & ~4))
    other = WINDOW + 1024
    slot = ROOTS * PAGE + 4 * (other >> 10)
    puppet.write(slot, _word(LEAVES << 10 | 1))
    _enter(puppet, 0)
    assert [puppet.load(page, 0) for page in (WINDOW, other)] == [100, 100]
    puppet.write(LEAVES * PAGE, _word(NEW << 10 | FULL))
    assert puppet.act(STORE, t0=WINDOW * PAGE, t1=7)
    puppet.host.audit()
    assert puppet.load(other, 0) == 7


def a_remote_fence_is_of_all_its_pages(core: Core) -> None:
    """However many there are; nobody has said what becomes of others."""
    for pages in (1, 2, SPACES):
        puppet = _kernel(Host(core, 512), "EMULATE", "LAZY")
        _enter(puppet, 0)
        for frames in (OLD, NEW):
            for i in range(SPACES):
                leaf = LEAVES * PAGE + 4 * i
                puppet.write(leaf, _word(frames + i << 10 | FULL))
            if frames == OLD:
                seen = [puppet.load(WINDOW + i, 0) for i in range(SPACES)]
                assert seen == [100 + i for i in range(SPACES)]
        fence = (1, 0, WINDOW * PAGE, pages * PAGE)  # of hart 0
        assert puppet.call(1, *fence, extension=SBI_RFNC) == 0
        seen = [puppet.load(WINDOW + i, 0) for i in range(pages)]
        assert seen == [200 + i for i in range(pages)], f"of {pages} pages"


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
    puppet = _kernel(Host(core, 512), "EMULATE", "LAZY")
    puppet.write(LEAVES * PAGE + 4, _word(OLD + 1 << 10 | FULL))
    _enter(puppet, 0)
    for _ in range(2):
        assert [puppet.load(WINDOW + i, 0) for i in range(2)] == [100, 101]
    for page, misses in ((WINDOW + 1, 0), (WINDOW, 1)):
        _execute(puppet, asm.sfence_vma(asm.T0, 0), page * PAGE)
        before = _missed(puppet)
        assert puppet.load(WINDOW, 0) == 100
        more = _missed(puppet) - before
        assert min(more, 1) == misses, f"{more} misses, not {misses}"


def what_is_replaced_is_forgotten(core: Core) -> None:
    """By all harts: an entry gives way to another when its page is written."""
    puppet = _kernel(Host(core, 512, harts=2), "EMULATE", "LAZY", vcpus=2)
    host, lib = puppet.host, puppet.lib
    puppet.write(LEAVES * PAGE, _word(OLD << 10 | FULL & ~4))
    idle = CODE * PAGE + TRAP
    assert puppet.call(0, 1, idle, 0, extension=SBI_HSM) == 0
    for vcpu in range(2):
        none = puppet.ffi.NULL
        host.ok(
            lib.hv_affinity_set(host.raw, puppet.id, vcpu, 1 << vcpu, none, 0)
        )
        puppet.vcpu = vcpu
        _enter(puppet, 0)
        assert puppet.load(WINDOW, 0) == 100
    puppet.write(LEAVES * PAGE, _word(NEW << 10 | FULL))
    puppet.vcpu = 0
    assert puppet.act(STORE, t0=WINDOW * PAGE, t1=7)
    host.audit()
    puppet.vcpu = 1
    assert puppet.load(WINDOW, 0) == 7


def tables_that_are_shared_stay_known(core: Core) -> None:
    """That they are kept once now changes nothing that they say."""
    host = Host(core, 512)
    pair = [_kernel(host, "EMULATE", "LAZY") for _ in range(2)]
    for n, puppet in enumerate(pair):
        for i in range(SPACES):  # only the tables are equal
            puppet.write((OLD + i) * PAGE + 4, _word(n + 1))
        assert _seen(puppet) == [100 + i for i in range(SPACES)]
    host.scan()
    for puppet in pair:
        assert puppet.frame(LEAVES) == pair[0].frame(LEAVES)
        _enter(puppet, 0)
        puppet.load(CODE, 0)
        fills = puppet.counter("shadow_fills")
        assert puppet.load(WINDOW, 0) == 100
        assert puppet.counter("shadow_fills") == fills
    host.audit()


def a_page_with_many_names_loses_the_oldest(core: Core) -> None:
    """Which is forgotten by the TLB, too."""
    puppet = _kernel(Host(core, 512), "EMULATE", "LAZY")
    entry = _word(OLD << 10 | FULL)
    puppet.write(LEAVES * PAGE, entry * 200)
    _enter(puppet, 0)
    for page in range(WINDOW, WINDOW + 200):
        assert puppet.load(page, 0) == 100
        puppet.load(WINDOW, 0)  # it is not the TLB that forgets it
        puppet.host.audit()
    frame = core.ffi.new("struct hv_frame *")
    hfn = puppet.frame(OLD)
    assert hfn is not None
    puppet.host.ok(core.lib.hv_frame_info(puppet.host.raw, hfn, frame))
    assert 100 < frame.entries <= RMAP_MAX, f"{frame.entries} names"


def a_fence_is_of_the_last_window_too(core: Core) -> None:
    """Of whatever a root can name."""
    for index in (0, 31, 32, 991, 992, 1023):
        puppet = _kernel(Host(core, 512), "EMULATE", "LAZY")
        slot = ROOTS * PAGE + 4 * index
        _enter(puppet, 0)
        for table, told in ((LEAVES, 100), (LEAVES + 1, 101)):
            puppet.write(slot, _word(table << 10 | 1))
            _execute(puppet, asm.sfence_vma(0, 0))
            assert puppet.load(index << 10, 0) == told, f"stale: {index}"
        puppet.host.audit()


CHECKS = (
    what_is_replaced_is_forgotten_elsewhere,
    what_is_dropped_takes_its_time,
    a_root_is_not_let_go,
    a_fence_of_everything_is_that,
    what_was_rewritten_is_looked_at,
    a_fence_is_of_the_last_window_too,
    a_page_with_many_names_loses_the_oldest,
    tables_that_are_shared_stay_known,
    a_fence_of_a_page_is_of_no_other,
    what_is_replaced_is_forgotten,
    a_remote_fence_is_of_all_its_pages,
    a_range_is_no_more_than_that,
    what_is_dropped_is_counted,
    a_long_fence_is_whole,
    a_link_is_what_the_root_says,
    a_fence_goes_with_its_vcpu,
    what_is_current_stays,
    each_store_is_followed,
    each_byte_from_outside_is_followed,
)
