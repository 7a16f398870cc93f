"""A piece of a campaign: a range of seeds, and what came of it.

A result is a function of its task alone: not of who ran it, when, or after
what. So pieces can be done in any order, by any number of workers, on any
computer, and again if a worker is lost.
"""

from dataclasses import dataclass, field, replace

from hv.fuzz import native
from hv.fuzz.format import decode, encode
from hv.fuzz.native import Core, Found, Sums
from hv.fuzz.shrink import shrink
from hv.fuzz.verdict import Key

SHRINK_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be done.

    :param core: ``wheat``, or the path of a shared library.
    :param oracles: the checks to make, of ``enum hvp_oracle``.
    :param first_only: stop at the first finding, and do not shrink it; what
        hv's own core does as well is not what is looked for.
    """

    strategy: str
    first: int
    count: int
    core: str = native.WHEAT
    oracles: int = native.ALL_ORACLES
    audit_every: int = native.AUDIT_EVERY
    shrink_limit: int = SHRINK_LIMIT
    first_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A way to break a property.

    :param key: property and operation.
    :param what: how it broke, in words, by the shrunk program.
    :param strategy: by which it was found ...
    :param seed: ... with this seed.
    :param data: the shrunk program.
    :param original: the program as it was generated.
    :param index: of the record at which the shrunk program breaks it.
    :param times: how many programs of the range broke it so.
    """

    key: Key
    what: str
    strategy: str
    seed: int
    data: bytes
    original: bytes
    index: int = 0
    times: int = 1


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of a task.

    :param findings: by key, the first of each kind.
    """

    task: Task
    sums: Sums = field(default_factory=Sums)
    findings: dict[Key, Finding] = field(default_factory=dict)

    def add(self, other: "Result") -> None:
        """Add the result of another range of seeds; the order is no matter."""
        self.sums.add(other.sums)
        for finding in other.findings.values():
            self.find(finding)

    def find(self, finding: Finding) -> None:
        """Add a finding; of two that are the same, the lower seed is kept."""
        known = self.findings.get(finding.key)
        if known is None:
            self.findings[finding.key] = finding
            return
        order = min(known, finding, key=_order)
        self.findings[finding.key] = replace(
            order, times=known.times + finding.times
        )


def _order(finding: Finding) -> tuple[int, str]:
    return finding.seed, finding.strategy


def run_task(task: Task) -> Result:
    """Do a piece of a campaign.

    :raises HvError: if the core cannot be loaded, or memory runs out.
    """
    core = native.load(task.core)
    result = Result(task=task)
    fresh: dict[Key, Found] = {}
    times: dict[Key, int] = {}
    with core.context(
        oracles=task.oracles, audit_every=task.audit_every
    ) as context:
        for sums, found in context.batch(task.strategy, task.first, task.count):
            result.sums = sums
            if found is not None and not (task.first_only and _own(found)):
                fresh.setdefault(found.verdict.key, found)
                key = found.verdict.key
                times[key] = times.get(key, 0) + 1
                if task.first_only:
                    break
    for key, found in fresh.items():
        result.find(_shrunk(core, task, found, times[key]))
    return result


def _own(found: Found) -> bool:
    """Tell whether hv as it is breaks the same: then it is no planted bug."""
    with native.wheat().context() as context:
        verdict = context.execute(found.data)
    return not verdict.ok and verdict.key == found.verdict.key


def _shrunk(core: Core, task: Task, found: Found, times: int) -> Finding:
    key = found.verdict.key
    program, verdict = decode(found.data), found.verdict
    if not task.first_only:
        with core.context(oracles=task.oracles, audit_every=1) as context:
            again = context.execute(encode(program))
            if not again.ok and again.key == key:
                shrunk = shrink(
                    program,
                    lambda p: context.execute(encode(p)),
                    limit=task.shrink_limit,
                )
                program, verdict = shrunk.program, shrunk.verdict
    return Finding(
        key=key,
        what=verdict.what,
        strategy=task.strategy,
        seed=found.seed,
        data=encode(program),
        original=found.data,
        index=verdict.op,
        times=times,
    )
