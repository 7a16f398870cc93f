"""Wherever this computer has no memory left: an answer, and nothing changed.

Each call is made again and again, with the first request for memory failing,
then the second, and so on until there are no more. It says NO_MEMORY and has
changed nothing, or did without; the host audits clean, and the same call then
does what it would have done; at the end everything was given back.
"""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.control import programs as p
from tests.control.elfs import words
from tests.equivalence.core import planted
from tests.robust.alloc import AllocCore, World, alloc_library, good

STYLES = ("EMULATE", "PV", "ASSIST", "NESTED", "DIRECT")
PRINTS = words([*p.say("hello " * 50), *p.off()])
MOST = 400  # requests in one call; more would be a mistake of the test


def host(core: AllocCore, **options: int) -> World:
    """Make a host, with memory for it."""
    world = World(core, **options)
    assert world.make() == core.lib.HV_OK
    return world


def guest(core: AllocCore, style: str = "EMULATE", **options: int) -> World:
    """Make a host with a VM that has booted its program."""
    world = host(core, **options)
    assert world.create(style) == core.lib.HV_OK
    assert world.boot() == core.lib.HV_OK
    return world


def printing(core: AllocCore, **options: int) -> World:
    """Make a host with a VM that prints, or a bare machine that does."""
    world = host(core, **options)
    if options.get("m_mode", 0) == core.lib.HV_M_HYPERVISOR:
        assert world.create() == core.lib.HV_OK
    assert world.boot(PRINTS) == core.lib.HV_OK
    return world


def share(world: World) -> int:
    merged = world.ffi.new("uint32_t *")
    return int(world.lib.hv_share_scan(world.raw, 0, merged))


def rounds(world: World) -> int:
    asked = world.ffi.new("struct hv_round[]", 3)
    for each in asked:
        each.length, each.order = 5, [1, 0] + [0] * 6
    return int(world.lib.hv_interleave_set(world.raw, asked, 3))


def record(world: World) -> int:
    """Record many rounds: one that is lost is told when they are fetched."""
    world.lib.hv_interleave_record(world.raw, 1)
    assert world.run(3000) == world.lib.HV_OK
    count = world.ffi.new("uint32_t *")
    return int(
        world.lib.hv_interleave_get(world.raw, 0, world.ffi.NULL, 0, count)
    )


def give(world: World) -> int:
    """Type a line: what is taken of it is said."""
    line = b"x" * 1000
    taken = world.lib.hv_console_give(world.raw, world.vm, line, len(line))
    return int(
        world.lib.HV_OK if taken == len(line) else world.lib.HV_ERR_NO_MEMORY
    )


def bare(core: AllocCore, **options: int) -> World:
    """Make a bare machine that has booted its program; traps take time."""
    world = World(core, m_mode=core.lib.HV_M_FIRMWARE, **options)
    world.cost("trap", 1)
    assert world.make() == core.lib.HV_OK
    assert world.boot() == core.lib.HV_OK
    return world


def two_harts(core: AllocCore) -> World:
    return guest(core, harts=2, quantum=10)


Case = tuple[Callable[[AllocCore], World], Callable[[World], int]]

# What fails has changed nothing.
CALLS: dict[str, Case] = {
    **{
        f"create {name}": (
            host,
            lambda world, name=name: world.create(name),  # type: ignore[misc]
        )
        for name in STYLES
    },
    "create on two harts": (
        lambda core: host(core, harts=2),
        lambda world: world.create(vcpus=2, shadow_frames=16),
    ),
    "share": (guest, share),
    "audit": (guest, World.audit),
    "rounds": (two_harts, rounds),
    "watch": (
        guest,
        lambda world: int(world.lib.hv_watch(world.raw, 0xFF, 5000)),
    ),
}

# What can do without, does: guests cannot tell.
RUNS: dict[str, Case] = {
    "run in emulate": (guest, lambda world: world.run(5000)),
    "run in assist": (
        lambda core: guest(core, "ASSIST"),
        lambda world: world.run(5000),
    ),
    "run audited": (
        lambda core: guest(core, audit=1),
        lambda world: world.run(60),
    ),
    "run the fast engine": (
        lambda core: bare(core, engine=core.lib.HV_ENGINE_FAST),
        lambda world: world.run(5000),
    ),
    "print in a VM": (printing, lambda world: world.run(0)),
}

# What is lost is told.
TOLD: dict[str, Case] = {
    "record": (lambda core: bare(core, harts=2, quantum=10, engine=0), record),
    "type": (guest, give),
}


def requests(core: AllocCore, case: Case) -> int:
    """Return how often memory is asked for when all goes well."""
    world = case[0](core)
    core.lib.alloc_fail_at(0)
    assert case[1](world) == core.lib.HV_OK
    count = int(core.lib.alloc_calls())
    world.close()
    assert 0 < count <= MOST
    return count


def fail(core: AllocCore, case: Case, n: int) -> tuple[World, int, int]:
    """Make the call with its n-th request failing; and the hash before."""
    world = case[0](core)
    before = world.hash()
    blocks = core.lib.alloc_blocks()
    core.lib.alloc_fail_at(n)
    status = case[1](world)
    core.lib.alloc_fail_at(0)
    world.kept = core.lib.alloc_blocks() - blocks
    return world, status, before


def fails_cleanly(case: Case, core: AllocCore) -> None:
    """Let each request of a call fail; see that nothing comes of it."""
    blocks = core.lib.alloc_blocks()
    for n in range(1, requests(core, case) + 1):
        world, status, before = fail(core, case, n)
        assert status in (core.lib.HV_OK, core.lib.HV_ERR_NO_MEMORY,
                          core.lib.HV_ERR_STATE)  # fmt: skip
        if status != core.lib.HV_OK:
            assert world.hash() == before, f"request {n}: something changed"
            # At its end a host gives back what anybody forgot.
            assert world.kept == 0, f"request {n}: a leak"
        assert world.audit() == core.lib.HV_OK
        if status != core.lib.HV_OK:
            assert case[1](world) == core.lib.HV_OK
        world.close()
        assert core.lib.alloc_blocks() == blocks, f"request {n}: a leak"


@pytest.mark.parametrize("name", CALLS)
def test_a_call_fails_and_changes_nothing(name: str) -> None:
    fails_cleanly(CALLS[name], good())


@pytest.mark.parametrize("name", RUNS)
def test_a_guest_cannot_tell(name: str) -> None:
    core, case = good(), RUNS[name]
    blocks = core.lib.alloc_blocks()
    world, _, _ = fail(core, case, 0)
    want = world.told()
    world.close()
    for n in range(1, requests(core, case) + 1):
        world, status, _ = fail(core, case, n)
        assert status == core.lib.HV_OK
        assert world.told() == want, f"request {n}: the guest could tell"
        assert world.audit() == core.lib.HV_OK
        world.close()
        assert core.lib.alloc_blocks() == blocks, f"request {n}: a leak"


@pytest.mark.parametrize("name", TOLD)
def test_what_is_lost_is_told(name: str) -> None:
    core, case = good(), TOLD[name]
    for n in range(1, requests(core, case) + 1):
        world, status, _ = fail(core, case, n)
        assert status == core.lib.HV_ERR_NO_MEMORY
        assert world.audit() == core.lib.HV_OK
        assert case[1](world) == core.lib.HV_OK
        world.close()


@pytest.mark.parametrize("m_mode", ["HYPERVISOR", "FIRMWARE", "CODE"])
@pytest.mark.parametrize("engine", ["REF", "FAST"])
def test_a_host_is_made_or_not(m_mode: str, engine: str) -> None:
    core = good()
    options = {
        "m_mode": getattr(core.lib, f"HV_M_{m_mode}"),
        "engine": getattr(core.lib, f"HV_ENGINE_{engine}"),
    }
    blocks = core.lib.alloc_blocks()
    for n in range(1, 50):
        world = World(core, **options)
        core.lib.alloc_fail_at(n)
        status = world.make()
        asked = core.lib.alloc_calls()
        core.lib.alloc_fail_at(0)
        world.close()
        assert core.lib.alloc_blocks() == blocks, f"request {n}: a leak"
        if status == core.lib.HV_OK:
            break
        assert status == core.lib.HV_ERR_NO_MEMORY
    assert n == asked + 1 > 3


def test_a_batch_says_that_there_is_no_memory() -> None:
    """Of the lockstep: pairs of hosts, and what they print and log."""
    core = good()
    ffi, lib = core.ffi, core.lib
    vm = ffi.new("struct hv_vm_config *")
    lib.hv_vm_config_default(vm)
    out = ffi.new("struct hv_divergence *")
    coverage = ffi.new("struct hv_coverage *")
    blocks = lib.alloc_blocks()
    for n in range(1, MOST):
        lib.alloc_fail_at(n)
        status = lib.hv_lockstep_batch(
            *(core.config(), vm, 3, 1, lib.HV_LOCKSTEP_SHARES, 2000),
            *(out, coverage),
        )
        asked = lib.alloc_calls()
        lib.alloc_fail_at(0)
        assert lib.alloc_blocks() == blocks, f"request {n}: a leak"
        if asked < n:
            break
        assert status in (lib.HV_OK, lib.HV_ERR_NO_MEMORY, lib.HV_ERR_STATE)
    assert status == lib.HV_OK
    assert n > 10


def test_nothing_is_written_behind_a_block() -> None:
    assert good().lib.alloc_broken() == 0


def test_a_leak_would_be_found() -> None:
    """M07, L10: what a failure leaves behind (XSA-113, XSA-181)."""
    files = planted(
        *("half a VM", "hyp/shadow.c"),
        "            shadows_free(vm);\n            return false;\n",
        "            return vm->shadows.pool = NULL, false;\n",
    )
    core = AllocCore(alloc_library(files))
    with pytest.raises(AssertionError, match="a leak"):
        fails_cleanly(CALLS["create EMULATE"], core)


# A whole interpreter that may have 64 MiB more than it has: no word of Python's
# is in the way of the exception.
LIMITED = """
import resource, hv
with hv.Hypervisor(ram="8MiB") as small:
    used = int(open("/proc/self/statm").read().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
    for make in (
        lambda: hv.Hypervisor(ram="900MiB"),
        lambda: hv.Machine(ram="900MiB"),
        lambda: small.create(mem="900MiB"),
    ):
        try:
            make()
        except hv.NoMemory as error:
            print(type(error).__name__)
    vm = small.create(mem="1MiB")
    vm.mem.write(0x80000000, bytes.fromhex("6f000000"))
    vm.boot(0x80000000)
    vm.run(1000)
    small.audit()
    print("still there")
"""


@pytest.mark.unsanitized
def test_a_computer_with_little_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n")[:4] == [
        *["NoMemory"] * 3,
        "still there",
    ], done.stderr
