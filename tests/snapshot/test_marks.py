"""A host that is put back is the host that it was, to the last bit.

The oracle is a twin to which nothing was ever done: after a reset both go on,
and must stay the same, with their clocks, counters and consoles.
"""

import os
import random

import pytest

from tests.equivalence.core import good_core
from tests.snapshot.world import RAM_BASE, Shape, World, difference, trouble

NIGHTLY = os.environ.get("HV_TEST_PROFILE") == "nightly"
SEEDS = range(200 if NIGHTLY else 6)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "ref"])
@pytest.mark.parametrize("bare", [True, False], ids=["bare", "vms"])
@pytest.mark.parametrize("harts", [1, 2, 4])
def test_back_and_on(harts: int, *, bare: bool, fast: bool) -> None:
    for seed in SEEDS:
        shape = Shape(seed=seed, bare=bare, fast=fast, harts=harts)
        assert difference(good_core(), shape) == "", f"{shape}"


@pytest.mark.parametrize("seed", SEEDS)
def test_many_marks(seed: int) -> None:
    """Marks are put back in any order, but later ones are gone then."""
    rng = random.Random(seed)
    world = World(good_core(), Shape(seed=seed, harts=1 + seed % 3))
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


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "ref"])
@pytest.mark.parametrize("harts", [1, 2])
def test_what_is_said_to_be_written(harts: int, *, fast: bool) -> None:
    """Every frame that changed is named, and few others."""
    for seed in SEEDS:
        rng = random.Random(seed)
        world = World(good_core(), Shape(seed=seed, fast=fast, harts=harts))
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
