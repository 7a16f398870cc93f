"""A host that is put back is the host that it was, to the last bit.

The oracle is a twin to which nothing was ever done: after a reset both go on,
and must stay the same, with their clocks, counters and consoles.
"""

import os
import random

import pytest

from tests.control.elfs import words
from tests.equivalence.core import Core, good_core
from tests.machine import asm
from tests.snapshot.world import RAM_BASE, Shape, World, difference, trouble

NIGHTLY = os.environ.get("HV_TEST_PROFILE") == "nightly"
SEEDS = range(200 if NIGHTLY else 4)


def back_and_on(core: Core, shape: Shape) -> None:
    """There is nothing in which it and its twin differ."""
    assert difference(core, shape) == "", f"{shape}"


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "ref"])
@pytest.mark.parametrize("bare", [True, False], ids=["bare", "vms"])
@pytest.mark.parametrize("harts", [1, 2, 4])
def test_back_and_on(harts: int, *, bare: bool, fast: bool) -> None:
    for seed in SEEDS:
        back_and_on(good_core(), Shape(seed, bare, fast, harts))


def many_marks(core: Core, seed: int) -> None:
    """Marks are put back in any order, but later ones are gone then."""
    rng = random.Random(seed)
    world = World(core, Shape(seed=seed, harts=1 + seed % 3))
    marks: list[tuple[int, list[object], list[int]]] = []
    for _ in range(60):
        what = rng.random()
        if what < 0.35 or not marks:
            marks.append((world.mark(), world.state(), list(world.vms)))
        elif what < 0.5:
            mark, _, _ = marks.pop(rng.randrange(len(marks)))
            world.call("hv_mark_drop", mark)
        elif what < 0.7:
            del marks[rng.randrange(len(marks)) + 1 :]
            mark, state, vms = marks[-1]
            world.reset(mark)
            world.vms = list(vms)
            assert world.state() == state
        trouble(world, rng, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_many_marks(seed: int) -> None:
    many_marks(good_core(), seed)


def test_marks_that_are_not_there() -> None:
    world = World(good_core(), Shape())
    lib, host = world.lib, world.host
    first, second = world.mark(), world.mark()
    assert first != second
    world.reset(first)
    for function in (lib.hv_reset, lib.hv_mark_drop):
        assert function(host, second) == lib.HV_ERR_INVALID
        assert function(host, 0) == lib.HV_ERR_INVALID
        assert function(world.ffi.NULL, first) == lib.HV_ERR_INVALID
    world.call("hv_mark_drop", first)
    assert lib.hv_reset(host, first) == lib.HV_ERR_INVALID
    assert world.mark() not in (first, second)
    assert lib.hv_mark(host, world.ffi.NULL) == lib.HV_ERR_INVALID


def what_was_written(core: Core, shape: Shape) -> None:
    """Every frame that changed is named, and few others."""
    rng = random.Random(shape.seed)
    world = World(core, shape)
    world.run(500)
    mark = world.mark()
    changed = named = 0
    for _ in range(10):
        before = world.ram()
        trouble(world, rng, 2)
        after = world.ram()
        frames = {
            (RAM_BASE + at) >> 12
            for at in range(0, len(after), 4096)
            if after[at : at + 4096] != before[at : at + 4096]
        }
        written = world.written()
        assert len(set(written)) == len(written)
        assert frames <= set(written)
        changed += len(frames)
        named += len(written)
        assert world.written() == []
    assert named < 4 * changed + 40
    world.reset(mark)
    assert world.written() == []


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "ref"])
@pytest.mark.parametrize("harts", [1, 2])
def test_what_is_said_to_be_written(harts: int, *, fast: bool) -> None:
    for seed in SEEDS[: None if NIGHTLY else 3]:
        what_was_written(good_core(), Shape(seed, fast=fast, harts=harts))


LR_SC = asm.program(
    asm.li(asm.T0, RAM_BASE + 0x800),
    [asm.lr_w(asm.T1, asm.T0), asm.sc_w(asm.T2, asm.T1, asm.T0)],
)


def between_lr_and_sc(core: Core) -> None:
    """A reservation is state, too: the SC succeeds after a reset."""
    for fast in (True, False):
        world = World(core, Shape(bare=True, fast=fast))
        world.write(0, RAM_BASE, words(LR_SC))
        world.call("hv_reg_set", 0, 0, world.lib.HV_REG_PC, RAM_BASE)
        for _ in range(len(LR_SC) - 1):
            world.call("hv_step", 0, 0)
        mark = world.mark()
        for _ in range(2):
            world.call("hv_step", 0, 0)
            assert world.number("hv_reg_get", 0, 0, asm.T2) == 0
            world.write(0, RAM_BASE + 0x800, bytes(4))
            world.reset(mark)


def test_between_lr_and_sc() -> None:
    between_lr_and_sc(good_core())


# Counts, and stores the count to four pages in turn.
STORES = asm.program(
    asm.li(asm.T0, RAM_BASE + 0x10000),
    asm.li(asm.T1, 0x3000),
    [
        asm.addi(asm.S1, asm.S1, 1),
        asm.slli(asm.T2, asm.S1, 12),
        asm.and_(asm.T2, asm.T2, asm.T1),
        asm.add(asm.T2, asm.T2, asm.T0),
        asm.sw(asm.S1, 0x40, asm.T2),
        asm.j(-20),
    ],
)


def stores_all_the_time(core: Core) -> None:
    """A page that is written all the time is kept, and named each time."""
    for bare in (True, False):
        world = World(core, Shape(bare=bare))
        for vm in world.vms:
            world.write(vm, RAM_BASE, words(STORES))
            world.call("hv_reg_set", vm, 0, world.lib.HV_REG_PC, RAM_BASE)
        world.run(1000)
        mark, before = world.mark(), world.hash()
        for _ in range(3):
            for _ in range(2):
                world.run(200)
                assert len(world.written()) >= 4
            world.write(world.vms[0], RAM_BASE + 0x10FF0, bytes(range(64)))
            assert len(world.written()) == 2
            world.reset(mark)
            assert world.hash() == before


def test_stores_all_the_time() -> None:
    stores_all_the_time(good_core())


# The legacy call that writes a character, for ever.
_NEXT = asm.program(asm.li(asm.A7, 1), asm.addi(asm.A0, asm.S1, 0), asm.ECALL)
PRINTS = [*_NEXT, asm.addi(asm.S1, asm.S1, 1), asm.j(-4 - 4 * len(_NEXT))]


def large_consoles(core: Core, shape: Shape) -> None:
    """What waits to be fetched is there again, however much it is."""
    world = World(core, shape)
    for vm in world.vms:
        data = words(PRINTS)
        world.write(vm, RAM_BASE, data)
        world.call("hv_reg_set", vm, 0, world.lib.HV_REG_PC, RAM_BASE)
    world.run(240_000 * len(world.vms))
    mark, taken = world.mark(), world.taken()
    assert max(map(len, taken)) > 33_000
    for _ in range(2):
        world.run(20_000)  # into the buffer that was drained
        world.reset(mark)
        same = world.taken() == taken
        assert same  # and no difference of two long texts is worked out


def test_what_waits_on_consoles() -> None:
    large_consoles(good_core(), Shape())
    large_consoles(good_core(), Shape(bare=True))


def test_written_needs_a_mark_and_room() -> None:
    world = World(good_core(), Shape())
    lib, ffi = world.lib, world.ffi
    out, count = ffi.new("uint32_t[]", 8), ffi.new("uint32_t *")
    written = lib.hv_written
    assert written(world.host, out, 8, count) == lib.HV_ERR_STATE
    world.mark()
    world.write(world.vms[0], RAM_BASE, bytes(3 * 4096))
    assert written(world.host, out, 2, count) == 0
    assert count[0] == 3  # and they are not forgotten
    assert len(world.written()) == 3
    assert written(world.host, ffi.NULL, 8, count) == lib.HV_ERR_INVALID
    assert written(world.host, out, 8, ffi.NULL) == lib.HV_ERR_INVALID


@pytest.mark.unsanitized
def test_a_reset_leaves_nothing_behind() -> None:
    """A thousand times: VMs made and destroyed, and no memory is lost."""
    import resource  # noqa: PLC0415 -- not on every system

    world = World(good_core(), Shape())
    mark, vms, used = world.mark(), list(world.vms), []
    for i in range(1000):
        world.start(i, "EMULATE")
        world.call("hv_vm_destroy", world.vms[0])
        world.give(world.vms[1], bytes(5000))
        world.reset(mark)
        world.vms = list(vms)
        used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert used[-1] - used[99] < 1024  # KiB; one VM has more than 40


def test_memory_is_refused_on_demand() -> None:
    """Every allocation of making a VM can fail; the host is as before."""
    world = World(good_core(), Shape())
    lib, ffi = world.lib, world.ffi
    config = ffi.new("struct hv_vm_config *")
    lib.hv_vm_config_default(config)
    config.mem_size = 1 << 16
    config.shadow_frames = 8
    vm = ffi.new("uint32_t *")
    before, failed = world.state(), 0
    for n in range(1, 100):
        world.call("hv_fail_alloc", n)
        status = lib.hv_vm_create(world.host, config, vm, ffi.NULL, 0)
        world.call("hv_fail_alloc", 0)
        if status == 0:
            break
        assert status == lib.HV_ERR_NO_MEMORY
        assert world.state() == before
        failed += 1
    assert 3 < failed < 99
    bare = World(good_core(), Shape(bare=True))
    assert lib.hv_fail_alloc(bare.host, 1) == lib.HV_ERR_UNSUPPORTED
    assert lib.hv_fail_alloc(ffi.NULL, 1) == lib.HV_ERR_INVALID


def test_a_large_host() -> None:
    """256 MiB, and so many VMs that their structures are megabytes."""
    world = World(good_core(), Shape(ram=256 << 20))
    for i in range(30 if not NIGHTLY else 497):
        world.start(i, "EMULATE")
    world.run(10_000)
    mark, before, vms = world.mark(), world.state(), list(world.vms)
    world.run(10_000)
    for vm in vms[::3]:
        world.call("hv_vm_destroy", vm)
        world.vms.remove(vm)
    world.run(10_000)
    world.reset(mark)
    world.vms = vms
    assert world.state() == before
