"""Look for a planted bug by automatic generation, from a cold start.

Programs are drawn from seeds, strategy by strategy, and executed on the core
that has the bug until one breaks a property; the good core must say of the same
program that all is well. Then it is made small. The outcome depends on the
core and the first seed alone, but for how long it took.
"""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from functools import partial
from mmap import mmap
from pathlib import Path
from signal import ITIMER_PROF, setitimer

from hv.errors import HvError
from hv.fuzz.format import Program, decode, encode
from hv.fuzz.native import ALL_BUT_EACH, Context, Core, Found, load
from hv.fuzz.ops import MAX_LENGTH
from hv.fuzz.shrink import shrink
from hv.fuzz.text import render
from hv.fuzz.verdict import Verdict
from hv.zoo.guarded import Died, guarded

# The best first: the others find what these overlook.
STRATEGIES = ("g3", "g4", "g3", "g2") * 4 + ("g3", "g5", "g1", "g0")
ROUND = 256  # programs of one strategy
EXECUTIONS = 200_000
SHRINK = 600  # programs tried
# What audits after each operation sees more, and takes three times as long.
AUDIT_EVERY = 6
# Seconds of processor time that a program may take. It is a finding if it takes
# more: the longest of twenty thousand took 0.003.
ONE = 0.1
LONG = 3600  # seconds: a process that executes many programs


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What became of a hunt.

    :ivar property: that broke; empty: nothing was found.
    :ivar executions: programs executed until then.
    :ivar seconds: of processor time until then, without making it small.
    :ivar operations: of the small program.
    :ivar program: the same as text.
    :ivar alarms: programs of which the good core complained as well.
    :ivar second: another property that sees it, if one was looked for.
    """

    property: str = ""
    what: str = ""
    op: str = ""
    strategy: str = ""
    seed: int = 0
    executions: int = 0
    seconds: float = 0.0
    operations: int = 0
    program: str = ""
    alarms: int = 0
    second: str = ""


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

    HEAD = struct.Struct("=IIQI")  # round, programs of it, seed, its length

    def __init__(self) -> None:
        self._shared = mmap(-1, self.HEAD.size + MAX_LENGTH)
        self.say(0, 0, 0, b"")

    def say(self, number: int, done: int, seed: int, data: bytes) -> None:
        """Say what is executed next."""
        end = self.HEAD.size + len(data)
        self._shared[self.HEAD.size : end] = data
        self.HEAD.pack_into(self._shared, 0, number, done, seed, len(data))

    def heard(self) -> tuple[int, int, int, bytes]:
        """Return what was said last."""
        number, done, seed, length = self.HEAD.unpack_from(self._shared, 0)
        end = self.HEAD.size + length
        return number, done, seed, bytes(self._shared[self.HEAD.size : end])


@dataclass(slots=True)
class _State:
    """How far a hunt has got."""

    round: int = 0
    executed: int = 0
    alarms: int = 0
    found: Found | None = None
    over: bool = False

    def leave(self, done: int) -> None:
        """Go on with the next round, after so many programs of this one."""
        self.executed += done
        self.round += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hunt:
    """What a hunt is about; ``until`` is of :func:`spent`."""

    bad: Core
    good: Core
    first: int
    executions: int
    until: float
    without: Collection[str] = ()

    def go_on(self, state: _State, told: _Told, before: float) -> _State:
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
        self, worse: Context, better: Context, state: _State, told: _Told
    ) -> None:
        first = self.first + state.round * ROUND

        def tell(seed: int, data: bytes) -> None:
            told.say(state.round, seed - first, seed, data)
            setitimer(ITIMER_PROF, ONE)

        for found in worse.careful(strategy(state.round), first, ROUND, tell):
            if better.execute(found.data).ok:
                state.found = found
                state.executed += found.seed - first + 1
                return
            state.alarms += 1
        state.leave(ROUND)

    def killed(self, state: _State, told: _Told) -> None:
        """Note which program has killed a child."""
        number, done, seed, data = told.heard()
        state.executed += (number - state.round) * ROUND + done + 1
        state.round = number
        state.found = Found(seed, data, Verdict())

    def judged(self, state: _State) -> Verdict:
        """Return the verdict on what was found; forget it if all is well."""
        assert state.found  # noqa: S101 -- who asks has looked
        verdict = execute(self.bad, state.found.data, self.without)
        if not verdict.ok and not execute(self.good, state.found.data).ok:
            state.alarms += 1
            verdict = Verdict()
        if verdict.ok:
            state.found = None
            state.leave(0)
        return verdict


def spent() -> float:
    """Return the seconds of processor time of this process and its children.

    Others who use the computer make no difference to it.
    """
    return sum(os.times()[:4])


def strategy(number: int) -> str:
    """Return by which strategy the programs of a round are drawn."""
    return STRATEGIES[number % len(STRATEGIES)]


def hunt(
    bad: Core,
    good: Core,
    *,
    seed: int = 1,
    executions: int = EXECUTIONS,
    seconds: float = 60,
    second: bool = False,
) -> Finding:
    """Look for a program that breaks a property on one core, not on the other.

    :param executions: programs to execute at most.
    :param seconds: of processor time, to look for at most; the outcome depends
        on it only if it is too short.
    :param second: look again, as long, for what another property sees.
    """
    look = partial(
        _first,
        bad,
        good,
        seed=seed,
        executions=executions,
        seconds=seconds,
    )
    found, program = look()
    if program is None:
        return found
    if second:
        again, _ = look(without=(found.property,))
        found = replace(found, second=again.property)
    return _small(bad, good, program, found)


def _first(
    bad: Core,
    good: Core,
    *,
    seed: int,
    executions: int,
    seconds: float,
    without: Collection[str] = (),
) -> tuple[Finding, Program | None]:
    begin = spent()
    it = _Hunt(
        bad=bad,
        good=good,
        first=seed * 1_000_000,
        executions=executions,
        until=begin + seconds,
        without=without,
    )
    state, told, verdict = _State(), _Told(), Verdict()
    while not state.found and not state.over:
        outcome = guarded(partial(it.go_on, state, told, spent()), LONG)
        if isinstance(outcome, Died):
            it.killed(state, told)
        else:
            state = outcome
        if state.found:
            verdict = it.judged(state)
    finding = Finding(
        property=verdict.broke,
        strategy=strategy(state.round) if state.found else "",
        seed=state.found.seed if state.found else 0,
        executions=state.executed,
        seconds=round(spent() - begin, 2),
        alarms=state.alarms,
    )
    return finding, decode(state.found.data) if state.found else None


def _small(bad: Core, good: Core, program: Program, found: Finding) -> Finding:
    def shows(smaller: Program) -> Verdict:
        verdict = execute(bad, encode(smaller))
        if not verdict.ok and not execute(good, encode(smaller)).ok:
            return Verdict()  # that is something else
        return verdict

    small = shrink(program, shows, limit=SHRINK)
    return Finding(
        **{
            **asdict(found),
            "what": small.verdict.what,
            "op": small.verdict.key.op,
            "operations": len(small.program.records),
            "program": annotated(small.program, small.verdict),
        }
    )


def annotated(program: Program, verdict: Verdict) -> str:
    """Return a program as text that says where it breaks what."""
    note = f"{verdict.broke}: {verdict.what}"
    if verdict.op < len(program.records):
        return render(program, notes={verdict.op: note})
    return f"{render(program)}  # <-- {note}\n"


def hunt_apart(
    bad: Path,
    good: Path,
    *,
    seed: int,
    executions: int,
    seconds: float,
    by: str = "hunt",
    second: bool = False,
) -> Finding:
    """Do the same in a process of its own, so that several can be done at once.

    :param by: the module that looks: this one, or ``search``.
    :raises HvError: it could not be done at all.
    """
    done = subprocess.run(  # noqa: S603 -- ourselves
        [
            *(sys.executable, "-m", f"hv.zoo.{by}", str(bad), str(good)),
            *(str(seed), str(executions), str(seconds)),
            *(["second"] if second else []),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HvError(f"a hunt failed: {done.stderr}")
    return Finding(**json.loads(done.stdout))


def serve(how: Callable[..., Finding], args: list[str]) -> None:
    """Hunt as the arguments say, and print the finding as JSON."""
    bad, good, seed, executions, seconds, *more = args
    finding = how(
        load(bad),
        load(good),
        seed=int(seed),
        executions=int(executions),
        seconds=float(seconds),
        **dict.fromkeys(more, True),
    )
    print(json.dumps(asdict(finding)))


if __name__ == "__main__":
    serve(hunt, sys.argv[1:])
