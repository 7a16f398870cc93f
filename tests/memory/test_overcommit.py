"""A host that promised more than it has: who waits, who is helped, who dies."""

from collections.abc import Callable
from itertools import pairwise

import pytest

import hv
from hv import images
from hv.abi import Hypercall
from tests.equivalence.core import Core, build, good_core, planted
from tests.machine import asm
from tests.memory.puppet import (
    CODE,
    DATA,
    FIRST,
    LISTS,
    PAGE,
    T0,
    T1,
    Host,
    Puppet,
    Starved,
)

OVERCOMMIT = {"admission": 1}
SATP = 0x180
WAIT = 2_000_000  # cycles: 20 ms


def host(frames: int = 64, **options: int) -> Host:
    return Host(good_core(), frames, **OVERCOMMIT, **options)


def fill(puppet: Puppet, pages: range) -> int:
    """Give each page contents of its own; return how many it got."""
    for i in pages:
        word = (puppet.id << 16 | i).to_bytes(4, "little")
        try:
            puppet.write((DATA + i) * PAGE, word)
        except Starved:
            return i - pages.start
    return len(pages)


def hungry(puppet: Puppet, pages: int) -> None:
    """Let it store to so many pages, and then do nothing for ever."""
    code = asm.program(
        asm.li(T0, DATA * PAGE), asm.li(T1, (DATA + pages) * PAGE),
        asm.sw(T0, 0, T0),
        asm.lui(asm.T2, 1), asm.add(T0, T0, asm.T2), asm.bltu(T0, T1, -12),
        asm.j(0),
    )  # fmt: skip
    puppet.write_words(CODE * PAGE + 64, code)
    puppet.set(puppet.lib.HV_REG_PC, CODE * PAGE + 64)


def test_strict_refuses_what_overcommit_makes() -> None:
    strict = hv.Hypervisor(ram="16MiB")
    with pytest.raises(hv.NoMemory, match="promised"):
        strict.create(mem="64MiB")
    strict.close()
    with hv.Hypervisor(ram="16MiB", admission="overcommit") as hypervisor:
        vms = [hypervisor.create(mem="64MiB") for _ in range(8)]
        assert hypervisor.info.frames_reserved == 8 * 64  # for shadows
        hypervisor.audit()
        for vm in vms:
            vm.destroy()
        assert hypervisor.info.frames_reserved == 0


def test_the_minimum_is_promised_and_no_more_than_there_is() -> None:
    with hv.Hypervisor(ram="4MiB", admission="overcommit") as hypervisor:
        vm = hypervisor.create(mem="64MiB", min_mem="2MiB")
        with pytest.raises(hv.NoMemory, match="wanted 512 frames"):
            hypervisor.create(mem="64MiB", min_mem="2MiB")
        other = hypervisor.create(mem="64MiB", shadow_frames=4)
        room = 1024 - 512 - 64 - 4
        for page in range(room):
            other.mem.write32(0x8000_0000 + page * PAGE, page + 1)
        with pytest.raises(hv.NoMemory):
            other.mem.write32(0x8000_0000 + room * PAGE, 1)
        for page in range(512):
            vm.mem.write32(0x8000_0000 + page * PAGE, page + 1)
        hypervisor.audit()
        # Nothing of what was there before is lost.
        assert other.mem.read32(0x8000_0000 + PAGE) == 2


def test_a_write_from_outside_that_fails_changes_nothing() -> None:
    with hv.Hypervisor(ram="1MiB", admission="overcommit") as hypervisor:
        vm = hypervisor.create(mem="4MiB", shadow_frames=4)
        with pytest.raises(hv.NoMemory):
            vm.mem.write(0x8000_0000, bytes(range(1, 256)) * 8192)
        # Its pages are there, and zero: they were promised to nobody.
        assert vm.mem.read(0x8000_0000, 1 << 20) == bytes(1 << 20)
        hypervisor.audit()


def test_who_needs_a_frame_waits_until_there_is_one() -> None:
    world = host()
    greedy, patient = (Puppet(world, 64) for _ in range(2))
    fill(greedy, range(60))
    assert world.info.frames_free == world.info.frames_reserved
    with pytest.raises(Starved):
        patient.change("store", DATA, 0, 7)
    world.audit()
    assert patient.counter("starved") == 1
    greedy.destroy()
    patient.host.run(1000)
    assert patient.load(DATA, 0) == 7
    world.audit()


def who_waits_takes_no_time(core: Core) -> None:
    """A vCPU without memory sleeps; the others have the machine."""
    costs = core.config({"insn": 1, "exit": 1000}).cost  # to look costs none
    world = Host(core, 64, cost=list(costs), **OVERCOMMIT)
    greedy, patient = Puppet(world, 64), Puppet(world, 64)
    hungry(greedy, 0)
    hungry(patient, 2)
    fill(greedy, range(60))
    exits = patient.counter("exits")
    world.run(200_000)
    assert patient.counter("starved") == 1
    more = patient.counter("exits") - exits
    assert more <= 2, f"it came {more} times while it waited"


def test_who_waits_takes_no_time() -> None:
    who_waits_takes_no_time(good_core())


def a_table_that_is_shared_waits_for_a_frame(core: Core) -> None:
    """Where A is to be set in one, it needs a copy first."""
    world = Host(core, 96, **OVERCOMMIT)
    pair = [Puppet(world, 64, "EMULATE", shadow_frames=8) for _ in range(2)]
    slot, rights = DATA * PAGE + 4 * (FIRST >> 10), 0x0F  # neither A nor D
    for puppet in pair:
        puppet.write(slot, (FIRST << 10 | rights).to_bytes(4, "little"))
    world.scan()
    assert pair[0].frame(DATA) == pair[1].frame(DATA)
    greedy = Puppet(world, 96)
    fill(greedy, range(90))
    assert world.info.frames_free == world.info.frames_reserved
    patient = pair[0]
    patient.set(patient.lib.HV_REG_CSR + SATP, 1 << 31 | DATA)
    with pytest.raises(Starved):
        patient.load(FIRST, 0)
    greedy.destroy()
    world.run(100)
    assert patient.load(FIRST, 0) is not None
    told = [int.from_bytes(p.read(slot), "little") & 0xFF for p in pair]
    assert told == [rights | 0x40, rights]
    assert [p.counter("ad_updates") for p in pair] == [1, 0]
    world.audit()


def test_a_table_that_is_shared_waits_for_a_frame() -> None:
    a_table_that_is_shared_waits_for_a_frame(good_core())


def who_waits_for_long_goes_on(core: Core) -> None:
    """It is woken for each frame that comes, and another takes each."""
    world = Host(core, 64, **OVERCOMMIT)
    quick, slow = Puppet(world, 256), Puppet(world, 64)
    quick.write(LISTS * PAGE, bytes(4))
    got = fill(quick, range(250))
    with pytest.raises(Starved):
        slow.change("store", DATA, 0, 7)
    for i in range(130):
        gone = quick.balloon(Hypercall.BALLOON_GIVE, [DATA + i])
        assert gone == 0
        assert quick.change("store", DATA + got + i, 0, i + 1)
        with pytest.raises(Starved):
            slow._step()
    assert slow.counter("starved") > 100
    world.audit()
    quick.destroy()
    world.run(1000)
    assert slow.load(DATA, 0) == 7
    world.audit()


def test_who_waits_for_long_goes_on() -> None:
    who_waits_for_long_goes_on(good_core())


def test_equal_pages_are_found_before_anybody_waits() -> None:
    world = host()
    first, second = (Puppet(world, 64) for _ in range(2))
    for i in range(20):
        for puppet in (first, second):
            puppet.write((DATA + i) * PAGE, (i + 1).to_bytes(4, "little"))
    left = world.info.frames_free - world.info.frames_reserved
    assert left < 20
    assert fill(first, range(20, 40)) == 20  # the scan has made room
    assert second.change("store", DATA, 0, 99)
    assert first.load(DATA, 0) == 1
    assert world.info.killed == 0
    world.audit()


def asked(puppet: Puppet) -> int:
    """Return how many pages too many it has, says the hypervisor."""
    for _ in range(2):  # how much is left is looked at on the way out
        assert puppet.call(Hypercall.BALLOON, 1) == 0
    return puppet.get(asm.A1)


def the_fair_share_is_asked_for(core: Core) -> None:
    """From where a 16th is left, until a quarter is free again."""
    world = Host(core, 64, **OVERCOMMIT)
    first, second = (Puppet(world, 64) for _ in range(2))

    def left() -> int:
        return int(world.info.frames_free - world.info.frames_reserved)

    filled = 0
    while left() >= 64 // 16:
        assert asked(first) == 0
        fill(second, range(filled, filled + 1))
        filled += 1
    assert filled > 30
    while left() < 64 // 4:
        assert asked(first) == 64 - (64 - world.info.frames_hyp) // 2
        filled -= 1
        gone = second.balloon(Hypercall.BALLOON_GIVE, [DATA + filled])
        assert gone == 0
    assert asked(first) == 0
    world.audit()


def what_was_promised_is_not_asked_for(core: Core) -> None:
    """However little there is: the rest is, if it is more than a fair share."""
    world = Host(core, 96, **OVERCOMMIT)
    promised = Puppet(world, 80, min_size=60 * PAGE)
    other = Puppet(world, 64)
    fill(other, range(64))
    assert asked(promised) == 80 - 60
    world.audit()


def test_what_was_promised_is_not_asked_for() -> None:
    what_was_promised_is_not_asked_for(good_core())


def test_the_fair_share_is_asked_for() -> None:
    the_fair_share_is_asked_for(good_core())


def test_the_one_with_most_beyond_its_promise_is_killed() -> None:
    world = host(frames=96)
    small = Puppet(world, 64)
    big = Puppet(world, 64)
    promised = Puppet(world, 64, min_size=40 * PAGE)
    fill(promised, range(36))
    fill(big, range(28))
    hungry(small, 38)
    for _ in range(3):  # one of them returns when a VM ends
        world.run(2_000_000)
    assert world.info.killed == 1
    assert "machine memory ran out" in big.reason
    assert (small.reason, promised.reason) == ("", "")
    assert all(small.load(DATA + i, 0) for i in range(38))
    assert promised.read((DATA + 35) * PAGE, 2) == (35).to_bytes(2, "little")
    assert big.info.frames == 0
    world.audit()


def empty(world: Host) -> int:
    """Boot a VM that has no page yet; return its number."""
    config = world.ffi.new("struct hv_vm_config *")
    world.lib.hv_vm_config_default(config)
    config.mem_size, config.shadow_frames = 16 * PAGE, 4
    vm, none = world.ffi.new("uint32_t *"), world.ffi.NULL
    world.ok(world.lib.hv_vm_create(world.raw, config, vm, none, 0))
    world.ok(world.lib.hv_vm_boot(world.raw, vm[0], CODE * PAGE, 0, 0))
    return int(vm[0])


def one_is_killed_at_a_time(core: Core) -> None:
    """Also if that has helped nobody: the next may wait as long."""
    world = Host(core, 64, **OVERCOMMIT)
    for _ in range(3):
        empty(world)
    left = world.info.frames_free - world.info.frames_reserved
    Puppet(world, 64, min_size=(left - 4) * PAGE)  # all that is left
    assert world.info.frames_free == world.info.frames_reserved
    times: list[int] = []
    while len(times) < 3:
        world.run(20_000)
        killed = int(world.info.killed)
        times += [int(world.info.cycles)] * (killed - len(times))
    waits = [after - before for before, after in pairwise(times)]
    assert min(waits) > WAIT - 100_000, waits
    world.audit()


def test_one_is_killed_at_a_time() -> None:
    one_is_killed_at_a_time(good_core())


def who_waits_for_nothing_is_left_alone(core: Core) -> None:
    """One within its promise is killed only if it asks for more itself."""
    world = Host(core, 64, **OVERCOMMIT)
    content = Puppet(world, 16, min_size=16 * PAGE)
    ended = Puppet(world, 16)
    fill(ended, range(4))
    ended.call(Hypercall.SHUTDOWN)
    vms = [empty(world) for _ in range(2)]
    left = world.info.frames_free - world.info.frames_reserved
    Puppet(world, 64, min_size=(left - 4) * PAGE)  # all that is left
    content.write_words(CODE * PAGE + 64, [asm.j(0)])
    content.set(content.lib.HV_REG_PC, CODE * PAGE + 64)
    info = core.ffi.new("struct hv_vm_info *")
    for _ in range(10):
        world.run(1_000_000)
    states = []
    for vm in vms:
        world.ok(core.lib.hv_vm_info(world.raw, vm, info))
        states.append(info.state == core.lib.HV_VM_KILLED)
    assert (states, content.reason) == ([True, True], "")
    assert (world.info.killed, ended.info.state) == (2, core.lib.HV_VM_OFF)
    world.audit()


def whoever_of_it_waits(core: Core) -> None:
    """One that asks for more is a victim, also if only its last vCPU waits."""
    world = Host(core, 64, **OVERCOMMIT)
    pair = Puppet(world, 16, "EMULATE", vcpus=3, min_size=PAGE)
    pair.write_words(CODE * PAGE + 64, [asm.j(0)])
    for vcpu, page in ((1, CODE), (2, DATA)):
        pair.start(vcpu, page * PAGE + 64)
    pair.set(pair.lib.HV_REG_PC, CODE * PAGE + 64)
    left = world.info.frames_free - world.info.frames_reserved
    Puppet(world, 64, min_size=(left - 4) * PAGE)  # all that is left
    for _ in range(5):
        world.run(1_000_000)
    assert "ran out" in pair.reason
    world.audit()


def test_whoever_of_it_waits() -> None:
    whoever_of_it_waits(good_core())


def test_who_waits_for_nothing_is_left_alone() -> None:
    who_waits_for_nothing_is_left_alone(good_core())


def test_of_equals_the_lowest_number_dies() -> None:
    world = host(frames=64)
    puppets = [Puppet(world, 64) for _ in range(3)]
    taken = world.info.frames_free - world.info.frames_reserved
    for puppet in puppets[:2]:
        fill(puppet, range(taken // 2))
    hungry(puppets[2], taken // 2 - 4)
    for _ in range(3):  # one of them returns when a VM ends
        world.run(2_000_000)
    assert [bool(p.reason) for p in puppets] == [True, False, False]
    world.audit()


def test_a_call_that_finds_no_memory_is_made_again() -> None:
    world = host()
    greedy, patient = (Puppet(world, 64) for _ in range(2))
    fill(greedy, range(60))
    given = patient.lib.hv_console_give(world.raw, patient.id, b"word", 4)
    assert given == 4
    with pytest.raises(Starved):
        patient.call(10, DATA * PAGE, 4)  # console_read
    greedy.destroy()
    patient.host.run(100)
    assert patient.read(DATA * PAGE, 4) == b"word"
    world.audit()


@pytest.mark.images
def test_three_kernels_where_there_is_room_for_one() -> None:
    """Promised 48 MiB of 3: pressure makes the balloons give way in time."""
    with hv.Hypervisor(
        ram="3MiB", engine="fast", admission="overcommit"
    ) as hypervisor:
        vms = []
        for _ in range(3):
            vm = hypervisor.create(style="pv", mem="16MiB", shadow_frames=32)
            image = images.find("kernel-pv").path
            vm.load(image, append="run=crc,sieve,ping")
            vm.boot()
            vms.append(vm)
        hypervisor.run()
        hypervisor.audit()
        assert [vm.exit_code for vm in vms] == [0, 0, 0]
        assert len({vm.console.text.count("checksum") for vm in vms}) == 1
        assert hypervisor.info.killed == 0


@pytest.mark.parametrize(
    ("check", "text", "instead"),
    [
        (
            the_fair_share_is_asked_for,
            "frames.count - hyp->",
            "frames.count + hyp->",
        ),
        (the_fair_share_is_asked_for, "left < hyp->", "left <= hyp->"),
        (the_fair_share_is_asked_for, "left >= hyp->", "left > hyp->"),
        (one_is_killed_at_a_time, "wake(hyp);\n    } else", ";\n    } else"),
    ],
)
def test_bugs_are_found(
    check: Callable[[Core], None], text: str, instead: str
) -> None:
    files = planted("reclaim", "hyp/reclaim.c", text, instead)
    with pytest.raises(AssertionError):
        check(Core(build(files)))
