"""A host that promised more than it has: who waits, who is helped, who dies."""

import pytest

import hv
from hv import images
from tests.equivalence.core import good_core
from tests.machine import asm
from tests.memory.puppet import (
    CODE,
    DATA,
    PAGE,
    T0,
    T1,
    Host,
    Puppet,
    Starved,
)

OVERCOMMIT = {"admission": 1}


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
    data = b"".join(word.to_bytes(4, "little") for word in code)
    puppet.write(CODE * PAGE + 64, data)
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
