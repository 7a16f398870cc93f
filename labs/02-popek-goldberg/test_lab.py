"""Lab 2: what a student's experiments say, beside what is known.

The oracle does no experiment. It has what each instruction does in S by the
manual, and for a computer that never was, the sins of which it was made. A
witness is believed when it is seen to be one.
"""

import importlib.util
import random
import sys
import traceback
from dataclasses import dataclass, fields
from pathlib import Path

from hv.labs.computers import (
    INSTRUCTIONS,
    SPP,
    SUM,
    Computer,
    Outcome,
    Sin,
    State,
)
from hv.labs.points import answered, expect, fail, points

INNOCUOUS = """
add a1, a2, a0 | mul a1, a2, a0 | auipc a1, 0 | lw a1, 0(a0) | sw a2, 0(a0) |
amoadd.w a1, a2, (a0) | jal ra, 16 | fence
"""
TRAPS = "ecall | ebreak | mret"
READS = """
csrr a1, sstatus | csrr a1, satp | csrr a1, sie | csrr a1, stvec |
csrr a1, sepc
"""
WRITES = """
csrw sstatus, a2 | csrci sstatus, 2 | csrw satp, a2 | csrw sie, a2 |
csrw stvec, a2 | sfence.vma | wfi
"""
BOTH = "csrrs a1, sstatus, a2 | csrrw a1, sscratch, a2 | sret"
NEITHER = "csrr zero, sscratch"


def names(text: str) -> list[str]:
    return [" ".join(name.split()) for name in text.split("|")]


PLAIN, TRAPPING = names(INNOCUOUS), names(TRAPS)
READING, WRITING = names(READS) + names(BOTH), names(WRITES) + names(BOTH)
CHECKED = READING + names(WRITES) + names(NEITHER)  # U traps on `clean`

CLEAN, LEAKY = Computer("clean"), Computer("leaky")
LEAKS = {
    "csrr a1, sstatus": Sin("reads"),
    "csrw sstatus, a2": Sin("nothing"),
    "csrrs a1, sstatus, a2": Sin("reads"),
    "csrci sstatus, 2": Sin("nothing"),
    "csrr a1, satp": Sin("reads"),
    "csrw satp, a2": Sin("nothing"),
    "sret": Sin("nothing"),
}  # what `leaky` is, by the manual


@dataclass(frozen=True)
class Known:
    """What is known of an instruction, without an experiment."""

    privileged: bool
    control: bool
    behaviour: bool
    user: bool


def known(name: str, sin: Sin | None = None) -> Known:
    """Return the truth, of an instruction with this sin or none."""
    reads, writes = name in READING, name in WRITING
    if sin is None:
        privileged = name in CHECKED
        return Known(privileged, writes, reads, user=False)
    if sin.kind == "refused" and not sin.when:
        return Known(
            privileged=False, control=False, behaviour=False, user=False
        )
    leaks = reads and sin.kind in ("done", "reads")
    acts = writes and sin.kind == "done"
    # What S and U both do without a trap is compared, if U's result is another.
    differs = {
        "nothing": reads,
        "zeros": True,
        "reads": False,
        "done": False,
        "physical": True,
        "refused": False,
    }[sin.kind]
    return Known(
        privileged=False,
        control=writes,
        behaviour=reads or differs,
        user=leaks or acts or sin.kind == "physical",
    )


class Student:
    """The student's file, whose mistakes are told with its lines."""

    def __init__(self, work: Path) -> None:
        self.path = work / "classify.py"
        spec = importlib.util.spec_from_file_location("classify", self.path)
        if spec is None or spec.loader is None:
            fail("classify.py cannot be read")
            return
        self.module = importlib.util.module_from_spec(spec)
        sys.modules["classify"] = self.module
        self.call(spec.loader.exec_module, self.module)

    def call(self, what: object, *values: object) -> object:
        """Call something of the student's."""
        try:
            if not callable(what):
                raise TypeError("a function is gone")  # noqa: TRY301
            return what(*values)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- any of it
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno for f in frames if f.filename == str(self.path)]
            line = getattr(error, "lineno", lines[-1] if lines else "?")
            fail(f"classify.py:{line}: {type(error).__name__}: {error}")
            return None

    def found(self, function: str, computer: Computer, name: str) -> object:
        function_of = getattr(self.module, function, None)
        return self.call(function_of, computer, name)

    def part(self, of: object, name: str) -> object:
        """Return a field of what a function of the student's has returned."""
        if not hasattr(of, name):
            fail(f"classify.py: {of!r} was returned, which has no {name}")
        return getattr(of, name)


def shown(computer: Computer) -> str:
    if not computer.sins:
        return f"on `{computer.profile}`"
    sins = "; ".join(
        f"{name}: {sin.kind}"
        + (f" if sstatus has {sin.when:#x}" if sin.when else "")
        for name, sin in computer.sins.items()
    )
    return f"on a computer like `clean`, but for ({sins})"


def truth(computer: Computer, name: str) -> Known:
    sins = LEAKS if computer.profile == "leaky" else computer.sins
    return known(name, sins.get(name))


def difference(one: State, two: State) -> list[str]:
    return [
        f.name
        for f in fields(State)
        if getattr(one, f.name) != getattr(two, f.name)
    ]


def held_changed(computer: Computer, name: str, state: State) -> bool:
    outcome = computer.run(name, state)
    return outcome.trap is None and outcome.held != computer.held(state)


def told_apart(one: Outcome, two: Outcome) -> bool:
    return one.trap is two.trap is None and one.seen != two.seen


def look(student: Student, computer: Computer, kind: str) -> None:
    """Compare witnesses with the truth, and see whether they are some."""
    for name in INSTRUCTIONS:
        witness = student.found(kind, computer, name)
        what = f"`{name}` {shown(computer)}: {kind}()"
        there = getattr(truth(computer, name), kind)
        is_right(computer, name, witness, what, there=there)


def is_right(
    computer: Computer, name: str, witness: object, what: str, *, there: bool
) -> None:
    if not isinstance(witness, tuple) or not all(
        isinstance(state, State) for state in witness
    ):
        fail(f"{what} must give a tuple of states, not {witness!r}")
        return
    expect(len(witness) > 0, there, f"{what} finds a witness")
    if witness:
        is_witness(computer, name, witness, what)


def is_witness(
    computer: Computer, name: str, witness: tuple[State, ...], what: str
) -> None:
    if len(witness) > 2:
        fail(f"{what}: a witness is one state or two, not {len(witness)}")
    if len(witness) == 1:
        if not held_changed(computer, name, witness[0]):
            fail(
                f"{what}: your witness is none: from this state nothing that "
                f"is held changes without a trap",
                f"  {witness[0]}",
            )
        return
    one, two = witness
    differ = difference(one, two)
    if len(differ) != 1 or differ[0] in ("a0", "a2"):
        fail(
            f"{what}: your two states must differ in the mode or in one "
            f"resource, and in nothing else; they differ in "
            f"{', '.join(differ) or 'nothing'}"
        )
    if not told_apart(computer.run(name, one), computer.run(name, two)):
        fail(
            f"{what}: your witness is none: from these two states the program "
            f"sees the same, or one of them traps",
            *(f"  {state}" for state in witness),
        )


def check_privileged(student: Student, computer: Computer) -> None:
    for name in INSTRUCTIONS:
        expect(
            student.found("privileged", computer, name),
            truth(computer, name).privileged,
            f"privileged: `{name}` {shown(computer)}",
        )


def check_verdict(student: Student, computer: Computer) -> None:
    facts = {name: truth(computer, name) for name in INSTRUCTIONS}
    loose = {name: k for name, k in facts.items() if not k.privileged}
    guilty = sorted(n for n, k in loose.items() if k.control or k.behaviour)
    hybrid = not any(k.user for k in loose.values())
    got = student.call(getattr(student.module, "verdict", None), computer)
    where = shown(computer)
    named = student.part(got, "guilty")
    if isinstance(named, tuple):
        named = sorted(named)
    expect(named, guilty, f"sensitive and not privileged {where}")
    expect(
        student.part(got, "monitor"),
        not guilty,
        f"theorem 1: a monitor {where}",
    )
    expect(
        student.part(got, "hybrid"),
        hybrid,
        f"theorem 3: a hybrid monitor {where}",
    )


def sinner(seed: int, count: int) -> Computer:
    """Draw a computer with some sins."""
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    sins: dict[str, Sin] = {}
    for name in draw.sample(CHECKED, count):
        kinds = ["nothing", "done", "refused"]
        if "a1" in name:
            kinds += ["reads", "zeros"]
        kind = draw.choice(kinds)
        sins[name] = Sin(kind)  # type: ignore[arg-type]
    if draw.random() < 0.3:
        sins["auipc a1, 0"] = Sin("physical")
    if draw.random() < 0.3:
        sins["mul a1, a2, a0"] = Sin("zeros")
    return Computer(sins=sins)


@points(5, "it can be read")
def test_reads(work: Path) -> None:
    Student(work)


@points(5, "privileged: `clean`, `leaky`")
def test_privileged(work: Path) -> None:
    student = Student(work)
    for computer in (CLEAN, LEAKY):
        check_privileged(student, computer)


@points(10, "privileged: not always, and not in S either")
def test_privileged_always(work: Path) -> None:
    student = Student(work)
    for name in ("csrw sie, a2", "wfi"):
        for sin in (Sin("nothing", SUM), Sin("nothing", SPP), Sin("refused")):
            check_privileged(student, Computer(sins={name: sin}))


@points(10, "control-sensitive: `clean`, `leaky`")
def test_control(work: Path) -> None:
    student = Student(work)
    for computer in (CLEAN, LEAKY):
        look(student, computer, "control")


@points(15, "behaviour-sensitive: `clean`")
def test_behaviour(work: Path) -> None:
    look(Student(work), CLEAN, "behaviour")


@points(10, "behaviour-sensitive: where and in which mode")
def test_behaviour_leaks(work: Path) -> None:
    student = Student(work)
    look(student, LEAKY, "behaviour")
    for name, sin in (
        ("auipc a1, 0", Sin("physical")),
        ("csrr a1, satp", Sin("zeros")),
        ("mul a1, a2, a0", Sin("zeros")),
    ):
        look(student, Computer(sins={name: sin}), "behaviour")


@points(15, "classify: sensitive in U")
def test_user(work: Path) -> None:
    student = Student(work)
    for computer in (
        LEAKY,
        Computer(sins={"sret": Sin("done"), "wfi": Sin("nothing")}),
        Computer(sins={"csrr a1, sie": Sin("zeros"), "wfi": Sin("done")}),
    ):
        for name in INSTRUCTIONS:
            found = student.found("classify", computer, name)
            witness = student.part(found, "user")
            what = f"`{name}` {shown(computer)}: classify(), user,"
            there = truth(computer, name).user
            is_right(computer, name, witness, what, there=there)
            if isinstance(witness, tuple):
                modes = {state.mode for state in witness} - {"U"}
                expect(modes, set(), f"{what} has states of other modes")


@points(5, "verdict: `clean`, `leaky`")
def test_verdict(work: Path) -> None:
    student = Student(work)
    for computer in (CLEAN, LEAKY):
        check_verdict(student, computer)


@points(15, "verdict: computers that never were")
def test_verdict_any(work: Path, seed: int) -> None:
    student = Student(work)
    for name, sin in (
        ("sret", Sin("nothing")),
        ("sret", Sin("done")),
        ("wfi", Sin("done")),
        ("mul a1, a2, a0", Sin("zeros")),
    ):
        check_verdict(student, Computer(sins={name: sin}))
    for i in range(6):
        check_verdict(student, sinner(seed + i, 1 + i % 3))


def predicted(work: Path, name: str, happened: object) -> None:
    answered(
        *(work / "answers.toml", name, happened),
        otherwise="is not so; do the experiment",
    )


def promises(computer: Computer) -> tuple[bool, bool]:
    loose = [
        k for n in INSTRUCTIONS if not (k := truth(computer, n)).privileged
    ]
    sensitive = any(k.control or k.behaviour for k in loose)
    return not sensitive, not any(k.user for k in loose)


@points(5, "predicted: hv's two profiles")
def test_predict_profiles(work: Path) -> None:
    predicted(work, "clean_monitor", promises(CLEAN)[0])
    predicted(work, "leaky_monitor", promises(LEAKY)[0])
    predicted(work, "leaky_hybrid", promises(LEAKY)[1])


@points(5, "predicted: an sret that does nothing, or everything")
def test_predict_sret(work: Path) -> None:
    idle, busy = (
        promises(Computer(sins={"sret": Sin(kind)}))
        for kind in ("nothing", "done")
    )
    predicted(work, "idle_sret_monitor", idle[0])
    predicted(work, "idle_sret_hybrid", idle[1])
    predicted(work, "busy_sret_hybrid", busy[1])
    predicted(work, "harmless", names(NEITHER))
