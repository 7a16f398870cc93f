"""Look for a planted bug by Hypothesis alone, from a cold start.

What :mod:`hv.zoo.hunt` does with the generator in C, this does with strategies
in Python (:func:`hv.fuzz.strategies.families`): Hypothesis draws programs, and
makes smaller what it finds, as far as a few tries go. Nothing is remembered
from one search to the next, and all chance comes from a seed, so the outcome
depends on the core and the seed alone, but for how long it took.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from random import Random

from hypothesis import Phase, Verbosity, find, settings
from hypothesis.errors import NoSuchExample

from hv.fuzz.format import Program, encode
from hv.fuzz.native import ALL_BUT_EACH, Core
from hv.fuzz.shrink import shrink
from hv.fuzz.strategies import families
from hv.fuzz.verdict import Key, Verdict
from hv.zoo.guarded import Died
from hv.zoo.hunt import EXECUTIONS, SHRINK, Finding, annotated, serve
from hv.zoo.rounds import AUDIT_EVERY, ONE, execute, spent
from hv.zoo.served import Served

STRATEGY = "hypothesis"
ROUND = 400  # families: Hypothesis remembers all that it draws in a call
SETTINGS = settings(
    max_examples=ROUND,
    phases=(Phase.generate, Phase.shrink),
    database=None,
    deadline=None,
    verbosity=Verbosity.quiet,
)

SMALLER = 150  # families tried

Family = tuple[Program, ...]
Shown = tuple[Program, Verdict]


class Enough(BaseException):
    """As much was tried as may be: not an error.

    Any other exception were a failure of what Hypothesis tests.
    """


@dataclass(slots=True, kw_only=True)
class Search:
    """What Hypothesis asks of programs: first for any bug, then for that one.

    :param quick: executes with fewer checks, to see what is worth a second.
    :param worse: executes one on the bad core, with all checks.
    :param better: ... on the good core.
    """

    bad: Core
    good: Core
    quick: Served
    worse: Served
    better: Served
    executions: int
    seconds: float
    executed: int = 0
    alarms: int = 0
    began: float = field(default_factory=spent)
    found_after: float = 0.0
    found: Shown | None = None
    smallest: Shown | None = None
    known: dict[bytes, Verdict] = field(default_factory=dict)
    left: int = SMALLER

    @property
    def passed(self) -> float:
        """Seconds of processor time until now, of children as well.

        Others who use the computer make no difference to it.
        """
        now = spent() - self.began
        return now + self.quick.used + self.worse.used + self.better.used

    def over(self) -> bool:
        """Say whether there is no time or program left."""
        return self.executed >= self.executions or self.passed > self.seconds

    def shows(self, family: Family) -> bool:
        """Say whether one of a family shows the bug."""
        if self.found is None:
            self.found = self.smallest = self.looked_at(family)
            self.found_after = self.passed
            if self.found is not None:
                program, verdict = self.found
                self.known[encode(program)] = verdict
            return self.found is not None
        return self.shown(family)

    def looked_at(self, family: Family) -> Shown | None:
        """Return the first of a family that shows any bug.

        :raises Enough: there is no time or program left.
        """
        if self.over():
            raise Enough
        rest = list(family)
        while rest:
            noticed = self._noticed([encode(program) for program in rest])
            self.executed += min(noticed + 1, len(rest))
            program, rest = rest[noticed : noticed + 1], rest[noticed + 1 :]
            if program:
                verdict = self._judged(encode(program[0]))
                if not verdict.ok:
                    return program[0], verdict
                self.quick.restart()  # perhaps it is not well itself
        return None

    def _noticed(self, programs: list[bytes]) -> int:
        """Return the index of the first that is worth being looked at."""
        answer = self.quick.first(programs)
        if not isinstance(answer, Died):
            return answer[0]
        for i, data in enumerate(programs):
            if not self.quick.execute(data).ok:
                return i
        return len(programs)

    def _judged(self, data: bytes) -> Verdict:
        """Return the verdict on a program, in a process of its own."""
        verdict = execute(self.bad, data)
        if not verdict.ok and not execute(self.good, data).ok:
            self.alarms += 1
            return Verdict()
        return verdict

    def shown(self, family: Family) -> bool:
        """Say whether one of a family shows what was found.

        Hypothesis gets the same answer to the same question again.

        :raises Enough: that was asked for long enough.
        """
        programs = {encode(program): program for program in family}
        if not programs.keys() <= self.known.keys():
            if not self.left:
                raise Enough
            self.left -= 1
        for data, program in programs.items():
            if data not in self.known:
                self.known[data] = self._the_same(data)
            verdict = self.known[data]
            if not verdict.ok:
                self._keep(program, verdict)
                return True
        return False

    def _keep(self, program: Program, verdict: Verdict) -> None:
        if self.smallest is None or _size(program) < _size(self.smallest[0]):
            self.smallest = program, verdict

    def _the_same(self, data: bytes) -> Verdict:
        assert self.found  # noqa: S101 -- or there is nothing to make small
        key: Key = self.found[1].key
        verdict = self.worse.execute(data)
        if verdict.ok or verdict.key != key:
            return Verdict()
        return verdict if self.better.execute(data).ok else Verdict()

    def result(self) -> Shown | None:
        """Return the smallest program, if it is so in any process.

        What Hypothesis has left in it goes as in every hunt.
        """
        if not self.found or not self.smallest:
            return self.found
        if self._the_same(encode(self.smallest[0])).ok:
            return self.found  # it depends on what lies around in a process
        small = shrink(
            self.smallest[0],
            lambda program: self._the_same(encode(program)),
            limit=SHRINK,
        )
        again = execute(self.bad, encode(small.program))
        if again.ok or again.key != self.found[1].key:
            return self.found
        return small.program, again


def _size(program: Program) -> tuple[int, int]:
    return len(program.records), sum(encode(program))


@contextmanager
def _search(
    bad: Core, good: Core, executions: int, seconds: float
) -> Iterator[Search]:
    with ExitStack() as stack:
        quick = Served(
            bad, oracles=ALL_BUT_EACH, audit_every=AUDIT_EVERY, limit=ONE
        )
        yield Search(
            bad=bad,
            good=good,
            quick=stack.enter_context(quick),
            worse=stack.enter_context(Served(bad, limit=ONE)),
            better=stack.enter_context(Served(good, limit=ONE)),
            executions=executions,
            seconds=seconds,
        )


def hunt(
    bad: Core,
    good: Core,
    *,
    seed: int = 1,
    executions: int = EXECUTIONS,
    seconds: float = 60,
) -> Finding:
    """Look for a program that breaks a property on one core, not on the other.

    :param executions: programs to execute at most, about.
    :param seconds: of processor time, to look for at most; the outcome depends
        on it only if it is too short.
    """
    with _search(bad, good, executions, seconds) as search:
        number = 0
        while search.found is None and not search.over():
            number += 1
            chance = Random(f"{seed} {number}")  # noqa: S311 -- repeatable
            with suppress(NoSuchExample, Enough):
                find(families(), search.shows, settings=SETTINGS, random=chance)
        shown = search.result()
        if shown is not None:
            return _finding(search, number, *shown)
        return Finding(
            executions=search.executed,
            seconds=round(search.passed, 2),
            alarms=search.alarms,
        )


def _finding(
    search: Search, number: int, program: Program, verdict: Verdict
) -> Finding:
    return Finding(
        property=verdict.broke,
        what=verdict.what,
        op=verdict.key.op,
        strategy=STRATEGY,
        seed=number,
        executions=search.executed,
        seconds=round(search.found_after, 2),
        operations=len(program.records),
        program=annotated(program, verdict),
        alarms=search.alarms,
    )


if __name__ == "__main__":
    serve(hunt, sys.argv[1:])
