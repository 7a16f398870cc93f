"""What the hypervisor's own work takes: calls, switches, VMs coming and going.

On the fast engine. Where a program repeats a thing, its loop is
measured with it.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import hv
from hv.bench import aims, clock
from hv.bench.machines import HEADROOM, guest_for, prepare
from hv.bench.programs import MEMORY, image_of, styles_of
from hv.bench.report import Figure, Skip
from hv.core import ffi, lib
from hv.fuzz import native, ops
from hv.fuzz.format import decode, encode

ENGINE = "fast"
OPERATIONS = 64  # of a program
WORLD = 8  # seeds of the generator that share one
MIB = 1 << 20

# Guests of a few instructions, for memory that a megabyte is plenty for.
SWITCH_OFF = (0x00800893, 0x00000073)  # li a7, 8; ecall: legacy SBI shutdown
SPIN = (0x0000006F,)  # j .
PAGES = 16
TOUCH_AND_WAIT = (
    0x800012B7,  # lui t0, 0x80001
    0x80011337,  # lui t1, 0x80011: 16 pages above
    0x0052A023,  # 1: sw t0, 0(t0)
    0x000013B7,  # lui t2, 1
    0x007282B3,  # add t0, t0, t2
    0xFE62EAE3,  # bltu t0, t1, 1b
    0x10500073,  # wfi
)

Measurement = Callable[[int], float]


def measure(turns: int, factor: int) -> tuple[list[Figure], list[Skip]]:
    """Measure every cost so often, in turns; return what could not be.

    :param factor: how much longer than a quick run each takes.
    """
    found: dict[str, tuple[aims.Aim, list[float]]] = {}
    skipped = []
    costs = list(_costs())
    for _ in range(turns):
        for aim, measurement in costs:
            values = found.setdefault(aim.name, (aim, []))[1]
            values.append(measurement(factor))
    figures = [aim.figure(values) for aim, values in found.values()]
    if Path("/proc/self/statm").exists():
        figures.append(aims.MEMORY.figure([resident_memory()]))
        figures.append(aims.CROWD.figure([crowd()]))
    else:
        skipped += [
            Skip(aim.name, "no /proc/self/statm: this is not Linux")
            for aim in (aims.MEMORY, aims.CROWD)
        ]
    return figures, skipped


def _costs() -> Iterator[tuple[aims.Aim, Measurement]]:
    yield aims.HYPERCALL, partial(loop, "hypercall", "pv", 100_000)
    yield aims.FIRMWARE, partial(loop, "call", "bare", 100_000)
    yield aims.MISS, partial(loop, "refill", "bare", 10, things=2048)
    for style in styles_of("call")[1:]:
        yield aims.sbi_call(style), partial(loop, "call", style, 100_000)
    for style in styles_of("csr")[1:]:
        yield aims.privileged(style), partial(loop, "csr", style, 100_000)
    for style in styles_of("refill")[1:]:
        fill = partial(loop, "refill", style, 10, things=2048)
        yield aims.refill(style), fill
    yield aims.SWITCH, lambda k: switch(50_000 * k)
    yield aims.SWITCHES, lambda k: 1e9 / switch(50_000 * k)
    yield aims.TRACED, lambda k: traced(10_000 * k)
    yield aims.CREATE, lambda k: create(100 * k)
    yield aims.LIVES, lambda k: lives(500 * k)
    yield aims.RESET, lambda k: reset(0, 500 * k)
    yield aims.RESET_PAGE, lambda k: reset_page(32, 500 * k)
    yield (
        aims.RESETS,
        lambda k: reset_page(512, 50 * k) / reset_page(32, 500 * k),
    )
    yield aims.PROGRAMS, lambda k: programs(50 * k, oracles=0)
    yield (
        aims.PROGRAMS_LOOKED_AT,
        lambda k: programs(20 * k, oracles=native.ALL_BUT_EACH),
    )
    yield aims.PAIRS, lambda k: programs(20 * k, oracles=0, twin=True)
    yield aims.EXIT, lambda k: exits(20_000 * k, api=False)
    yield aims.EXIT_API, lambda k: exits(5_000 * k, api=True)


def loop(
    name: str, style: str, rounds: int, factor: int, *, things: int = 1
) -> float:
    """Return the nanoseconds of one of the things that a program does.

    :param rounds: in a quick run; ``factor`` times as many in this one.
    :param things: how many a round has.
    """
    image = image_of(name, style)
    rounds *= factor
    with guest_for(ENGINE, style) as guest:
        prepare(guest, image, rounds)
        return _nanoseconds(guest.run_until, rounds * things)


def _nanoseconds(work: Callable[[], object], times: int) -> float:
    began = clock.mine()
    work()
    return (clock.mine() - began) / times


def switch(rounds: int, *, watched: bool = False) -> float:
    """Return the nanoseconds of a switch between two VMs that yield.

    :param watched: whether every event is noted, and fetched.
    """
    image = image_of("yield", "pv")
    with hv.Hypervisor(ram=2 * MEMORY + HEADROOM, engine=ENGINE) as host:
        vms = [host.create(style="pv", mem=MEMORY) for _ in range(2)]
        for vm in vms:
            prepare(vm, image, rounds)

        def both() -> None:
            for vm in vms:
                vm.run_until()

        with host.watch() if watched else nullcontext():
            spent = _nanoseconds(both, 1)
        return spent / sum(vm.counters["switches"] for vm in vms)


def traced(rounds: int) -> float:
    """Return how much longer a switch takes when every event is noted."""
    return switch(rounds, watched=True) / switch(rounds)


def small(host: hv.Hypervisor, code: tuple[int, ...]) -> hv.VM:
    """Make and boot a VM of 1 MiB that executes these words."""
    vm = host.create(mem=MIB)
    words = b"".join(word.to_bytes(4, "little") for word in code)
    vm.mem.write(vm.mem.base, words)
    vm.boot(vm.mem.base, 0, 0)
    return vm


def create(times: int) -> float:
    """Return the nanoseconds of making a VM, up to its first instruction."""
    spent = 0
    with hv.Hypervisor(ram=64 * MIB, engine=ENGINE) as host:
        for _ in range(times):
            began = clock.mine()
            vm = small(host, SPIN)
            vm.step()
            spent += clock.mine() - began
            vm.destroy()
    return spent / times


def lives(times: int) -> float:
    """Return how many VMs per second are created, run to their end, freed."""
    with hv.Hypervisor(ram=64 * MIB, engine=ENGINE) as host:

        def work() -> None:
            for _ in range(times):
                vm = small(host, SWITCH_OFF)
                vm.run()
                vm.destroy()

        return 1e9 / _nanoseconds(work, times)


def reset(pages: int, times: int) -> float:
    """Return the nanoseconds of going back to a mark, in C alone.

    :param pages: that are written before each; not in the time.
    """
    with hv.Hypervisor(ram=4 * MIB, engine=ENGINE) as host:
        vms = [small(host, SPIN) for _ in range(2)]
        first, data = vms[0].mem.base, bytes(range(1, 17))
        for page in range(pages):
            vms[page % 2].mem.write(first + page // 2 * lib.PAGE_SIZE, data)
        host.run(1000)
        mark = host.mark()
        call, function = host.host.call, lib.hv_reset
        spent = 0
        for _ in range(times):
            for page in range(pages):
                gpa = first + page // 2 * lib.PAGE_SIZE + 64
                call(lib.hv_mem_write, vms[page % 2].number, gpa, data, 16)
            began = clock.mine()
            call(function, mark.number)
            spent += clock.mine() - began
        return spent / times


def reset_page(pages: int, times: int) -> float:
    """Return what each page adds to that, in nanoseconds."""
    return (reset(pages, times) - reset(0, times)) / pages


def of_length(operations: int, seed: int, *, twin: bool) -> bytes:
    """Return a program of g3 that has just so many operations.

    :param twin: whether it is run twice, with other secrets in its first VM.
    """
    program = decode(native.generate("g3", seed))
    records = program.records
    while len(records) < operations:  # WORLD seeds share one
        seed += 1
        records += decode(native.generate("g3", seed)).records
    return encode(
        replace(
            program.with_records(records[:operations], 0, 0),
            flags=ops.flags()["twin"] if twin else 0,
        )
    )


def programs(times: int, *, oracles: int, twin: bool = False) -> float:
    """Return how many programs of 64 operations are executed per second.

    Of eight worlds, which are made before.
    """
    batch = [
        of_length(OPERATIONS, seed + world * WORLD, twin=twin)
        for world in range(8)
        for seed in range(WORLD)
    ]
    with native.wheat().context(oracles=oracles) as context:
        for program in batch:
            context.execute(program)

        def work() -> None:
            for i in range(times):
                context.execute(batch[i % len(batch)])

        return 1e9 / _nanoseconds(work, times)


def exits(times: int, *, api: bool) -> float:
    """Return the nanoseconds of one entry into C, for one instruction.

    :param api: whether by VM.run(), or by the C function alone.
    """
    with hv.Hypervisor(ram=64 * MIB, engine=ENGINE) as host:
        vm = small(host, SPIN)
        vm.run(1000)
        run = ffi.new("struct hv_run *")
        run.max_insns = 1
        call, function = host.host.call, lib.hv_run

        def by_c() -> None:
            for _ in range(times):
                call(function, run)

        def by_api() -> None:
            for _ in range(times):
                vm.run(1)

        return _nanoseconds(by_api if api else by_c, times)


def resident_memory(vms: int = 200) -> float:
    """Return what a VM takes of this process beside its pages, in KiB.

    Every VM has touched PAGES pages and the one with its code, and waits.
    """
    with hv.Hypervisor(ram=512 * MIB, engine=ENGINE) as host:
        small(host, TOUCH_AND_WAIT).run()  # what is made once is made
        before = _resident()
        touched = 0
        kept = []
        for _ in range(vms):
            vm = small(host, TOUCH_AND_WAIT)
            vm.run()
            touched += vm.info.frames * lib.PAGE_SIZE
            kept.append(vm)
        return (_resident() - before - touched) / vms / 1024


def crowd(vms: int = 500) -> float:
    """Return what a host with so many kernels at work takes, in KiB.

    Each has booted and computes; it was promised 512 KiB, and takes more.
    """
    image = hv.images.find("kernel-pv")
    before = _resident()
    with hv.Hypervisor(
        ram=768 * MIB, engine=ENGINE, slice=2000, admission="overcommit"
    ) as host:
        for _ in range(vms):
            vm = host.create(style="pv", mem=8 * MIB, min_mem=512 * 1024)
            vm.load(image.path, append="sieve")
            vm.boot()
        host.run(vms * 400_000)
        return (_resident() - before) / 1024


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * lib.PAGE_SIZE
