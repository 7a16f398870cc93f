"""Look for a planted bug by automatic generation, from a cold start.

Programs are drawn from seeds, strategy by strategy, and executed on the core
that has the bug until one breaks a property; the good core must say of the same
program that all is well. Then it is made small. The outcome depends on the
core and the first seed alone, but for how long it took.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hv.errors import HvError
from hv.fuzz.format import Program, decode, encode
from hv.fuzz.native import ALL_BUT_EACH, Core, Found, load
from hv.fuzz.shrink import shrink
from hv.fuzz.text import render
from hv.fuzz.verdict import Verdict
from hv.zoo.guarded import Died, guarded

# The best first: the others find what these overlook.
STRATEGIES = ("g3", "g4", "g2", "g5", "g3", "g4", "g1", "g0")
ROUND = 256  # programs of one strategy; a multiple of 64, which share a world
EXECUTIONS = 200_000
SHRINK = 600  # programs tried
# What audits after each operation sees more, and takes three times as long.
AUDIT_EVERY = 6
ONE, MANY = 5, 30  # seconds: a program, a round that does not end is a finding


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What became of a hunt.

    :ivar property: that broke; empty: nothing was found.
    :ivar executions: programs executed until then.
    :ivar seconds: until then, without making it small.
    :ivar operations: of the small program.
    :ivar program: the same as text.
    :ivar alarms: programs of which the good core complained as well.
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


def execute(core: Core, data: bytes) -> Verdict:
    """Execute one program in a context and a process of its own."""

    def work() -> Verdict:
        with core.context(audit_every=1) as context:
            return context.execute(data)

    outcome = guarded(work, ONE)
    if isinstance(outcome, Died):
        return Verdict(broke="P27", what=outcome.how)
    return outcome


@dataclass(slots=True)
class _Round:
    """What a round has come upon."""

    found: Found | None = None
    alarms: int = 0


def _together(bad: Core, good: Core, strategy: str, first: int) -> _Round:
    """Return the first program of a round that only the bad core fails."""
    result = _Round()
    worse = bad.context(oracles=ALL_BUT_EACH, audit_every=AUDIT_EVERY)
    with worse as context, good.context() as better:
        for _, found in context.batch(strategy, first, ROUND):
            if found is None:
                continue
            if better.execute(found.data).ok:
                result.found = found
                break
            result.alarms += 1
    return result


def _round(bad: Core, good: Core, strategy: str, first: int) -> _Round:
    """Do the same, and survive it."""
    outcome = guarded(lambda: _together(bad, good, strategy, first), MANY)
    if not isinstance(outcome, Died):
        return outcome
    result = _Round()
    for seed in range(first, first + ROUND):
        data = bad.generate(strategy, seed)
        verdict = execute(bad, data)
        if verdict.ok:
            continue
        if execute(good, data).ok:
            result.found = Found(seed, data, verdict)
            break
        result.alarms += 1
    return result


def _rounds(seed: int) -> Iterator[tuple[str, int]]:
    """Yield strategies and the first seed of each round, without end."""
    first = seed * 1_000_000
    while True:
        for strategy in STRATEGIES:
            yield strategy, first
            first += ROUND


def hunt(
    bad: Core,
    good: Core,
    *,
    seed: int = 1,
    executions: int = EXECUTIONS,
    seconds: float = 60,
) -> Finding:
    """Look for a program that breaks a property on one core, not on the other.

    :param executions: programs to execute at most.
    :param seconds: to look for at most; the outcome depends on it only if it
        is too short.
    """
    begin = time.monotonic()
    done = alarms = 0
    for strategy, first in _rounds(seed):
        passed = time.monotonic() - begin
        if done >= executions or passed > seconds:
            break
        outcome = _round(bad, good, strategy, first)
        alarms += outcome.alarms
        found = outcome.found
        verdict = found and execute(bad, found.data)
        if not found or not verdict or verdict.ok:
            done += ROUND
            continue
        finding = Finding(
            property=verdict.broke,
            strategy=strategy,
            seed=found.seed,
            executions=done + found.seed - first + 1,
            seconds=round(time.monotonic() - begin, 2),
            alarms=alarms,
        )
        return _small(bad, good, decode(found.data), finding)
    return Finding(
        executions=done,
        seconds=round(time.monotonic() - begin, 2),
        alarms=alarms,
    )


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
) -> Finding:
    """Do the same in a process of its own, so that several can be done at once.

    :param by: the module that looks: this one, or ``search``.
    :raises HvError: it could not be done at all.
    """
    done = subprocess.run(  # noqa: S603 -- ourselves
        [
            *(sys.executable, "-m", f"hv.zoo.{by}", str(bad), str(good)),
            *(str(seed), str(executions), str(seconds)),
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
    bad, good, seed, executions, seconds = args
    finding = how(
        load(bad),
        load(good),
        seed=int(seed),
        executions=int(executions),
        seconds=float(seconds),
    )
    print(json.dumps(asdict(finding)))


if __name__ == "__main__":
    serve(hunt, sys.argv[1:])
