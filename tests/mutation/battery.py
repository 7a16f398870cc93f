"""What kills mutants: the quickest of the tests' own judges, one after another.

    python -m tests.mutation.battery LIBRARY [CHECK...]

LIBRARY is a core, on the memory of tests/robust/alloc.c; each CHECK is one of
tests/leaf, whose library is built by whoever made the mutant and given as
CHECK=LIBRARY. Ends with 0 if nothing was found, else with 1; says what found
it. A crash finds it, too.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hv.fuzz import native
from tests.direct.logged import Logged
from tests.direct.programs import Program
from tests.direct.world import World
from tests.equivalence import test_counters
from tests.equivalence.core import CData, Core
from tests.equivalence.lockstep import MOVES, SHARES, UNFENCED, Lockstep
from tests.equivalence.test_no_assert import KINDS, Host
from tests.harts import test_harts, test_interleave
from tests.leaf.leaflib import Leaf
from tests.memory.model import Memories
from tests.memory.puppet import DATA, PAGE, Puppet
from tests.memory.puppet import Host as MemoryHost
from tests.robust import test_limits
from tests.robust.alloc import AllocCore
from tests.robust.anycall import NEVER, Calls, functions

STRATEGIES = ("g3", "g4", "g2", "g5")
PROGRAMS = 4000
# Style, sync, flags and options of a batch of programs; and how many.
BATCHES = (
    ("EMULATE", "DEFAULT", 0, {"audit": 1}, 100),
    ("ASSIST", "DEFAULT", 0, {"audit": 1}, 200),
    ("NESTED", "DEFAULT", 0, {"audit": 1}, 200),
    ("EMULATE", "TRACE_STRICT", 0, {"ad_fault": 1}, 600),
    ("ASSIST", "TRACE", MOVES, {"asid_bits": 0}, 600),
    ("EMULATE", "TRACE", UNFENCED, {"audit": 1}, 200),
    ("EMULATE", "DEFAULT", MOVES | SHARES, {"audit": 1}, 300),
)


def programs(core: Core, strategy: str) -> None:
    """Let VMs do anything to each other, and ask the oracles."""
    fuzzed = native.Core(core.ffi, core.lib)
    with fuzzed.context(audit_every=8) as context:
        for _, found in context.batch(strategy, 0, PROGRAMS):
            assert found is None, str(found)


def lockstep(core: Core, n: int) -> None:
    """Compare programs in a VM with the bare machine."""
    style, sync, flags, options, count = BATCHES[n]
    judge = Lockstep(core, style=style, sync=sync, flags=flags, **options)
    differs = judge.run(0, count)
    assert differs is None, str(differs).splitlines()[0]
    counted = judge.coverage().vm
    assert all(n < 1 << 40 for n in counted.values()), "it counts down"


def memory(core: Core) -> None:
    """Let puppets write, share, balloon, log and move; ask the model."""

    class Mutated(Memories):
        pass

    Mutated.core = core
    host = MemoryHost(core, 256)
    pair = [Puppet(host, 16, style) for style in ("PV", "EMULATE")]
    for puppet in pair:
        puppet.write(DATA * PAGE, b"equal" * 100)
    saved = host.scan()
    assert sum(puppet.counter("shared") for puppet in pair) == saved > 0
    run_state_machine_as_test(
        Mutated,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        ),
    )


def direct(core: Core) -> None:
    """Let a kernel of style `direct` do anything; ask the specification."""
    for kind in (Program, Logged):
        for seed in range(20):
            world = World(core)
            kind(world, Random(seed)).run(60)
            assert counts(core, world.host, world.vm) < 1 << 40, (
                "it counts down"
            )


def counts(core: Core, host: CData, vm: int) -> int:
    """Return the largest of a VM's counters; 0 if it is no more."""
    n = core.lib.hv_counter_count(core.lib.HV_COUNTERS_VM)
    out = core.ffi.new("uint64_t[]", n)
    core.lib.hv_counters(host, vm, core.lib.HV_COUNTERS_VM, out, n)
    return max(map(int, out))


def harts(core: Core) -> None:
    """Let several harts race, count and wait."""
    for check in (
        *test_counters.CHECKS,
        test_limits.as_many_as_there_are_numbers,
        *test_harts.CHECKS.values(),
        *test_interleave.CHECKS,
    ):
        assert callable(check)
        check(core)


def hostile(core: Core) -> None:
    """Run noise, wild hypercalls and wild page tables, with audits."""
    for kind in KINDS:
        for seed in range(12):
            Host(core, kind, seed).run()


def calls(core: Core) -> None:
    """Make any calls from outside."""
    rng = Random(1)
    names = sorted(set(functions()) - NEVER)
    for _ in range(150):
        world = Calls(core)
        for _ in range(40):
            numbers = [rng.getrandbits(32) for _ in range(12)]
            name = rng.choice(names)
            status = world.call(name, numbers)
            assert status != core.lib.HV_ERR_BROKEN, f"{name}: broken"
        for host in world.hosts:
            why = core.ffi.new("char[]", 200)
            core.lib.hv_fail_alloc(host, 0)  # the audit's, if it was asked for
            assert core.lib.hv_audit(host, why, 200) == 0, core.ffi.string(why)
        world.close()


def stages(core: Core) -> Iterator[tuple[str, Callable[[], None]]]:
    """Return what is tried, the quickest first."""
    for strategy in STRATEGIES:
        yield strategy, partial(programs, core, strategy)
    for n, (style, sync, flags, _, _) in enumerate(BATCHES):
        if n == 3:
            for stage in (harts, memory, hostile, calls):
                yield stage.__name__, partial(stage, core)
        yield f"lockstep {style} {sync} {flags}", partial(lockstep, core, n)
    yield "direct", partial(direct, core)


def main() -> int:
    """Stop at the first that finds something."""
    library, *leaves = sys.argv[1:]
    for leaf in leaves:
        check, _, path = leaf.partition("=")
        _, wrong = Leaf(Path(path)).check(check)
        if wrong:
            print(f"leaf {check}: {wrong}")
            return 1
    core = AllocCore(Path(library))
    for name, stage in stages(core):
        try:
            stage()
            broken = core.lib.alloc_broken()
            assert broken == 0, "it writes behind its memory"
        except BaseException as error:  # noqa: BLE001 -- any of them tells
            said = (str(error) or type(error).__name__).splitlines()[0]
            print(f"{name}: {said[:150]}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
