"""What a student reads about a grade; the form is that of MIT's `make grade`.

(https://pdos.csail.mit.edu/6.1810: ``== Test name == name: OK``, and a score.)
"""

from collections.abc import Iterator

from hv.labs.run import Grade, Result

BAR = 30  # characters of a bar


def lines(grade: Grade) -> Iterator[str]:
    """Return the report, line by line."""
    if grade.broken:
        yield grade.broken
        yield ""
    for result in grade.results:
        yield from _test(result)
    yield f"Score: {grade.score}/{grade.full}"


def _test(result: Result) -> Iterator[str]:
    title = result.award.title
    verdict = "OK" if result.good else "FAIL"
    yield f"== Test {title} == {title}: {verdict}"
    if result.good:
        return
    for line in result.message.splitlines():
        yield f"    {line}"
    if result.message and result.replay:
        yield f"    again: {result.replay}"


def text(grade: Grade) -> str:
    """Return the report as one text."""
    return "\n".join(lines(grade)) + "\n"


def bar(grade: Grade) -> str:
    """Return a bar of the points, as `hv lab watch` shows it."""
    done = BAR * grade.score // grade.full if grade.full else 0
    marks = "#" * done + "-" * (BAR - done)
    return f"[{marks}] {grade.score}/{grade.full}"


def changed(last: Grade, now: Grade) -> str:
    """Return what to add to a bar: points won or lost, and by which tests."""
    before = {result.award.test: result.good for result in last.results}
    won = [r.award.test for r in now.results if r.good > before[r.award.test]]
    lost = [r.award.test for r in now.results if r.good < before[r.award.test]]
    points = now.score - last.score
    parts = [
        *([f"{points:+}"] if points else []),
        *([f"now good: {', '.join(won)}"] if won else []),
        *([f"no longer: {', '.join(lost)}"] if lost else []),
    ]
    return f"  {'; '.join(parts)}" if parts else ""


def first_failure(grade: Grade) -> Result | None:
    """Return the first test that failed: the one to look at."""
    return next((r for r in grade.results if not r.good), None)
