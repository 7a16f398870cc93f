"""A Sphinx extension: the museum, a page per class of bugs, from the zoo.

Everything on a page comes from the record: the story, the mistake as a diff of
today's sources, the smallest program that shows it, and a drawing of that.
Which properties saw it was measured (data/generator.json).
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sphinx.application import Sphinx

from hv import zoo
from hv.zoo.show import BASIS, diff, violates

HERE = Path(__file__).resolve().parent
OUT = HERE / "museum"


def generate(_: Sphinx | None = None) -> None:
    """Write all pages, before they are read."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    for letter, title in zoo.classes().items():
        (OUT / f"{letter}.md").write_text(page(letter, title))
    (HERE / "_generated").mkdir(exist_ok=True)
    (HERE / "_generated" / "museum.md").write_text(overview())


def overview() -> str:
    """Return a table of all bugs, to be included by the chapter."""
    lines = [
        "| | bug | made before by | property | to find |",
        "|---" * 5 + "|",
    ]
    lines += [
        f"| [{bug.id}](#{anchor(bug)}) | {bug.title} | "
        f"{bug.precedent} | {bug.property} | {bug.difficulty} |"
        for bug in zoo.records()
    ]
    return "\n".join(lines) + "\n"


def anchor(bug: zoo.Bug) -> str:
    """Return the label of a bug's section."""
    return f"bug-{bug.id.lower()}"


def page(letter: str, title: str) -> str:
    """Return the page of a class."""
    bugs = [bug for bug in zoo.records() if bug.id[0] == letter]
    sections = "\n".join("\n".join(section(bug)) for bug in bugs)
    return f"# {title}\n\n{sections}"


def section(bug: zoo.Bug) -> Iterator[str]:
    """Yield the lines of a bug's section."""
    yield f"({anchor(bug)})=\n"
    yield f"## {bug.id}: {bug.title}\n"
    yield f"{bug.story}\n"
    yield f"Made before by\n: {bug.precedent} ({BASIS[bug.basis]})\n"
    yield f"Hurts\n: {violates(bug)}\n"
    yield f"Breaks\n: {bug.property}; perhaps {bug.also}\n"
    alone = f" alone. {bug.alone}" if bug.alone else ""
    yield f"Seen by\n: {' and '.join(witnesses(bug))}{alone}\n"
    yield f"The mistake:\n\n```diff\n{diff(bug)}```\n"
    if bug.trigger:
        yield from attack(bug)
    else:
        yield "No program is known yet that shows it: it is on probation.\n"


@cache
def measured() -> dict[str, Counter[str]]:
    """Return how often each property saw a bug, by the bug's id."""
    seen: dict[str, Counter[str]] = {}
    report = json.loads((HERE / "data" / "generator.json").read_text())
    for hunt in report["hunts"]:
        found = filter(None, (hunt["property"], hunt["second"]))
        seen.setdefault(hunt["id"], Counter()).update(found)
    return seen


def witnesses(bug: zoo.Bug) -> list[str]:
    """Return the properties that saw a bug, those that most often did first."""
    return [name for name, _ in measured()[bug.id].most_common()]


def attack(bug: zoo.Bug) -> Iterator[str]:
    """Yield the program that shows a bug, and a drawing of it."""
    from hv.fuzz.text import parse  # noqa: PLC0415 -- it loads the core
    from hv.zoo.picture import picture  # noqa: PLC0415

    program = parse(bug.trigger)
    name = f"{bug.id}.svg"
    (OUT / name).write_text(
        picture(program, f"An attack on {bug.id}", said(bug))
    )
    n = len(program.records)
    yield f"The smallest attack known, in {n} operation{'s'[: n > 1]}:\n"
    yield f"```{{image}} {name}\n:alt: {bug.title}, as a program\n```\n"
    yield f"```text\n{bug.trigger}```\n"


def said(bug: zoo.Bug) -> str:
    """Return what the property said, which the trigger has as a note."""
    return bug.trigger.partition("<-- ")[2].partition("\n")[0]


def setup(app: Sphinx) -> dict[str, object]:
    """Tell Sphinx."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
