"""The zoo: bugs of real hypervisors, to be planted in ours.

A bug is data (`records()`): which text of which file, what to put instead, who
made the mistake before, and which property must see it. The reference sources
know nothing of it. `build()` makes a core that has the bug, a shared library
behind the same headers as the good one; `wheats()` are cores that differ and
are right all the same, so that no property is made to fit one implementation.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hv.errors import UsageError
from hv.zoo.builder import FAST, BuildError, Edit, changed
from hv.zoo.builder import build as _build
from hv.zoo.catalogue import (
    Basis,
    Bug,
    Difficulty,
    Wheat,
    classes,
    core,
    record,
    records,
    wheats,
)

if TYPE_CHECKING:
    from hv.zoo.hunt import Finding

__all__ = [
    "Basis",
    "Bug",
    "BuildError",
    "Difficulty",
    "Edit",
    "Wheat",
    "build",
    "classes",
    "core",
    "hunts",
    "record",
    "records",
    "sound",
    "wheats",
]


def build(what: str | Bug | Wheat, *, jobs: int = 2) -> Path:
    """Compile a core that has this bug, or is this variant.

    :param what: a record, or an id.
    :param jobs: how many compilers run at once.
    :raises UsageError: nothing has this id.
    :raises BuildError: it cannot be built.
    """
    it = core(what) if isinstance(what, str) else what
    files = changed(it.id, it.edits)
    if isinstance(it, Wheat):
        flags = (*FAST, *it.flags)
        return _build(files, it.compiler, flags=flags, jobs=jobs)
    return _build(files, flags=FAST, jobs=jobs)


def sound(*, jobs: int = 2) -> Path:
    """Compile the core as it is, as quick as those with a bug.

    :raises BuildError: it cannot be built.
    """
    return _build(flags=FAST, jobs=jobs)


def hunts(
    bugs: Iterable[Bug],
    good: Path,
    *,
    seed: int = 1,
    executions: int | None = None,
    seconds: float = 60,
    jobs: int = 1,
    hypothesis: bool = False,
    second: bool = False,
) -> "Iterator[tuple[Bug, Finding]]":
    """Build and look for bugs, each from a cold start, in their order.

    :param good: the core in which nothing may be found: `sound()`.
    :param executions: programs at most for each; default: many.
    :param seconds: of processor time, at most for each.
    :param jobs: how many at once.
    :param hypothesis: let Hypothesis draw the programs, not the generator.
    :param second: look again, for what another property sees of it.
    :raises UsageError: Hypothesis is not installed, or to find a second one.
    :raises BuildError: one cannot be built.
    """
    from hv.zoo import hunt  # noqa: PLC0415 -- it loads the core

    if hypothesis and find_spec("hypothesis") is None:
        raise UsageError(
            "--hypothesis needs the package `hypothesis`: "
            "pip install 'microhv[test]'"
        )
    if hypothesis and second:
        raise UsageError("a second property is looked for by the generator")
    by = "search" if hypothesis else "hunt"
    limit = hunt.EXECUTIONS if executions is None else executions

    def one(bug: Bug) -> "Finding":
        return hunt.hunt_apart(
            *(build(bug), good),
            seed=seed,
            executions=limit,
            seconds=seconds,
            by=by,
            second=second,
        )

    return _each(one, list(bugs), jobs)


def _each(
    one: "Callable[[Bug], Finding]", bugs: list[Bug], jobs: int
) -> "Iterator[tuple[Bug, Finding]]":
    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(bugs, pool.map(one, bugs), strict=True)
