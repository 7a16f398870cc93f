"""What kills mutants: the quickest of the tests' own judges, one after another.

First the harnesses of tests/leaf that include the changed file; then judges
that take a core, in short pieces and then longer ones; at last whole tests of
the quick suite, which see the changed core wherever they would see the core.
An error of any kind is a finding, and so is a crash.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from tempfile import NamedTemporaryFile

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hv.fuzz import native
from tests.direct import test_faults
from tests.direct.logged import Logged
from tests.direct.programs import Program
from tests.direct.world import World
from tests.equivalence import (
    test_charged,
    test_counters,
    test_ends,
    test_lines,
)
from tests.equivalence.core import ROOT, CData, Core, build
from tests.equivalence.lockstep import MOVES, SHARES, UNFENCED, Lockstep
from tests.equivalence.test_no_assert import KINDS, Host
from tests.guest import bugged
from tests.harts import test_harts, test_interleave
from tests.leaf.leaflib import CHECKS, SUBJECT, Leaf, harnesses, library
from tests.memory import calls as pv_calls
from tests.memory import fences, names, test_overcommit, test_share
from tests.memory.model import Memories
from tests.memory.puppet import DATA, PAGE, Puppet
from tests.memory.puppet import Host as MemoryHost
from tests.robust import test_limits, test_reasons, test_vms_leave_nothing
from tests.robust.alloc import AllocCore
from tests.robust.anycall import NEVER, Calls, functions
from tests.sched import cuts, scenario, test_deadlines, test_polls
from tests.sched.simlib import FLOORS, Library, simulator
from tests.spec import limits
from tests.spec.lives import Lives

STRATEGIES = ("g3", "g4", "g2")
FEW, MORE = 500, 1500
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


# Of the quick suite, what finds something that the judges do not.
TESTS = (
    *(f"tests/memory/test_{name}.py" for name in ("overcommit", "balloon")),
    *(f"tests/control/test_{name}.py" for name in ("guest", "nested")),
    *("tests/control/test_hypervisor.py", "tests/control/test_scheduling.py"),
    *("tests/sched/test_paravirtual.py", "tests/control/test_trace.py"),
    "tests/snapshot_files/test_checks.py",
    "tests/sched/test_guests.py::test_all_time_is_somebodys",
    "tests/sched/test_slots.py::test_a_vm_cannot_tell_what_others_do[nested-1]",
    *(
        "-k",
        "not chunks and not pieces and not threads and not misuse and not bugs",
    ),
)


@dataclass(frozen=True)
class Suspect:
    """A core with a changed file.

    :ivar library: of it, on the memory of tests/robust/alloc.c.
    :ivar files: its sources; ``file`` is the changed one.
    """

    library: Path
    files: dict[str, str]
    file: str


def leaves(suspect: Suspect) -> Iterator[str]:
    """Yield what the harnesses of the file find wrong."""
    own = [
        t for t in harnesses().values() if suspect.file in SUBJECT.findall(t)
    ]
    leaf = Leaf(library(suspect.files)) if own else None
    for check in CHECKS:
        if leaf and any(f"bool leaf_{check}(" in text for text in own):
            yield leaf.check(check)[1]


def programs(core: Core, strategy: str, first: int, count: int) -> None:
    """Let VMs do anything to each other, and ask the oracles."""
    fuzzed = native.Core(core.ffi, core.lib)
    with fuzzed.context(audit_every=8) as context:
        for _, found in context.batch(strategy, first, count):
            assert found is None, str(found)


def scheduler(suspect: Suspect) -> None:
    """Play lives of hosts on simulated harts."""
    if suspect.file.partition("/")[0] not in FLOORS:
        return
    simulated = Library(simulator(suspect.files))
    for seed in range(20):
        for policy in scenario.SHARING:
            scenario.play(seed, policy, simulated)


def lives(core: Core) -> None:
    """Let VMs ask for anything; compare with the specification."""

    class Mutated(Lives):
        pass

    Mutated.core = core
    run_state_machine_as_test(Mutated, settings=machine(60, 25))


def machine(examples: int, steps: int) -> settings:
    """Return how a state machine is run."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )


def lockstep(core: Core, n: int) -> None:
    """Compare programs in a VM with the bare machine."""
    style, sync, flags, options, count = BATCHES[n]
    judge = Lockstep(core, style=style, sync=sync, flags=flags, **options)
    differs = judge.run(0, count)
    assert differs is None, str(differs).splitlines()[0]
    counted = judge.coverage().vm
    assert all(n < 1 << 40 for n in counted.values()), "it counts down"
    exits = sum(n for name, n in counted.items() if name.startswith("exit_"))
    assert exits == counted["exits"], "an exit counts twice, or not at all"


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
    run_state_machine_as_test(Mutated, settings=machine(60, 30))


def direct(core: Core) -> None:
    """Let a kernel of style `direct` do anything; ask the specification."""
    for kind in (Program, Logged):
        for seed in range(10):
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
    """Let several harts race, count and wait; and go to limits."""
    for check in (
        *(*test_counters.CHECKS, *test_charged.CHECKS),
        *(*test_ends.CHECKS, *test_lines.CHECKS),
        test_limits.as_many_as_there_are_numbers,
        test_limits.the_last_may_be_killed,
        test_limits.who_is_not_made_gets_no_number,
        test_faults.what_lacks_a_or_d_faults,
        test_reasons.the_place_is_said,
        test_share.only_equals_are_shared,
        test_share.a_scan_is_as_long_as_asked,
        test_share.a_scan_without_memory_says_so,
        cuts.a_long_call_is_cut,
        cuts.in_pieces_as_at_once,
        limits.all_is_as_specified,
        limits.lists_are_as_specified,
        limits.harts_are_as_specified,
        *(*fences.CHECKS, *names.CHECKS, *pv_calls.CHECKS),
        test_overcommit.the_fair_share_is_asked_for,
        test_overcommit.who_waits_for_long_goes_on,
        test_overcommit.who_waits_takes_no_time,
        test_overcommit.a_table_that_is_shared_waits_for_a_frame,
        test_overcommit.who_waits_for_nothing_is_left_alone,
        test_overcommit.whoever_of_it_waits,
        test_overcommit.what_was_promised_is_not_asked_for,
        test_overcommit.one_is_killed_at_a_time,
        test_polls.a_kick_ends_a_poll_alone,
        test_deadlines.deadlines_have_two_words,
        test_deadlines.who_stops_has_no_deadline,
        *test_harts.CHECKS.values(),
        *test_interleave.CHECKS,
    ):
        assert callable(check)
        check(core)


def hostile(core: Core) -> None:
    """Run noise, wild hypercalls and wild page tables, with audits."""
    for kind in KINDS:
        for seed in range(4):
            Host(core, kind, seed).run()


def calls(core: AllocCore) -> None:
    """Make any calls from outside."""
    test_vms_leave_nothing.vms_leave_no_block(core)
    rng, blocks = Random(1), core.lib.alloc_blocks()
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
    assert core.lib.alloc_blocks() == blocks, "it keeps memory"


def suite(suspect: Suspect) -> None:
    """Run tests that have the changed core in the place of the core."""
    files = suspect.files | {bugged.FILE: bugged.constants_c()}
    with NamedTemporaryFile("w", suffix=".c") as source:
        source.write(suspect.files[suspect.file])
        source.flush()
        command = [sys.executable, "-m", "tests.mutation.suite"]
        done = subprocess.run(
            [*command, str(build(files)), suspect.file, source.name, *TESTS],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    said = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode == 0, said[-1] if said else "it hangs"


def stages(suspect: Suspect) -> Iterator[tuple[str, Callable[[], None]]]:
    """Return what is tried: what finds most in its time is first."""
    core = AllocCore(suspect.library)
    for strategy in STRATEGIES:
        yield strategy, partial(programs, core, strategy, 0, FEW)
    for n, (style, sync, flags, _, _) in enumerate(BATCHES):
        if n == 3:
            for stage in (harts, calls, memory):
                yield stage.__name__, partial(stage, core)
            yield "scheduler", partial(scheduler, suspect)
        yield f"lockstep {style} {sync} {flags}", partial(lockstep, core, n)
    for stage in (lives, direct, hostile):
        yield stage.__name__, partial(stage, core)
    for strategy in STRATEGIES:
        yield (
            f"more {strategy}",
            partial(programs, core, strategy, FEW, MORE),
        )
    yield "suite", partial(suite, suspect)
    broken = core.lib.alloc_broken()
    assert broken == 0, "it writes behind its memory"


def found_by(suspect: Suspect) -> str:
    """Stop at the first that finds something, and say what; '' if none does."""
    name = "leaf"
    try:
        for wrong in leaves(suspect):
            assert not wrong, wrong
        for stage, judge in stages(suspect):
            name = stage
            judge()
    except BaseException as error:  # noqa: BLE001 -- any of them tells
        said = (str(error) or type(error).__name__).splitlines()[0]
        return f"{name}: {said[:150]}"
    return ""
