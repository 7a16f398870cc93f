"""Judge attacks that students write: programs, on cores with a bug."""

from collections.abc import Mapping
from pathlib import Path

from hv.errors import UsageError
from hv.fuzz import native
from hv.fuzz.format import Program, encode
from hv.fuzz.verdict import Verdict
from hv.labs.chaff_cores import GOOD, reached
from hv.labs.chaff_steps import QUIET, begin
from hv.labs.trial import Alarm, Place, Stage, Trial

LOUD = native.ALL_BUT_EACH  # all oracles of hv's own ...
EACH = 1  # ... after each operation


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
        begin(context, program, path)
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
