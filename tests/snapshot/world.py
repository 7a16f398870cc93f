"""Hosts that are in the middle of something, on a core of one's choice.

A world is a host with generated programs in it, bare or one in each of three
VMs, and what can be done to it from outside. What two worlds are compared by is
all that can be seen of them: the state's hash, counters, clocks, consoles.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.equivalence.core import CData, Core, good_core

RAM_BASE = 0x8000_0000
STYLES = ("EMULATE", "ASSIST", "NESTED")
RAM = 3 << 20
MEM = 1 << 18


@dataclass(frozen=True)
class Shape:
    """What a world is made of."""

    seed: int = 0
    bare: bool = False
    fast: bool = True
    harts: int = 1
    ram: int = RAM
    quantum: int = 40


class World:
    """One host, by the public C interface."""

    def __init__(self, core: Core, shape: Shape) -> None:
        self.core, self.shape = core, shape
        self.lib, self.ffi = core.lib, core.ffi
        config = self.ffi.new("struct hv_config *")
        self.lib.hv_config_default(config)
        config.m_mode = (
            self.lib.HV_M_FIRMWARE if shape.bare else self.lib.HV_M_HYPERVISOR
        )
        config.engine = (
            self.lib.HV_ENGINE_FAST if shape.fast else self.lib.HV_ENGINE_REF
        )
        config.ram_size = shape.ram
        config.harts = shape.harts
        config.quantum = shape.quantum
        config.slice = 50
        out = self.ffi.new("hv_host **")
        self.ok(self.lib.hv_host_new(config, out, self.ffi.NULL, 0))
        self.host = self.ffi.gc(out[0], self.lib.hv_host_free)
        self.vms: list[int] = []
        if shape.harts > 1:
            self.call("hv_interleave_seed", shape.seed + 1)
        for i in range(1 if shape.bare else len(STYLES)):
            self.start(shape.seed + 1000 * i, STYLES[i])

    def ok(self, status: int) -> None:
        assert status == 0, self.ffi.string(self.lib.hv_status_text(status))

    def call(self, name: str, *args: object) -> None:
        """Call a function of the interface, which must succeed."""
        self.ok(getattr(self.lib, name)(self.host, *args))

    def number(self, name: str, *args: object, kind: str = "uint32_t") -> int:
        """Call one that answers with a number."""
        out = self.ffi.new(f"{kind} *")
        self.call(name, *args, out)
        return int(out[0])

    # -- what can be done to it ----------------------------------------------

    def start(self, seed: int, style: str) -> None:
        """Boot the program of a seed, in a VM of this style or bare."""
        vm = 0
        if not self.shape.bare:
            config = self.ffi.new("struct hv_vm_config *")
            self.lib.hv_vm_config_default(config)
            config.mem_size = MEM
            config.shadow_frames = 8
            config.style = getattr(self.lib, f"HV_STYLE_{style}")
            out = self.ffi.new("uint32_t *")
            self.call("hv_vm_create", config, out, self.ffi.NULL, 0)
            vm = int(out[0])
        self.vms.append(vm)
        # One core makes the programs for all, so that they are the same.
        maker = good_core()
        size = maker.lib.HV_PRIVGEN_RAM
        image = maker.ffi.new("uint8_t[]", size)
        assert maker.lib.hv_privgen(seed, 0, image, size) == 0
        self.write(vm, RAM_BASE, bytes(maker.ffi.buffer(image)))
        self.call("hv_vm_boot", vm, RAM_BASE, 0, 0)

    def write(self, vm: int, gpa: int, data: bytes) -> None:
        self.call("hv_mem_write", vm, gpa, data, len(data))

    def run(self, insns: int) -> None:
        """Run so many instructions, unless there is nothing left to run."""
        run = self.ffi.new("struct hv_run *")
        while insns > 0:
            run.max_insns = insns
            self.call("hv_run", run)
            insns -= run.insns
            if run.reason in (self.lib.HV_RUN_DONE, self.lib.HV_RUN_IDLE):
                break

    def give(self, vm: int, data: bytes) -> None:
        taken = self.lib.hv_console_give(self.host, vm, data, len(data))
        assert taken == len(data)

    def mark(self) -> int:
        return self.number("hv_mark")

    def reset(self, mark: int) -> None:
        self.call("hv_reset", mark)

    def written(self) -> list[int]:
        """Return the frames written since last asked."""
        out = self.ffi.new("uint32_t[]", self.shape.ram >> 12)
        count = self.number("hv_written", out, len(out))
        return [int(out[i]) for i in range(count)]

    # -- what can be seen of it ----------------------------------------------

    def hash(self) -> int:
        return self.number("hv_hash", kind="uint64_t")

    def ram(self) -> bytes:
        out = self.ffi.new("uint8_t[]", self.shape.ram)
        self.call("hv_machine_read", RAM_BASE, out, len(out))
        return bytes(self.ffi.buffer(out))

    def taken(self) -> list[bytes]:
        """Return what the consoles hold, and drain them."""
        out = self.ffi.new("uint8_t[]", 1 << 16)
        return [
            bytes(
                self.ffi.buffer(out)[
                    : self.lib.hv_console_take(self.host, vm, out, len(out))
                ]
            )
            for vm in self.vms
        ]

    def counters(self) -> list[int]:
        """Return all counters of all harts."""
        group = self.lib.HV_COUNTERS_HART
        count = self.lib.hv_counter_count(group)
        out = self.ffi.new("uint64_t[]", count)
        found: list[int] = []
        for hart in range(self.shape.harts):
            self.call("hv_counters", hart, group, out, count)
            found += list(out)
        return found

    def facts(self) -> bytes:
        """Return what the host and its VMs say of themselves."""
        info = self.ffi.new("struct hv_host_info *")
        self.call("hv_host_info", info)
        found = bytes(self.ffi.buffer(info))
        for vm in self.vms:
            out = self.ffi.new("struct hv_vm_info *")
            self.call("hv_vm_info", vm, out)
            found += bytes(self.ffi.buffer(out))
        return found

    def state(self) -> list[object]:
        """Return all that can be seen without changing anything."""
        self.call("hv_audit", self.ffi.NULL, 0)
        return [self.hash(), self.counters(), self.facts()]


Trouble = Callable[[World, random.Random], None]


def _run(world: World, rng: random.Random) -> None:
    world.run(rng.choice((1, 10, 100, 1000)))


def _write(world: World, rng: random.Random) -> None:
    gpa = RAM_BASE + rng.randrange(0, 0x20000, 4)
    world.write(rng.choice(world.vms), gpa, rng.randbytes(64))


def _register(world: World, rng: random.Random) -> None:
    vm, reg = rng.choice(world.vms), rng.randrange(5, 16)
    world.call("hv_reg_set", vm, 0, reg, rng.getrandbits(32))


def _type(world: World, rng: random.Random) -> None:
    world.give(rng.choice(world.vms), rng.randbytes(rng.choice((1, 40, 3000))))


def _break(world: World, rng: random.Random) -> None:
    pc = RAM_BASE + rng.randrange(0, 0x2000, 4)
    world.call("hv_break", rng.choice(world.vms), pc, 1)
    world.call("hv_break", rng.choice(world.vms), pc, 0)


def _look(world: World, rng: random.Random) -> None:
    rng.random()
    world.taken()


def _step(world: World, rng: random.Random) -> None:
    vm = rng.choice(world.vms)
    info = world.ffi.new("struct hv_vm_info *")
    world.call("hv_vm_info", vm, info)
    if info.state == world.lib.HV_VM_RUNNABLE:
        world.lib.hv_step(world.host, vm, 0)


def _create(world: World, rng: random.Random) -> None:
    if len(world.vms) < 5:
        world.start(rng.randrange(100), rng.choice(STYLES))


def _destroy(world: World, rng: random.Random) -> None:
    if len(world.vms) > 1:
        vm = world.vms.pop(rng.randrange(len(world.vms)))
        world.call("hv_vm_destroy", vm)


def _restyle(world: World, rng: random.Random) -> None:
    style = getattr(world.lib, f"HV_STYLE_{rng.choice(STYLES)}")
    world.lib.hv_vm_set_style(world.host, rng.choice(world.vms), style)


def _resync(world: World, rng: random.Random) -> None:
    sync = getattr(world.lib, f"HV_SYNC_{rng.choice(('LAZY', 'TRACE'))}")
    world.lib.hv_vm_set_sync(world.host, rng.choice(world.vms), sync)


def _pause(world: World, rng: random.Random) -> None:
    vm = rng.choice(world.vms)
    if world.lib.hv_vm_pause(world.host, vm) == 0 and rng.random() < 0.5:
        world.call("hv_vm_resume", vm)


def _share(world: World, rng: random.Random) -> None:
    world.number("hv_share_scan", rng.choice((0, 50)))


def _log(world: World, rng: random.Random) -> None:
    vm = rng.choice(world.vms)
    if world.lib.hv_dirty_start(world.host, vm) == 0:
        _run(world, rng)


def _watch(world: World, rng: random.Random) -> None:
    world.call("hv_watch", 0xFFFFFFFF, rng.choice((1024, 4096)))
    world.run(100)
    events = world.ffi.new("struct hv_event[]", 10)
    world.lib.hv_watch_take(world.host, events, 10)
    world.call("hv_watch", 0, 0)


def _balloon(world: World, rng: random.Random) -> None:
    world.lib.hv_balloon_set(world.host, rng.choice(world.vms), 100)


ANYWHERE = (_run, _run, _run, _write, _register, _type, _break, _look, _step)
ON_VMS = (
    *(_create, _destroy, _restyle, _resync, _pause, _share, _log, _watch),
    _balloon,
)


def trouble(world: World, rng: random.Random, ops: int) -> None:
    """Do so many things to a world."""
    choice = ANYWHERE if world.shape.bare else (*ANYWHERE, *ON_VMS)
    for _ in range(ops):
        rng.choice(choice)(world, rng)


def difference(core: Core, shape: Shape, rounds: int = 6) -> str:
    """Mark, make trouble, go back; say what differs from an untouched twin.

    :returns: what it was, and in which round; empty if nothing did.
    """
    rng = random.Random(shape.seed)
    world, twin = World(core, shape), World(core, shape)
    ahead = rng.choice((0, 500, 2000))
    world.run(ahead)
    twin.run(ahead)
    mark = world.mark()
    before, vms = world.state(), list(world.vms)
    if before != twin.state():
        return "marking changed something"
    for i in range(rounds):
        trouble(world, rng, rng.choice((1, 5, 20)))
        world.reset(mark)
        world.vms = list(vms)
        if world.state() != before:
            return f"round {i}: the state after a reset"
    # Nothing to see; but is there something that comes out later?
    for i in range(4):
        for each in (world, twin):
            each.run(700)
            each.give(vms[0], b"again")
        if world.state() != twin.state():
            return f"piece {i} of what follows"
        if world.taken() != twin.taken():
            return f"piece {i}: the consoles"
    return ""
