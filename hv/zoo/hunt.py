"""Look for a planted bug by automatic generation, from a cold start.

Programs are drawn from seeds, strategy by strategy, and executed on the core
that has the bug until one breaks a property; the good core must say of the same
program that all is well. Then it is made small. The outcome depends on the
core and the first seed alone, but for how long it took.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from hv.errors import HvError
from hv.fuzz.format import Program, decode, encode
from hv.fuzz.native import Core, load
from hv.fuzz.shrink import Shrunk, shrink
from hv.fuzz.text import render
from hv.fuzz.verdict import Verdict
from hv.zoo.rounds import ONE, Rounds, execute, spent, strategy
from hv.zoo.served import Served

EXECUTIONS = 200_000
SEEDS = 1_000_000  # from one hunt to the next
SHRINK = 10_000  # programs tried


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
    :param second: look again, for what another property sees, for a third of
        the time at most.
    """
    look = partial(
        _first,
        bad,
        good,
        seed=seed,
        executions=executions,
    )
    found, program = look(seconds=seconds)
    if program is None:
        return found
    if second:
        again, _ = look(seconds=seconds / 3, without=(found.property,))
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
    state = Rounds(
        bad=bad,
        good=good,
        first=seed * SEEDS,
        executions=executions,
        until=begin + seconds,
        without=without,
    ).look()
    finding = Finding(
        property=state.verdict.broke,
        strategy=strategy(state.round) if state.found else "",
        seed=state.found.seed if state.found else 0,
        executions=state.executed,
        seconds=round(spent() - begin, 2),
        alarms=state.alarms,
    )
    return finding, decode(state.found.data) if state.found else None


def _small(bad: Core, good: Core, program: Program, found: Finding) -> Finding:
    small = _smaller(bad, good, program)
    return replace(
        found,
        what=small.verdict.what,
        op=small.verdict.key.op,
        operations=len(small.program.records),
        program=annotated(small.program, small.verdict),
    )


def _smaller(bad: Core, good: Core, program: Program) -> Shrunk:
    """Return a program that shows the same in a process of its own.

    One process for all that are tried is quick; but what some bugs do depends
    on what lies around in it.
    """
    with (
        suppress(ValueError),
        Served(bad, limit=ONE) as worse,
        Served(good, limit=ONE) as better,
    ):
        small = _shrunk(program, worse.execute, better.execute)
        if execute(bad, encode(small.program)).key == small.verdict.key:
            return small
    return _shrunk(program, partial(execute, bad), partial(execute, good))


def _shrunk(
    program: Program,
    worse: Callable[[bytes], Verdict],
    better: Callable[[bytes], Verdict],
) -> Shrunk:
    def shows(smaller: Program) -> Verdict:
        verdict = worse(encode(smaller))
        if not verdict.ok and not better(encode(smaller)).ok:
            return Verdict()  # that is something else
        return verdict

    return shrink(program, shows, limit=SHRINK)


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
