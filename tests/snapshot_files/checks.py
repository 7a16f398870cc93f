"""What must hold of saving, restoring and forking, on any core.

The tests apply each check to the core as it is; test_planted.py to cores with
bugs in them, which must not pass.
"""

from collections.abc import Callable
from functools import partial

from hv.abi import Hypercall
from tests.equivalence.core import Core
from tests.machine import asm
from tests.memory.puppet import CODE, DATA, LOAD, LR, PAGE, SC, STORE, Puppet
from tests.snapshot_files.images import Image
from tests.snapshot_files.world import (
    PAGES,
    Computer,
    Copy,
    Refused,
    busy,
    counters,
    registers,
)

STYLES = ("PV", "EMULATE", "ASSIST", "NESTED")
TIME = 0x54494D45
MACHINE_TIME = 0xC01


def same(first: Puppet, second: Puppet, when: str) -> None:
    """Expect two guests in the same state."""
    assert registers(first) == registers(second), f"registers, {when}"
    assert first.populated() == second.populated(), f"memory, {when}"
    assert counters(first) == counters(second), f"counters, {when}"


def both(
    first: Puppet, second: Puppet, what: Callable[[Puppet], object]
) -> None:
    """Expect that the same happens to two guests."""
    assert what(first) == what(second), "an answer, later"
    same(first, second, "later")


def _use(i: int, vm: Puppet) -> tuple[int | None, bool, bool]:
    return (
        vm.load(DATA + i, 4),
        vm.change("store", DATA + i, 0, i),
        vm.change("sc", DATA + i, 4, i),
    )


def refusal(what: str, doing: Callable[[], object]) -> Refused:
    """Expect that C refuses; return what it says."""
    try:
        doing()
    except Refused as found:
        return found
    raise AssertionError(f"not refused: {what}")


def round_trip(core: Core) -> None:
    """What is restored is what was saved, and has the same future."""
    for style in STYLES:
        host, other = Computer(core), Computer(core)
        vm = busy(host, style)
        image = host.save(vm)
        host.audit()
        assert vm.info.shadow_frames == 0, "shadows are left"
        assert host.save(vm) == image, "saved twice"
        copy = other.restore(image)
        other.audit()
        same(vm, copy, "at once")
        assert other.save(copy) == image, "saved again"
        for i in range(7):
            both(vm, copy, partial(_use, i))
        assert host.save(vm) == other.save(copy), "saved later"
        other.audit()


def balloon(core: Core) -> None:
    """What a guest gave back is no memory after a restore, either."""
    host, other = Computer(core), Computer(core)
    vm = busy(host)
    gone = DATA + 2
    assert vm.balloon(Hypercall.BALLOON_GIVE, [gone, DATA + 9]) == 0
    copy = other.restore(host.save(vm))
    other.audit()
    assert copy.load(gone, 0) is None, "a page in the balloon is memory"
    assert copy.load(DATA + 9, 0) is None, "a page in the balloon is memory"
    assert vm.load(gone, 0) is vm.load(DATA + 9, 0) is None
    assert other.save(copy) == host.save(vm)
    assert copy.balloon(Hypercall.BALLOON_TAKE, [gone]) == 0
    assert copy.load(gone, 0) == 0
    other.audit()


def log(core: Core) -> None:
    """A log of stores goes on: what was noted, and what is to be."""
    host, other = Computer(core), Computer(core)
    vm = busy(host)
    host.ok(host.lib.hv_dirty_start(host.raw, vm.id))
    vm.change("store", DATA, 0, 5)
    copy = other.restore(host.save(vm))
    copy.change("store", DATA + 3, 0, 5)
    vm.change("store", DATA + 3, 0, 5)
    assert _fetch(vm) == _fetch(copy), "the log of stores"
    other.audit()


def _fetch(vm: Puppet) -> bytes:
    out, count = vm.ffi.new("uint8_t[]", PAGES), vm.ffi.new("uint32_t *")
    status = vm.lib.hv_dirty_fetch(vm.host.raw, vm.id, out, PAGES, count)
    vm.host.ok(status)
    return bytes(vm.ffi.buffer(out))


def _timed(vm: Puppet, ticks: int) -> None:
    now = vm.get(vm.lib.HV_REG_CSR + MACHINE_TIME)
    vm.call(0, now + ticks, 0, extension=TIME)


def timer(core: Core) -> None:
    """Time, and a timer, go on where they were, on an older machine or not."""
    for early in (0, 3000):
        host, other = Computer(core), Computer(core)
        vm = busy(host, "EMULATE")
        neighbour = busy(other, "EMULATE")
        for _ in range(early):
            neighbour.act(STORE, t0=DATA * PAGE, t1=1)
        _timed(vm, 100_000)
        image = host.save(vm)
        copy = other.restore(image)
        time = vm.lib.HV_REG_CSR + MACHINE_TIME
        assert vm.get(time) == copy.get(time), "the time"
        # Saving takes a little time itself: a fence of the TLB.
        then = Image.parse(image).get("VCPU", "timer")
        left = Image.parse(other.save(copy)).get("VCPU", "timer")
        assert then - 2 <= left <= then, "the timer"
        _timed(copy, 10_000)
        left = Image.parse(other.save(copy)).get("VCPU", "timer")
        assert 9_000 < left <= 10_000, "a timer that is set later"
        other.audit()


def reservation(core: Core) -> None:
    """No store-conditional succeeds across a save, here or there."""
    for style in STYLES:
        host, other = Computer(core), Computer(core)
        vm = busy(host, style)
        vm.act(LOAD, t0=DATA * PAGE)
        assert vm.act(LR, t0=DATA * PAGE)
        copy = other.restore(host.save(vm))
        for guest in (vm, copy):
            # Its translations are gone: one store, to have them again, would
            # lose the reservation, too. So the SC itself decides.
            guest.act(SC, t0=DATA * PAGE, t1=99)
            assert guest.get(asm.T2) == 1, f"an SC succeeds: {style}"


HOSTILE = [
    *(("VM  ", name, value) for name, value in (
        ("style", 4), ("style", 77), ("sync", 0), ("sync", 5),
        ("mem_size", 0), ("mem_size", 4097), ("mem_size", 1 << 31),
        ("mem_size", (PAGES - 1) * PAGE), ("mem_size", (PAGES + 1) * PAGE),
        ("vcpus", 0), ("vcpus", 2), ("vcpus", 9), ("shadow_frames", 3),
        ("shadow_frames", 65537), ("minimum", 1 << 31), ("weight", 0),
        ("cap", 801), ("budget", 1), ("gang", 2), ("ad_fault", 2),
        ("leaky", 2), ("state", 6), ("rebooted", 2), ("balloon_target", 0),
        ("balloon_target", PAGES + 1), ("balloon_said", 3), ("logging", 2),
    )),
    *(("VCPU", name, value) for name, value in (
        ("state", 3), ("order", 1), ("order", 8), ("affinity", 0),
        ("home", 8), ("x", 1), ("pc", 2), ("mode", 3), ("mode", 2),
        ("sstatus", 1 << 3), ("sstatus", 0xFFFF_FFFF), ("sie", 1 << 3),
        ("sip", 1 << 9), ("stvec", 2), ("scounteren", 8), ("sepc", 2),
        ("satp", 1 << 22), ("shared_set", 2), ("shared", 0x7000_0000),
        ("shared", 0x8000_0000 + PAGES * PAGE), ("shared", 0x8000_1040),
        ("entry_set", 2), ("entry", 2), ("stack", 8), ("kicked", 2),
        ("polls", 1), ("sta_set", 1), ("sta", 32),
    )),
    *(("UART", name, value) for name, value in (
        ("ier", 16), ("fcr", 2), ("mcr", 32), ("thre_irq", 2),
        ("rx_count", 2), ("rx_count", 17),
    )),
    *(("PLIC", name, value) for name, value in (
        ("priority", 1), ("lines", 1), ("pending", 1), ("claimed", 1),
        ("enable", 1), ("threshold", 8),
    )),
]  # fmt: skip
CLEAN, GONE = 2 << 8, 4 << 8
ABSENT, ZERO, CONTENT = 0, 1, 2
MAPS = [
    [],
    [(PAGES, ABSENT, 0)],  # not even the page that the hypervisor writes to
    [(PAGES + 1, ZERO, 0)],
    [(PAGES - 1, ZERO, 0)],
    [(0, ZERO, 0), (PAGES, ZERO, 0)],
    [(PAGES, ZERO, 0), (1, ZERO, 0)],
    [(0xFFFF_FFFF, ZERO, 0), (PAGES + 1, ZERO, 0)],
    [(PAGES, ZERO, 1)],
    [(PAGES, ZERO | CLEAN, 0)],  # nothing is logged
    [(PAGES, ZERO | GONE, 0)],
    [(PAGES, ABSENT | GONE | CLEAN, 0)],
    [(PAGES, ABSENT | 1 << 8, 0)],  # shared
    [(PAGES, 3, 0)],
    [(1, CONTENT, 0xFFFF_FFFF), (PAGES - 1, ZERO, 0)],
    [(2, CONTENT, 0xFFFF_FFFF), (PAGES - 2, ZERO, 0)],
]


def _refused(host: Computer, image: bytes, what: str) -> None:
    before = host.facts()
    found = refusal(what, partial(host.restore, image))
    assert found.status == host.lib.HV_ERR_IMAGE, f"{what}: {found}"
    assert str(found), what
    assert host.facts() == before, f"a refusal has an effect: {what}"


def hostile_fields(core: Core) -> None:
    """Every field that no VM can have is refused, and nothing changes."""
    host, other = Computer(core), Computer(core)
    vm = busy(host)
    busy(other)
    good = host.save(vm)
    for tag, name, value in HOSTILE:
        image = Image.parse(good)
        image.set(tag, name, value)
        _refused(other, image.pack(), f"{name} {value:#x}")
    for runs in MAPS:
        image = Image.parse(good)
        image.set_runs(runs)
        _refused(other, image.pack(), f"a map {runs}")
    other.audit()


def beyond_the_end(core: Core) -> None:
    """No byte behind the image is read, whatever lengths it names."""
    host, other = Computer(core), Computer(core)
    good = host.save(busy(host))
    pages = len(Image.parse(good).section("DATA")) // PAGE
    image = Image.parse(good)
    runs = image.runs()
    runs[0] = (runs[0][0], runs[0][1], pages)
    image.set_runs(runs)
    packed = image.pack()
    secret = b"\xee" * (4 * PAGE)
    before = other.facts()
    try:
        copy = other.restore(packed + secret, len(packed))
    except Refused:
        assert other.facts() == before
        return
    assert copy.read(CODE * PAGE, 4) != secret[:4], "bytes behind the image"
    raise AssertionError("restored with contents that it has not")


def short_of_memory(core: Core) -> None:
    """A host that has not the memory refuses, and nothing changes."""
    host = Computer(core)
    image = host.save(busy(host))
    for overcommit in (0, 1):
        other = Computer(core, 22, admission=overcommit)
        first = busy(other, shadow_frames=4, min_size=4 * PAGE)
        before = other.facts()
        found = refusal("no memory", partial(other.restore, image))
        assert found.status == other.lib.HV_ERR_NO_MEMORY, str(found)
        assert other.facts() == before, "a refusal has an effect"
        assert busy_again(first)
        other.audit()


def busy_again(vm: Puppet) -> bool:
    """It still runs."""
    return vm.change("store", DATA + 7, 0, 3)


def fork(core: Core) -> None:
    """Parent and child have the same, and then never meet again."""
    for style in STYLES:
        host = Computer(core, 512)
        vm = busy(host, style)
        before = host.used
        child = host.fork(vm)
        host.audit()
        assert host.used - before <= 1, "a fork copies pages"
        _alike(vm, child)
        for i, writer in enumerate(("store", "amo", "sc", "api", "console")):
            assert vm.change(writer, DATA + i, 16, 0xAAAA)
            assert word(child, DATA + i) != 0xAAAA, (
                f"seen by the child: {writer}"
            )
            assert child.change(writer, DATA + i, 16, 0xBBBB)
            assert word(vm, DATA + i) == 0xAAAA, f"seen by the parent: {writer}"
            host.audit()
        for guest in (vm, child):  # to be told of it, the page is written to
            assert guest.load(0x70000, 0) is None
            host.audit()
        grandchild = host.fork(child)
        child.destroy()
        host.audit()
        assert word(grandchild, DATA) == 0xBBBB
        vm.destroy()
        host.audit()
        assert grandchild.change("store", DATA, 16, 1)


def word(vm: Puppet, gfn: int) -> int:
    """Return a word of its memory."""
    return int.from_bytes(vm.read(gfn * PAGE + 16), "little")


def _alike(vm: Puppet, child: Copy) -> None:
    assert registers(vm) == registers(child), "registers of a fork"
    assert vm.populated() == child.populated(), "memory of a fork"
    assert counters(vm) == counters(child), "counters of a fork"


def fork_refused(core: Core) -> None:
    """A strict host promises the child all, and the parent to copy."""
    host = Computer(core, 40)
    vm = busy(host)
    before = host.facts()
    found = refusal("no memory", partial(host.fork, vm))
    assert found.status == host.lib.HV_ERR_NO_MEMORY, str(found)
    assert host.facts() == before, "a refusal has an effect"
    assert busy_again(vm)
    host.audit()


CHECKS: dict[str, Callable[[Core], None]] = {
    check.__name__: check
    for check in (
        round_trip,
        balloon,
        log,
        timer,
        reservation,
        hostile_fields,
        beyond_the_end,
        short_of_memory,
        fork,
        fork_refused,
    )
}
