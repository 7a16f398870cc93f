"""Wheat and chaff: judge checks and attacks that students write.

First validity: a check must be silent on the good core and on every *wheat*, a
core that differs from it and is right all the same. A check that is not is
named, and does not count. Then what it is for: bugs of the zoo, a core
(*chaff*) each. An answer has one of four stages, after Magma (Hazimeh et al.
2020), which tells apart what an attack lacks:

- not reached: the functions with the bug were never run;
- reached: they were, but the host is as the good one would be;
- triggered: it is not, and nobody complained;
- detected.

The workload is hypervisor programs. To see a host between two operations, a
program is executed once for each of its beginnings: it is the same every time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

from hv.errors import UsageError
from hv.fuzz import native
from hv.fuzz.format import Program, Record, encode
from hv.fuzz.native import Context
from hv.fuzz.verdict import Verdict
from hv.labs.chaff_cores import GOOD, forget_reached, reached
from hv.labs.difference import difference
from hv.labs.look import look
from hv.labs.patience import Endless, patience
from hv.labs.readers import Check, raised
from hv.labs.seen import Host, Step

QUIET = 0  # no oracle of hv's own: only the student's checks look
LOUD = native.ALL_BUT_EACH  # all of them ...
EACH = 1  # ... after each operation
_TWICE = 2 + 1  # flags of programs that are run twice: fill, twin


class Stage(StrEnum):
    """How far an attack, or a workload and the checks of it, has come."""

    MISSED = "not reached"
    REACHED = "reached, but not triggered"
    TRIGGERED = "triggered, but not detected"
    DETECTED = "detected"


@dataclass(frozen=True, slots=True)
class Place:
    """A step of a program of the workload."""

    program: int  #: counted from 0
    step: int  #: index of the record
    does: str
    actor: int  #: 0: the host

    def __str__(self) -> str:
        who = f"VM {self.actor}" if self.actor else "the host"
        return f"program {self.program}, step {self.step} ({self.does}, {who})"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A check that complained."""

    check: str
    core: str
    place: Place
    says: str
    raised: bool = False  #: it did not return, but raised

    def __str__(self) -> str:
        return f"{self.check} at {self.place}: {self.says}"


@dataclass(frozen=True, slots=True)
class Trial:
    """How a bug fared."""

    bug: str
    stage: Stage
    alarm: Alarm | None = None  #: if it was detected
    where: Place | None = None  #: if it was triggered: where first ...
    differs: str = ""  #: ... and what is not as on the good core
    unheard: tuple[Alarm, ...] = ()  #: of checks that do not count


# ---- executing ---------------------------------------------------------------


def _beginnings(program: Program) -> Iterator[tuple[Record | None, bytes]]:
    """Return a program cut after each record, and what that record is."""
    program = replace(program, flags=program.flags & ~_TWICE)
    records = program.records
    build, vary = len(program.build), len(program.vary)
    for n in range(len(records) + 1):
        part = program.with_records(
            records[:n], min(n, build), max(0, min(n - build, vary))
        )
        yield records[n - 1] if n else None, encode(part)


def steps(
    context: Context, program: Program, number: int = 0
) -> Iterator[tuple[Place, Step | None]]:
    """Execute a program on a core, step by step.

    A step is None, and the last one, if the host has stopped (an assertion of
    the hypervisor's): nothing is to be seen any more.
    """
    before: Host | None = None
    for n, (record, data) in enumerate(_beginnings(program)):
        verdict = context.execute(data)
        now = look(context)
        if record is None:
            before = now
            continue
        actor = context.actor()
        place = Place(number, n - 1, record.row.name, actor)
        if before is None or now is None:
            yield place, None
            return
        yield place, _step(record, actor, before, now)
        if not verdict.ok:  # it would go no further
            return
        before = now


def _step(record: Record, actor: int, before: Host, now: Host) -> Step:
    cpus = len(before.vms[actor].cpus) if actor in before.vms else 1
    return Step(
        does=record.row.name,
        actor=actor,
        vcpu=record.vcpu % cpus,
        kernel=record.kernel,
        before=before,
        now=now,
    )


def _begin(context: Context, program: Program, path: Path) -> None:
    """Make the program's world, and note from there on what is reached."""
    context.execute(encode(program.with_records((), 0, 0)))
    forget_reached(path)


# ---- checks ------------------------------------------------------------------


class Suite:
    """A student's checks, and the workload under which they look.

    :param checks: by name.
    :param cores: by id, the good one among them.
    :param workload: programs that every core executes.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        cores: Mapping[str, Path],
        workload: Sequence[Program],
        file: str = "checks.py",
    ) -> None:
        self.checks = checks
        self._cores = cores
        self._workload = workload
        self._file = file
        self._endless: set[str] = set()
        self.watched = cache(self._watched)
        self._good = cache(self._good_steps)

    def _call(self, name: str, step: Step) -> str | None:
        if name in self._endless:
            raise Endless("it did not come to an end before")
        with patience():
            return self.checks[name](step)

    def _ask(
        self, names: Sequence[str], core: str, place: Place, step: Step
    ) -> Iterator[Alarm]:
        for name in names:
            try:
                says = self._call(name, step)
            except Exception as error:  # noqa: BLE001 -- a student's
                if isinstance(error, Endless):
                    self._endless.add(name)
                yield Alarm(
                    name, core, place, raised(error, self._file), raised=True
                )
            else:
                if says is not None:
                    yield Alarm(name, core, place, str(says)[:300])

    def _watched(self, core: str) -> tuple[Alarm, ...]:
        """Return the first alarm of each check on a core that has no bug."""
        found: dict[str, Alarm] = {}
        path = str(self._cores[core])
        with native.load(path).context(oracles=QUIET) as context:
            for number, program in enumerate(self._workload):
                for place, step in steps(context, program, number):
                    left = [name for name in self.checks if name not in found]
                    if step is not None and left:
                        found |= {
                            alarm.check: alarm
                            for alarm in self._ask(left, core, place, step)
                        }
        return tuple(found.values())

    def false_alarms(self, wheats: Sequence[str]) -> list[Alarm]:
        """Return what complains of what is right, once for each check."""
        found: dict[str, Alarm] = {}
        for core in (GOOD, *wheats):
            for alarm in self.watched(core):
                found.setdefault(alarm.check, alarm)
        return list(found.values())

    def _good_steps(self, number: int) -> list[tuple[Place, Step | None]]:
        path = str(self._cores[GOOD])
        with native.load(path).context(oracles=QUIET) as context:
            return list(steps(context, self._workload[number], number))

    def trial(
        self, bug: str, wheats: Sequence[str], programs: Sequence[int]
    ) -> Trial:
        """Look for a bug with the checks that are valid.

        :param programs: of the workload, those to be tried, by number.
        """
        invalid = {alarm.check for alarm in self.false_alarms(wheats)}
        valid = [name for name in self.checks if name not in invalid]
        where: Place | None = None
        differs = ""
        ran = False
        unheard: dict[str, Alarm] = {}
        path = self._cores[bug]
        with native.load(str(path)).context(oracles=QUIET) as context:
            for number in programs:
                good = self._good(number)
                _begin(context, self._workload[number], path)
                for i, (place, step) in enumerate(
                    steps(context, self._workload[number], number)
                ):
                    if where is None:
                        right = good[i][1] if i < len(good) else None
                        where, differs = _unlike(place, right, step)
                    if step is None:
                        break
                    for alarm in self._ask(list(self.checks), bug, place, step):
                        if alarm.check in valid and not alarm.raised:
                            return Trial(bug, Stage.DETECTED, alarm)
                        unheard.setdefault(alarm.check, alarm)
                ran = ran or reached(path)
        stage = Stage.REACHED if ran else Stage.MISSED
        if where is not None:
            stage = Stage.TRIGGERED
        return Trial(
            bug,
            stage,
            where=where,
            differs=differs,
            unheard=tuple(unheard.values()),
        )


def _unlike(
    place: Place, good: Step | None, bad: Step | None
) -> tuple[Place | None, str]:
    """Return the place, and what differs there; None: nothing does."""
    if bad is None and good is not None:
        return place, "the host has stopped: an assertion of the hypervisor's"
    found = difference(good and good.now, bad and bad.now)
    return (place, str(found)) if found else (None, "")


# ---- attacks -----------------------------------------------------------------


def judge(path: Path, program: Program) -> Verdict:
    """Return what hv's own checks say of a program on a core."""
    core = native.load(str(path))
    with core.context(oracles=LOUD, audit_every=EACH) as context:
        return context.execute(encode(program))


def attack(cores: Mapping[str, Path], bug: str, program: Program) -> Trial:
    """Execute a student's attack on the core that has the bug.

    :raises UsageError: the good core does not stand it, either.
    """
    good = judge(cores[GOOD], program)
    if not good.ok:
        raise UsageError(f"a bug of hv's own, please report it: {good.what}")
    path = cores[bug]
    # Quiet, since what looks at the end takes all VMs apart.
    with native.load(str(path)).context(oracles=QUIET) as context:
        _begin(context, program, path)
        context.execute(encode(program))
        ran = reached(path)
    bad = judge(path, program)
    if not bad.ok:
        place = Place(0, bad.op, bad.key.op, 0)
        alarm = Alarm(bad.broke, bug, place, bad.what)
        return Trial(bug, Stage.DETECTED, alarm)
    if (good.hash, good.trace) != (bad.hash, bad.trace):
        return Trial(bug, Stage.TRIGGERED)
    return Trial(bug, Stage.REACHED if ran else Stage.MISSED)
