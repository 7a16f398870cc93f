"""Lab 10: are the checks right, do they see; do attacks hit; is it repaired?"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from hv.errors import UsageError
from hv.fuzz import native
from hv.fuzz.format import Program, decode, encode
from hv.fuzz.text import parse, render
from hv.labs.attack import LOUD, attack
from hv.labs.chaff import Suite
from hv.labs.chaff_cores import GOOD
from hv.labs.chaff_steps import QUIET, steps
from hv.labs.difference import difference
from hv.labs.points import Failed, fail, points
from hv.labs.readers import read_attack, read_checks
from hv.labs.trial import Stage, Trial
from hv.zoo import classes, record

WHEATS = ("W01", "W02", "W03", "W06", "W07")
PUBLIC = ("M14", "M16", "S01", "S04", "C22", "C04", "H02")
HIDDEN = ("M11", "S02", "S38", "S52", "C20", "C08")
MOST = 12  # operations of an attack, or of a random program
RANDOM = 4  # programs that only wheats execute besides

# As much as the guest asks for: print, and print far more than it may at once.
PRINT = """
hvp 1
world vms=1 memory=3 harts=0 first=1 others=1 sync=3 policy=0 overcommit=0
run
  vm0.0 kernel call_at call=9 gpa=live:0 count=64
  vm0.0 kernel call_at call=9 gpa=0 count=edge:16
"""


def program_of(bug: str) -> Program:
    """Return the program of the workload that runs into a bug."""
    return parse(record(bug).trigger or PRINT)


# Not in random programs: who puts others in between, or takes many exits.
LEFT_OUT = ("preempt", "step", "fail_alloc", "call_list", "multicall")
OVERCOMMIT = 1 << 15  # of `world`: there, who is short of memory waits


def at_random(seed: int) -> list[Program]:
    """Return programs of a seed in which an operation is an exit or two."""
    found: list[Program] = []
    for n in range(RANDOM):
        program = decode(native.generate("g3", seed // 2 + n))
        records = tuple(
            r for r in program.records if r.row.name not in LEFT_OUT
        )[:MOST]
        world = program.world & ~OVERCOMMIT
        program = replace(program, world=world, build=(), vary=(), run=records)
        found.append(program)
    return found


@cache
def suite(
    work: Path, cores: tuple[tuple[str, Path], ...], seed: int
) -> Suite | str:
    """Return the student's checks and the workload, or what is wrong."""
    try:
        checks = read_checks(work / "checks.py")
    except UsageError as error:
        return str(error)
    workload = [program_of(bug) for bug in (*PUBLIC, *HIDDEN)]
    return Suite(checks, dict(cores), [*workload, *at_random(seed)])


def the_suite(work: Path, cores: Mapping[str, Path], seed: int = 1) -> Suite:
    """Return the student's checks, or say why there are none."""
    found = suite(work, tuple(sorted(cores.items())), seed)
    if isinstance(found, str):
        raise Failed(found)
    return found


def tried(work: Path, cores: Mapping[str, Path], bug: str) -> Trial:
    number = (*PUBLIC, *HIDDEN).index(bug)
    return the_suite(work, cores).trial(bug, WHEATS, [number])


def caught(work: Path, cores: Mapping[str, Path], bug: str) -> None:
    """A bug that is named is caught by a check that counts."""
    trial = tried(work, cores, bug)
    if trial.stage is Stage.DETECTED:
        return
    about = record(bug)
    fail(
        f"{bug}, {about.title!r} ({about.property}), is {trial.stage}",
        f"  at {trial.where}",
        f"  {trial.differs}",
        *(f"  does not count: {alarm}" for alarm in trial.unheard),
    )


def caught_hidden(work: Path, cores: Mapping[str, Path], bug: str) -> None:
    """The same, of a bug of which only the class is told."""
    trial = tried(work, cores, bug)
    if trial.stage is not Stage.DETECTED:
        fail(
            f"a bug of the class {classes()[bug[0]]!r} is {trial.stage}",
            "  more than that is not told: look for what else must hold",
        )


@points(15, "checks: silent on what is right")
def test_silent(work: Path, cores: dict[str, Path], seed: int) -> None:
    checks = the_suite(work, cores, seed)
    alarms = checks.false_alarms(WHEATS)
    if alarms:
        fail(
            "a check complains of a core that is right, and does not count",
            *(f"  {alarm.core}: {alarm}" for alarm in alarms),
        )
    found = (tried(work, cores, bug).stage for bug in PUBLIC)
    if Stage.DETECTED not in found:
        fail("no check has found anything yet: silence alone is no proof")


@points(4, "checks: counted before it was paid for (M14)")
def test_counts(work: Path, cores: dict[str, Path]) -> None:
    caught(work, cores, "M14")


@points(4, "checks: one page for all guests (M16)")
def test_owners(work: Path, cores: dict[str, Path]) -> None:
    caught(work, cores, "M16")


@points(4, "checks: a shared page that can be written (S01)")
def test_shared(work: Path, cores: dict[str, Path]) -> None:
    caught(work, cores, "S01")


@points(4, "checks: a flush that was forgotten (S04)")
def test_flush(work: Path, cores: dict[str, Path]) -> None:
    caught(work, cores, "S04")


@points(4, "checks: a register that is not switched (C22)")
def test_register(work: Path, cores: dict[str, Path]) -> None:
    caught(work, cores, "C22")


@points(4, "checks: a user who is taken for a kernel (C04)")
def test_privilege(work: Path, cores: dict[str, Path]) -> None:
    caught(work, cores, "C04")


@points(4, "checks: as much work as the guest asks for (H02)")
def test_work(work: Path, cores: dict[str, Path]) -> None:
    caught(work, cores, "H02")


@points(2, "checks: hidden 1, of frames")
def test_hidden_1(work: Path, cores: dict[str, Path]) -> None:
    caught_hidden(work, cores, HIDDEN[0])


@points(2, "checks: hidden 2, of shadows")
def test_hidden_2(work: Path, cores: dict[str, Path]) -> None:
    caught_hidden(work, cores, HIDDEN[1])


@points(2, "checks: hidden 3, of shadows")
def test_hidden_3(work: Path, cores: dict[str, Path]) -> None:
    caught_hidden(work, cores, HIDDEN[2])


@points(2, "checks: hidden 4, of shadows")
def test_hidden_4(work: Path, cores: dict[str, Path]) -> None:
    caught_hidden(work, cores, HIDDEN[3])


@points(2, "checks: hidden 5, of processors")
def test_hidden_5(work: Path, cores: dict[str, Path]) -> None:
    caught_hidden(work, cores, HIDDEN[4])


@points(2, "checks: hidden 6, of processors")
def test_hidden_6(work: Path, cores: dict[str, Path]) -> None:
    caught_hidden(work, cores, HIDDEN[5])


def hits(work: Path, cores: Mapping[str, Path], name: str, bug: str) -> None:
    """An attack makes a bug visible; else say how far it came."""
    try:
        trial = attack(cores, bug, read_attack(work / name, MOST))
    except UsageError as error:
        fail(str(error))
        return
    if trial.stage is not Stage.DETECTED:
        fail(
            f"{name}: {bug}, {record(bug).title!r}, is {trial.stage}",
            f"  what it is about: {record(bug).story}",
        )


@points(7, "attack: where is my memory? (H10)")
def test_attack_calls(work: Path, cores: dict[str, Path]) -> None:
    hits(work, cores, "attack_calls.hvp", "H10")


@points(8, "attack: a page that was given back (M10)")
def test_attack_memory(work: Path, cores: dict[str, Path]) -> None:
    hits(work, cores, "attack_memory.hvp", "M10")


@points(9, "attack: address plus length wraps (M02)")
def test_attack_wrap(work: Path, cores: dict[str, Path]) -> None:
    hits(work, cores, "attack_wrap.hvp", "M02")


# ---- the repair --------------------------------------------------------------

# The edges of operand_address.c: 1 below RAM, 2 its start, 3 its last word, 4
# its end, 16 its last two bytes; and a page in the middle.
EDGES = (*(f"edge:{n}" for n in (0, 1, 2, 3, 4, 5, 6, 11, 12, 16)), "live:32")
LENGTHS = (0, 1, 2, 3, 4, 12, 13, 19, 20, 21, 22, 23, 24, 25)


def ranges(call: int, edges: tuple[str, ...]) -> list[Program]:
    """Return a program for each edge of memory: one call for each length."""
    head = (
        "hvp 1\nworld vms=1 memory=3 harts=0 first=1 others=1 sync=3 "
        "policy=0 overcommit=0\nrun\n"
    )
    return [
        parse(
            head
            + "  vm0.0 kernel console count=9\n"
            + "".join(
                f"  vm0.0 kernel call_at call={call} gpa={edge} "
                f"count=edge:{length}\n"
                for length in LENGTHS
            )
        )
        for edge in edges
    ]


def line_of(program: Program, step: int) -> str:
    """Return an operation as text."""
    lines = render(program, explain=False).splitlines()
    return lines[step - len(program.records)].strip()


def as_before(
    cores: Mapping[str, Path], programs: list[Program], what: str
) -> None:
    """The student's core breaks nothing, and guests cannot tell it."""
    for program in programs:
        with native.wheat().context(oracles=LOUD, audit_every=1) as context:
            got = context.execute(encode(program))
        if not got.ok:
            fail(
                f"{what}: your core breaks {got.broke}",
                f"  {line_of(program, got.op)}",
                f"  {got.what}",
            )
        same(cores, program, what)


def same(cores: Mapping[str, Path], program: Program, what: str) -> None:
    """Every vCPU has, after each step, what it has on the good core."""
    with (
        native.load(str(cores[GOOD])).context(oracles=QUIET) as good,
        native.wheat().context(oracles=QUIET) as mine,
    ):
        pairs = zip(steps(good, program), steps(mine, program), strict=True)
        for (place, right), (_, got) in pairs:
            for vm in right.now.vms if right else ():
                has = got and got.now.vms.get(vm)
                found = difference(right and right.now.vms[vm], has, f"VM {vm}")
                if found:
                    fail(
                        f"{what}: a guest can tell your core from the good one",
                        f"  {line_of(program, place.step)}",
                        f"  {found}",
                    )


@points(12, "repair: nothing outside is reached any more")
def test_repaired(cores: dict[str, Path]) -> None:
    as_before(cores, ranges(10, EDGES), "console_read at the edges of memory")
    for bug in ("M02", "M23"):
        as_before(cores, [program_of(bug)], f"the attack of {bug}")


@points(9, "repair: what was allowed is allowed")
def test_still_works(cores: dict[str, Path]) -> None:
    as_before(cores, ranges(9, EDGES), "console_write at the edges of memory")
    as_before(cores, [program_of("M23")], "a buffer just below memory")
    programs = [decode(native.generate("g2", seed)) for seed in range(10)]
    as_before(cores, programs, "programs of all kinds")
