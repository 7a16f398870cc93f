"""From a program that breaks something to a short one that breaks the same.

The verdict's key must stay: property, and operation at which it broke. Steps,
until none helps: remove records, halves first; a simpler header; the first VM
instead of another one; operands that are 0, or the oldest of their form; one
wait instead of many records. Each step is tried in a fixed order, so the result
depends on the program alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from hv.fuzz import ops
from hv.fuzz.format import WORLD, Program, Record, form_of, operand
from hv.fuzz.verdict import Key, Verdict

LIMIT = 2000
SHORT = 8  # records: it need not be shorter
WAITS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)  # steps, or pieces of a run

Execute = Callable[[Program], Verdict]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What came of it.

    :param tries: programs executed.
    :param minimal: whether no step helps any more; else the limit was reached.
    """

    program: Program
    verdict: Verdict
    tries: int
    minimal: bool


class _Enough(Exception):  # noqa: N818 -- no error: a limit
    pass


class _Search:
    def __init__(self, program: Program, execute: Execute, limit: int) -> None:
        self.execute = execute
        self.left = limit
        self.best = program
        self.verdict = execute(program)
        self.key: Key = self.verdict.key
        self.seen: set[Program] = {program}

    def attempt(self, program: Program) -> bool:
        """Take a program instead of the best one, if it breaks the same."""
        if program in self.seen:
            return False
        if self.left == 0:
            raise _Enough
        self.left -= 1
        self.seen.add(program)
        verdict = self.execute(program)
        if verdict.ok or verdict.key != self.key:
            return False
        self.best, self.verdict = program, verdict
        return True

    def improve(self) -> bool:
        """Try each step once; say whether one helped."""
        before = self.best
        self.cut_tail()
        self.remove()
        self.one_list()
        for simpler in (_flags, _world, _small_header):
            self.one_by_one(simpler)
        self.records()
        if self.best == before and len(before.records) > SHORT:
            self.pass_time()
        return self.best != before

    def cut_tail(self) -> None:
        """Leave out what comes after the record at which it broke."""
        keep = self.verdict.op + 1
        self.attempt(_without(self.best, keep, len(self.best.records)))

    def remove(self) -> None:
        """Remove halves, quarters, and so on to single records."""
        size = len(self.best.records) // 2
        while size:
            at = 0
            while at < len(self.best.records):
                if not self.attempt(_without(self.best, at, at + size)):
                    at += size
            size //= 2
        self.attempt(_without(self.best, 0, len(self.best.records)))

    def pass_time(self) -> None:
        """Put one step or run of the schedule in the place of many records.

        Of some mistakes the half is that time passes, or instructions.
        """
        size = len(self.best.records)
        while size > 1:
            for at in range(0, len(self.best.records) - size, size):
                if any(
                    self.attempt(_instead(self.best, at, at + size, waits))
                    for waits in _waits()
                ):
                    return
            size = size * 2 // 3

    def one_list(self) -> None:
        """Do everything at once, not a state first."""
        best = self.best
        self.attempt(best.with_records(best.records, 0, 0))
        self.attempt(best.with_records(best.records, 0, len(best.vary)))

    def one_by_one(
        self, simpler: Callable[[Program], Iterator[Program]]
    ) -> None:
        while any(self.attempt(program) for program in simpler(self.best)):
            pass

    def records(self) -> None:
        """Simplify each record, as far as it goes."""
        for i in range(len(self.best.records)):
            while any(
                self.attempt(_with(self.best, i, record))
                for record in _simpler(self.best.records[i])
            ):
                pass


def shrink(program: Program, execute: Execute, *, limit: int = LIMIT) -> Shrunk:
    """Return a smaller program that breaks the same property by the same op.

    :param execute: runs a program; must be a function of the program alone.
    :param limit: how many programs to try at most.
    :raises ValueError: if the program breaks nothing.
    """
    search = _Search(program, execute, limit)
    minimal = True
    try:
        while search.improve():
            pass
    except _Enough:
        minimal = False
    tries = 1 + limit - search.left
    return Shrunk(search.best, search.verdict, tries, minimal)


@cache
def _waits() -> tuple[Record, ...]:
    """Return what only passes time, the shortest first."""
    return tuple(
        Record(ops.by_name()[name].number, 0, (count, 0, 0))
        for count in WAITS
        for name in ("step", "run")
    )


def _instead(program: Program, start: int, end: int, record: Record) -> Program:
    """Return the program with one record instead of some."""
    rest = _without(program, start, end - 1)
    return _with(rest, start, replace(record, actor=rest.records[start].actor))


def _without(program: Program, start: int, end: int) -> Program:
    """Return the program without some records; the cuts move along."""
    records = program.records
    first = len(program.build)
    second = first + len(program.vary)

    def moved(cut: int) -> int:
        return cut - max(0, min(cut, end) - min(cut, start))

    nbuild = moved(first)
    return program.with_records(
        records[:start] + records[end:], nbuild, moved(second) - nbuild
    )


def _with(program: Program, index: int, record: Record) -> Program:
    records = program.records
    changed = (*records[:index], record, *records[index + 1 :])
    return program.with_records(changed, len(program.build), len(program.vary))


def _flags(program: Program) -> Iterator[Program]:
    """Leave out flags: all, then each."""
    if program.flags:
        yield replace(program, flags=0)
    for bit in range(16):
        if program.flags >> bit & 1:
            yield replace(program, flags=program.flags & ~(1 << bit))


def _world(program: Program) -> Iterator[Program]:
    """Make each field of the world 0, or at least smaller."""
    for _, low, width in WORLD:
        mask = (1 << width) - 1
        value = program.world >> low & mask
        rest = program.world & ~(mask << low)
        for smaller in range(value):
            yield replace(program, world=rest | smaller << low)


def _small_header(program: Program) -> Iterator[Program]:
    """Name only features that are used, and no chance."""
    if program.seed:
        yield replace(program, seed=0)
    used = 1
    for record in program.records:
        used |= record.row.feature
    if program.features != used:
        yield replace(program, features=used)


def _simpler(record: Record) -> Iterator[Record]:
    """Offer simpler versions of a record, the simplest first."""
    for actor in (16, 0, record.actor & 16, record.actor & 19):
        if _rank(actor) < _rank(record.actor):
            yield replace(record, actor=actor)
    for i, kind in enumerate(record.row.operands):
        value = record.args[i]
        for smaller in _smaller(value, kind):
            args = list(record.args)
            args[i] = smaller
            yield replace(record, args=(args[0], args[1], args[2]))


def _rank(actor: int) -> tuple[int, int]:
    """Order actors: the kernel of the first vCPU of the first VM is first."""
    return (actor & ~16, 0 if actor & 16 else 1)


def _smaller(value: int, kind: str) -> Iterator[int]:
    """Offer simpler operands; what is not looked at becomes 0."""
    if not kind or kind == "INSN":
        if value and not kind:
            yield 0
        return
    form, number = form_of(value), value & 0x3FFF
    if value:
        yield 0
    if number:
        yield operand(form, 0)
    if number > 1:
        yield operand(form, number >> 1)
        yield operand(form, number - 1)
