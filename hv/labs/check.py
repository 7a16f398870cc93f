"""The author's gates: what must hold of a lab before students see it.

- the solution has all points;
- the skeleton compiles, shows nothing of the solution, and has exactly the
  points it is declared to have, less than a fifth;
- each typical wrong solution loses what it should, with its message;
- cutting what was cut changes nothing.
"""

from collections.abc import Iterator

from hv.labs import cut
from hv.labs.points import plan
from hv.labs.run import Grade, grade
from hv.labs.spec import Folder, Wrong


def static(folder: Folder) -> Iterator[str]:
    """Return what is wrong with a lab's folder, without running any of it.

    :raises UsageError: a marker or an edit does not fit the sources.
    """
    lab = folder.lab
    files = cut.skeleton(folder)
    for source in lab.file:
        if cut.cut(source, files[source.name]) != files[source.name]:
            yield f"{source.name}: cutting it twice changes it"
    lines = cut.student_lines(folder)
    if not 10 <= lines <= 150:
        yield f"the student writes {lines} lines; 10 to 150 would be right"
    if len(lab.wrong) < 3:
        yield "three typical wrong solutions at least"
    for wrong in lab.wrong:
        cut.wrong_solution(folder, wrong)
    tests = {award.test for award in plan(folder.tests)}
    named = {test for part in lab.part for test in part.tests}
    for test in sorted(tests - named):
        yield f"test {test} belongs to no part: who fails it gets no hint"
    for test in sorted(named - tests):
        yield f"a part names the test {test}, which is not there"


def solved(folder: Folder) -> Iterator[str]:
    """Grade the solution; return what is wrong."""
    done = grade(folder, cut.solution(folder))
    if done.score != done.full or done.broken:
        yield f"the solution has {done.score}/{done.full}: {_first(done)}"


def bare(folder: Folder) -> Iterator[str]:
    """Grade the skeleton; return what is wrong."""
    done = grade(folder, cut.skeleton(folder))
    if done.broken:
        yield f"the skeleton cannot be run: {done.broken}"
    elif done.score != folder.lab.baseline:
        yield (
            f"the skeleton has {done.score} points, "
            f"declared are {folder.lab.baseline}"
        )
    if 5 * done.score >= done.full:
        yield f"the skeleton has a fifth or more: {done.score}/{done.full}"


def caught(folder: Folder, wrong: Wrong) -> Iterator[str]:
    """Grade a wrong solution; return what is wrong with how it was caught."""
    done = grade(folder, cut.wrong_solution(folder, wrong))
    if done.broken:
        yield f"{wrong.name}: it cannot be run: {done.broken}"
        return
    failed = {r.award.test: r.message for r in done.results if not r.good}
    for test in wrong.loses:
        if test not in failed:
            yield f"{wrong.name}: it passes {test}"
    if not any(wrong.says in message for message in failed.values()):
        yield f"{wrong.name}: no message says {wrong.says!r}: {_first(done)}"


def _first(done: Grade) -> str:
    for result in done.results:
        if not result.good:
            return f"{result.award.test}: {result.message}"
    return done.broken


def all_gates(folder: Folder) -> Iterator[str]:
    """Return everything that is wrong with a lab."""
    yield from static(folder)
    yield from solved(folder)
    yield from bare(folder)
    for wrong in folder.lab.wrong:
        yield from caught(folder, wrong)
