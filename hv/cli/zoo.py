"""``hv zoo``: bugs of real hypervisors, planted in ours."""

import json
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import options
from hv.cli.table import table

if TYPE_CHECKING:
    from hv.zoo import Bug
    from hv.zoo.hunt import Finding

WIDTH = 78


@click.group()
def zoo() -> None:
    """Plant bugs that real hypervisors had, and see them found."""


def _chosen(ids: Sequence[str]) -> "list[Bug]":
    from hv import zoo as them  # noqa: PLC0415 -- lazily

    return [them.record(i) for i in ids] if ids else list(them.records())


def _found(it: "Finding") -> str:
    return f"{it.property or 'missed'} {it.second}"


@zoo.command("list")
@click.option(
    "--wheats", is_flag=True, help="Those that differ and are right, instead."
)
@options.as_json
def list_(*, wheats: bool, as_json: bool) -> None:
    """List the bugs."""
    if wheats:
        _list_wheats(as_json=as_json)
        return
    bugs = _chosen(())
    if as_json:
        rows = [asdict(bug) for bug in bugs]
        print(json.dumps({"bugs": rows}))
        return
    head = ("ID", "PROPERTY", "HURTS", "", "BUG", "WHO MADE IT")
    print(
        table(
            head,
            [
                (
                    *(bug.id, bug.property, bug.violates, bug.difficulty),
                    *(bug.title, bug.precedent),
                )
                for bug in bugs
            ],
            right=(),
        )
    )


def _list_wheats(*, as_json: bool) -> None:
    from hv import zoo as them  # noqa: PLC0415 -- lazily

    if as_json:
        rows = [asdict(wheat) for wheat in them.wheats()]
        print(json.dumps({"wheats": rows}))
        return
    named = [(wheat.id, wheat.title) for wheat in them.wheats()]
    print(table(("ID", "WHAT IS OTHERWISE"), named, right=()))


@zoo.command()
@click.argument("name", metavar="ID")
def show(*, name: str) -> None:
    """Tell the story of a bug or of a wheat, and what it changes."""
    from hv import zoo as them  # noqa: PLC0415 -- lazily
    from hv.zoo.show import BASIS, diff, violates  # noqa: PLC0415

    bug = them.core(name)
    print(f"{bug.id}  {bug.title}\n")
    if isinstance(bug, them.Wheat):
        print(textwrap.fill(bug.story, WIDTH))
        text = diff(bug)
        print(f"\n{text}" if text else "", end="")
        return
    print(f"precedent  {bug.precedent} ({BASIS[bug.basis]})")
    print(f"hurts      {violates(bug)}")
    print(f"breaks     {bug.property}; perhaps {bug.also}")
    print(f"to find    {bug.difficulty}\n")
    print(textwrap.fill(bug.story, WIDTH) + "\n")
    if bug.alone:
        why = f"Only one property sees it. {bug.alone}"
        print(textwrap.fill(why, WIDTH) + "\n")
    print(diff(bug), end="")
    if bug.trigger:
        print(f"\nThe smallest program known that shows it:\n\n{bug.trigger}")


@zoo.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    metavar="N",
    help="How many at once.",
)
def build(*, ids: tuple[str, ...], jobs: int) -> None:
    """Compile a core for each of these, or for all bugs, and say where it is.

    Only the file that a bug changes is compiled; what was built before is
    found again by its content.
    """
    from hv import zoo as them  # noqa: PLC0415 -- lazily

    cores = [them.core(i) for i in ids] if ids else list(them.records())
    them.sound(jobs=jobs)  # what all of them have in common
    with ThreadPoolExecutor(jobs) as pool:
        for it, path in zip(
            cores,
            pool.map(lambda it: them.build(it, jobs=1), cores),
            strict=True,
        ):
            print(f"{it.id}  {path}")


@zoo.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@options.as_json
@click.option(
    "--time",
    "seconds",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="S",
    help="Seconds of processor time to look for each bug.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="Where to begin.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many bugs to look for at once.",
)
@click.option("--program", is_flag=True, help="Print what shows each, too.")
@click.option(
    "--hypothesis",
    is_flag=True,
    help="Let Hypothesis draw the programs, not the generator in C.",
)
@click.option(
    "--second",
    is_flag=True,
    help="Look again for each: is there a second property that sees it?",
)
def run(
    *,
    ids: tuple[str, ...],
    as_json: bool,
    seconds: float,
    seed: int,
    jobs: int,
    program: bool,
    hypothesis: bool,
    second: bool,
) -> int:
    """Look for each of these bugs, or for all, by programs made at random.

    Each is looked for from a cold start. What is found is made small. The exit
    status is 1 if one was not found.

    With --second, what was found by one property is looked for again by all
    others, for a third of that time.
    """
    from hv.zoo import hunts, sound  # noqa: PLC0415 -- lazily

    bugs = _chosen(ids)
    good = sound(jobs=jobs)
    rows, missed = [], 0
    found = hunts(
        *(bugs, good),
        seed=seed,
        seconds=seconds,
        jobs=jobs,
        hypothesis=hypothesis,
        second=second,
    )
    if not as_json:
        print(
            f"{'ID':3}  {'EXPECTED':8}  {'FOUND':8} {'BY':14} {'RUNS':>8} "
            f"{'SECONDS':>8} {'OPS':>4}  WHAT"
        )
    for bug, it in found:
        missed += not it.property
        rows.append({"id": bug.id, "expected": bug.property, **asdict(it)})
        if as_json:
            continue
        print(
            f"{bug.id}  {bug.property:8}  {_found(it):8} "
            f"{it.op:14} {it.executions:8,} {it.seconds:8.1f} "
            f"{it.operations:4}  {it.what}".rstrip(),
            flush=True,
        )
        if program and it.program:
            print(textwrap.indent(it.program, "    "))
    if as_json:
        print(json.dumps({"bugs": rows, "missed": missed}))
    else:
        print(f"{len(bugs) - missed} of {len(bugs)} found")
    return 1 if missed else 0
