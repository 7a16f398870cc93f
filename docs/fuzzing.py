"""A Sphinx extension: the tables of hypervisor programs, out of C's own.

And two experiments: how soon each strategy finds each of a few planted bugs,
made now; and how soon all of the zoo is found by the generator in C, and by
Hypothesis alone, made before (data/generator.json, data/hypothesis.json).
"""

import json
from pathlib import Path
from statistics import median
from typing import Any

from sphinx.application import Sphinx

from hv.fuzz import ops
from hv.fuzz.pool import Here
from hv.fuzz.tables import Table, measure
from tests.fuzz.planted import BUGS

HERE = Path(__file__).resolve().parent
OUT = HERE / "_generated"
MEASURED = HERE / "data"
STRATEGIES = ("g1", "g2", "g3", "g4", "g5")
TRIALS, LIMIT = 3, 400


def operations() -> str:
    """Return the table of operations."""
    lines = ["| | operation | a, b, c | |", "|---:|---|---|---|"]
    for op in ops.table():
        kinds = ", ".join(kind.lower() for kind in op.operands if kind)
        lines.append(f"| {op.number} | `{op.name}` | {kinds} | {op.doc} |")
    return "\n".join([*lines, ""])


def idioms() -> str:
    """Return the table of sequences."""
    lines = ["| sequence | made from |", "|---|---|"]
    for name, origin in ops.idioms().items():
        lines.append(f"| `{name}` | {origin} |")
    return "\n".join([*lines, ""])


def experiment() -> Table:
    """Attack a few bugs with each strategy."""
    cores = {bug.name: bug.build() for bug in BUGS}
    return measure(cores, STRATEGIES, Here(), trials=TRIALS, limit=LIMIT)


def strategies(table: Table) -> str:
    """Return the table of an experiment."""
    head = ["bug", *table.strategies]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in table.rows()]
    return "\n".join([*lines, ""])


def generator() -> str:
    """Return what was measured of the generator in C, as sentences."""
    trials: dict[str, list[dict[str, Any]]] = {}
    for hunt in json.loads((MEASURED / "generator.json").read_text())["hunts"]:
        trials.setdefault(hunt["id"], []).append(hunt)
    hunts = [hunt for each in trials.values() for hunt in each]
    found = [hunt for hunt in hunts if hunt["property"]]
    soon = [
        each
        for each in trials.values()
        if all(hunt["property"] for hunt in each)
        and median(hunt["seconds"] for hunt in each) <= 1
    ]
    sizes = [hunt["operations"] for hunt in found]
    twice = sum(any(h["second"] for h in each) for each in trials.values())
    share = f"{100 * len(soon) / len(trials):.0f} %"
    return (
        f"Of {len(hunts)} hunts for {len(trials)} bugs, "
        f"{len(hunts) - len(found)} were in vain. By the median of its hunts, "
        f"a bug is found within 1 s in {share} of cases. {_cost(found)} The "
        f"shortest program that shows a bug has {median(sizes):.0f} operations "
        f"or fewer for half of them, and {max(sizes)} at most. With the "
        f"property silenced that found it, another one finds {twice} of the "
        "bugs as well.\n"
    )


def hypothesis() -> str:
    """Return what was measured, as sentences and a table by class."""
    report = json.loads((MEASURED / "hypothesis.json").read_text())
    bugs = report["hunts"]
    found = [bug for bug in bugs if bug["property"]]
    missed = [bug for bug in bugs if not bug["property"]]
    first = (
        f"Of {len(bugs)} bugs that some program is known to show, Hypothesis "
        f"{report['hypothesis']} found {len(found)} "
        f"({100 * len(found) // len(bugs)} %). {_cost(found)}"
    )
    lines = [
        *(first, ""),
        "| class | looked for | found | programs (median) | seconds (median) |",
        "|---|---:|---:|---:|---:|",
    ]
    for letter in sorted({bug["id"][0] for bug in bugs}):
        some = [bug for bug in found if bug["id"][0] == letter]
        count = sum(bug["id"][0] == letter for bug in bugs)
        programs = seconds = "-"
        if some:
            programs = f"{median(b['executions'] for b in some):,.0f}"
            seconds = f"{median(b['seconds'] for b in some):.2f}"
        lines.append(
            f"| {letter} | {count} | {len(some)} | {programs} | {seconds} |"
        )
    if missed:
        ids = ", ".join(f"`{bug['id']}`" for bug in missed)
        least = min(bug["seconds"] for bug in missed)
        lines += ["", f"Not found in {least:.0f} s or more: {ids}."]
    return "\n".join([*lines, ""])


def _cost(found: list[dict[str, float]]) -> str:
    programs = [bug["executions"] for bug in found]
    seconds = [bug["seconds"] for bug in found]
    return (
        f"Half of these took {median(programs):,.0f} programs or fewer, and "
        f"{median(seconds):.1f} s of processor time or less; the last one "
        f"{max(programs):,.0f} programs, and {max(seconds):.0f} s."
    )


def generate(_: Sphinx) -> None:
    """Write what the chapter includes."""
    OUT.mkdir(exist_ok=True)
    table = experiment()
    for name, text in {
        "hvp-operations.md": operations(),
        "hvp-idioms.md": idioms(),
        "hvp-strategies.md": strategies(table),
        "hvp-survival.svg": table.to_svg(),
        "hvp-generator.md": generator(),
        "hvp-hypothesis.md": hypothesis(),
    }.items():
        (OUT / name).write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """Let Sphinx call us before it reads a page."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
