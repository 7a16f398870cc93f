"""Programs of one strategy after another, until one breaks something.

They are executed in a child, which they may kill. What it is about to execute
is told to its parent, so that nothing but that program is lost.
"""

import os
import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from mmap import mmap

from hv.fuzz.native import ALL_BUT_EACH, Context, Core, Found
from hv.fuzz.ops import MAX_LENGTH
from hv.fuzz.verdict import Verdict
from hv.zoo.guarded import Died, end_within, guarded

# The best first: the others find what these overlook.
STRATEGIES = ("g3", "g4", "g3", "g2") * 4 + ("g3", "g5", "g1", "g0")
ROUND = 256  # programs of one strategy
# What audits after each operation sees more, and takes three times as long.
AUDIT_EVERY = 6
# Seconds of processor time that a program may take. It is a finding if it takes
# more: the longest of twenty thousand took 0.003.
ONE = 0.1
LONG = 3600  # seconds: a process that executes many programs


def spent() -> float:
    """Return the seconds of processor time of this process and its children.

    Others who use the computer make no difference to it.
    """
    return sum(os.times()[:4])


def strategy(number: int) -> str:
    """Return by which strategy the programs of a round are drawn."""
    return STRATEGIES[number % len(STRATEGIES)]


def execute(core: Core, data: bytes, without: Collection[str] = ()) -> Verdict:
    """Execute one program in a context and a process of its own.

    :param without: properties of which nothing is to be heard.
    """

    def work() -> Verdict:
        with core.context(audit_every=1) as context:
            context.mute(without)
            return context.execute(data)

    outcome = guarded(work, ONE)
    if isinstance(outcome, Died):
        if "P27" in without:
            return Verdict()
        return Verdict(broke="P27", what=outcome.how)
    return outcome


class _Told:
    """What a child says of itself to its parent, which outlives it.

    Written before each program, so that of one that kills it is known which.
    """

    HEAD = struct.Struct("=QI")  # seed, length of its program

    def __init__(self, first: int) -> None:
        self._shared = mmap(-1, self.HEAD.size + MAX_LENGTH)
        self.say(first, b"")

    def say(self, seed: int, data: bytes) -> None:
        """Say what is executed next."""
        end = self.HEAD.size + len(data)
        self._shared[self.HEAD.size : end] = data
        self.HEAD.pack_into(self._shared, 0, seed, len(data))

    def heard(self) -> tuple[int, bytes]:
        """Return what was said last."""
        seed, length = self.HEAD.unpack_from(self._shared, 0)
        end = self.HEAD.size + length
        return seed, bytes(self._shared[self.HEAD.size : end])


@dataclass(slots=True)
class State:
    """How far somebody has got who looks.

    :ivar round: in which round.
    :ivar executed: programs in all.
    :ivar alarms: those that only seemed to show something.
    :ivar found: what does show something, if anything did.
    :ivar verdict: on that, by itself and with all checks.
    """

    round: int = 0
    executed: int = 0
    alarms: int = 0
    found: Found | None = None
    verdict: Verdict = field(default_factory=Verdict)
    over: bool = False

    def leave(self, done: int) -> None:
        """Go on with the next round, after so many programs of this one."""
        self.executed += done
        self.round += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Look for what breaks a property on one core, and not on another.

    :param first: seed of the first program.
    :param executions: programs at most, in whole rounds.
    :param until: what :func:`spent` says at the end.
    :param without: properties of which nothing is to be heard.
    """

    bad: Core
    good: Core
    first: int
    executions: int
    until: float
    without: Collection[str] = ()

    def look(self) -> State:
        """Go through the rounds, until something is found or all is over."""
        state, told = State(), _Told(self.first)
        while not state.found and not state.over:
            outcome = guarded(partial(self._go_on, state, told, spent()), LONG)
            if isinstance(outcome, Died):
                self._killed(state, told)
            else:
                state = outcome
            if state.found:
                self._judge(state, state.found.data)
        return state

    def _go_on(self, state: State, told: _Told, before: float) -> State:
        """Look, from the beginning of a round, until one breaks something.

        :param before: what the parent had spent when it made this child.
        """
        worse = self.bad.context(oracles=ALL_BUT_EACH, audit_every=AUDIT_EVERY)
        with worse as context, self.good.context() as better:
            context.mute(self.without)
            while not state.found:
                state.over = (
                    state.executed >= self.executions
                    or before + spent() > self.until
                )
                if state.over:
                    break
                self._round(context, better, state, told)
        return state

    def _round(
        self, worse: Context, better: Context, state: State, told: _Told
    ) -> None:
        first = self.first + state.round * ROUND

        def tell(seed: int, data: bytes) -> None:
            told.say(seed, data)
            end_within(ONE)

        for found in worse.careful(strategy(state.round), first, ROUND, tell):
            if better.execute(found.data).ok:
                state.found = found
                state.executed += found.seed - first + 1
                return
            state.alarms += 1
        state.leave(ROUND)

    def _killed(self, state: State, told: _Told) -> None:
        """Note which program has killed a child."""
        seed, data = told.heard()
        number, done = divmod(seed - self.first, ROUND)
        state.executed += (number - state.round) * ROUND + done + 1
        state.round = number
        state.found = Found(seed, data, Verdict())

    def _judge(self, state: State, data: bytes) -> None:
        """Execute what was found by itself; forget it if all is well."""
        verdict = execute(self.bad, data, self.without)
        if not verdict.ok and not execute(self.good, data).ok:
            state.alarms += 1
            verdict = Verdict()
        if verdict.ok:
            state.found = None
            state.leave(0)
        state.verdict = verdict
