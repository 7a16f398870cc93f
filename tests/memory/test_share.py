"""Equal pages are kept once; nobody notices but the host."""

import struct
from random import Random

import pytest

import hv
from hv import images
from tests.equivalence.core import Core, build, good_core, planted
from tests.memory.puppet import DATA, PAGE, SHARED, Host, Puppet

WORK = "run=sieve,crc,ping,forks"


@pytest.mark.parametrize("style", ["PV", "EMULATE", "NESTED"])
@pytest.mark.parametrize("n", [2, 5])
def test_n_guests_with_s_equal_pages_save_all_but_one(
    n: int, style: str
) -> None:
    host = Host(good_core(), 512)
    puppets = [Puppet(host, 32, style) for _ in range(n)]
    for puppet in puppets:
        for i in range(6):
            puppet.write((DATA + i) * PAGE, bytes([i + 1]) * PAGE)
        puppet.write((DATA + 10) * PAGE, bytes([puppet.id]) * 8)
        puppet.write((DATA + 11) * PAGE, bytes(8))  # zeros are equal, too
    code = 1
    zeros = sum(
        data == bytes(PAGE) and gfn != SHARED
        for gfn, data in puppets[0].populated().items()
    )
    before = host.used
    saved = host.scan()
    assert saved == (n - 1) * (6 + code + zeros) + zeros - 1
    assert host.used == before - saved
    host.audit()
    assert host.info.frames_shared == 6 + code + 1
    assert sum(puppet.counter("shared") for puppet in puppets) == saved


def colliding(page: list[int], i: int, j: int) -> list[int]:
    """Return a page that differs at i and j, and has the same hash."""
    states = []
    for words in (page, [*page[:i], page[i] ^ 0x8001, *page[i + 1 :]]):
        state = 0x811C9DC5
        for word in words[:j]:
            state = (state ^ word ^ state >> 15) * 0x01000193 % (1 << 32)
        states.append(state ^ state >> 15)
    other = page.copy()
    other[i] ^= 0x8001
    other[j] ^= states[0] ^ states[1]
    return other


def only_equals_are_shared(core: Core) -> None:
    """Whoever knows the hash can make pages that have the same."""
    rng = Random(1)
    words = [rng.getrandbits(32) for _ in range(PAGE // 4)]
    places = [(0, 1), (0, 64), (63, 127), (62, 126), (31, 1023), (959, 1023)]
    for i, j in places:
        host = Host(core, 64)
        pair = [Puppet(host, 8) for _ in range(2)]
        pages = [words, colliding(words, i, j)]
        for puppet, page in zip(pair, pages, strict=True):
            puppet.write(DATA * PAGE, struct.pack("<1024I", *page))
        host.scan()
        frames = {puppet.frame(DATA) for puppet in pair}
        assert len(frames) == len(pair), f"pages that differ at {i} are shared"
        host.audit()


def a_scan_is_as_long_as_asked(core: Core) -> None:
    """It goes on where it was; and all in pieces is all at once."""
    host = Host(core, 128)
    pair = [Puppet(host, 16) for _ in range(2)]
    for puppet in pair:
        for i in range(4):
            puppet.write((DATA + i) * PAGE, bytes([i + 1]) * PAGE)
    host.scan(9)  # a round that begins anew begins with the first page
    for puppet in pair:
        puppet.write((DATA + 9) * PAGE, bytes([9]) * PAGE)
    assert host.scan() >= 5
    for puppet in pair:
        for i in range(4):
            puppet.write((DATA + i) * PAGE, bytes([i + 11]) * PAGE)
    merged = [host.scan(1) for _ in range(32)]
    assert max(merged) == 1, "it looks at more than it was asked to"
    assert sum(merged) >= 4
    assert host.scan() == 0
    host.audit()


def a_scan_without_memory_says_so(core: Core) -> None:
    """It keeps lists; where there is no room for them, nothing is merged."""
    host = Host(core, 64)
    for _ in range(2):
        Puppet(host, 8).write(DATA * PAGE, b"equal" * 100)
    out = host.ffi.new("uint32_t *", 7)
    host.ok(host.lib.hv_fail_alloc(host.raw, 1))
    status = host.lib.hv_share_scan(host.raw, 0, out)
    assert status == host.lib.HV_ERR_NO_MEMORY, f"it said {status}"
    assert out[0] == 0
    host.ok(host.lib.hv_fail_alloc(host.raw, 0))
    assert host.scan() > 0
    host.audit()


def test_a_scan_without_memory_says_so() -> None:
    a_scan_without_memory_says_so(good_core())


def test_a_scan_is_as_long_as_asked() -> None:
    a_scan_is_as_long_as_asked(good_core())


def test_only_equals_are_shared() -> None:
    only_equals_are_shared(good_core())


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        (" && left[i] == right[i]", ""),
        ("i < 64; i++)\n            equal", "i < 63; i++)\n            equal"),
    ],
)
def test_who_believes_the_hash_is_found(text: str, instead: str) -> None:
    """So the pages above do collide."""
    core = Core(build(planted("hash", "hyp/share.c", text, instead)))
    with pytest.raises(AssertionError, match="that differ"):
        only_equals_are_shared(core)


def test_a_store_is_seen_by_nobody_else() -> None:
    host = Host(good_core(), 256)
    first, second = Puppet(host, 16), Puppet(host, 16)
    for puppet in (first, second):
        puppet.write(DATA * PAGE, b"equal" * 100)
    host.scan()
    assert first.frame(DATA) == second.frame(DATA)
    assert first.change("amo", DATA, 0, 1)
    assert first.frame(DATA) != second.frame(DATA)
    assert second.read(DATA * PAGE, 5) == b"equal"
    # The last one that has it keeps it, and copies nothing.
    kept = second.frame(DATA)
    assert second.change("store", DATA, 0, 2)
    assert second.frame(DATA) == kept
    assert second.counter("unshared") >= 1
    host.audit()


def test_scans_of_any_size_come_to_the_same() -> None:
    def used(step: int) -> int:
        host = Host(good_core(), 256)
        puppets = [Puppet(host, 32) for _ in range(3)]
        for puppet in puppets:
            for i in range(9):
                puppet.write((DATA + i) * PAGE, bytes([i % 4 + 1]))
        for _ in range(0, 3 * 32, step):
            host.scan(step)
        host.audit()
        return host.used

    assert len({used(step) for step in (1, 3, 96)}) == 1


def test_a_strict_host_shares_only_what_it_can_promise_to_copy() -> None:
    """Two VMs, all of whose memory is promised, and not a frame beyond."""
    host = Host(good_core(), 2 * (8 + 4))
    first, second = (Puppet(host, 8) for _ in range(2))
    for puppet in (first, second):
        puppet.write(DATA * PAGE, b"equal")
    assert host.scan() == 0
    host.audit()


@pytest.mark.images
@pytest.mark.parametrize("style", ["pv", "emulate", "assist", "nested"])
def test_programs_print_the_same_whether_pages_are_shared(style: str) -> None:
    """P38: but for the time it takes."""

    def printed(every: int) -> list[list[str]]:
        with hv.Hypervisor(ram="64MiB", engine="fast") as hypervisor:
            name = "kernel-pv" if style == "pv" else "kernel-native"
            vms = [hypervisor.create(style=style) for _ in range(2)]
            for vm in vms:
                vm.load(images.find(name).path, append=WORK)
                vm.boot()
            merged = 0
            while hypervisor.run(every).reason is hv.RunReason.BUDGET:
                merged += hypervisor.share() if every < 10**6 else 0
            hypervisor.audit()
            assert (merged > 100) == (every < 10**6)
            assert all(vm.exit_code == 0 for vm in vms)
            return [
                sorted(x for x in vm.console.text.splitlines() if "[" in x)
                for vm in vms
            ]

    assert printed(150_000) == printed(10**9)
