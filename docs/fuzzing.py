"""A Sphinx extension: the tables of hypervisor programs, out of C's own.

And a small experiment: how soon each strategy finds each of a few planted bugs.
"""

from pathlib import Path

from sphinx.application import Sphinx

from hv.fuzz import ops
from hv.fuzz.pool import Here
from hv.fuzz.tables import Table, measure
from tests.fuzz.planted import BUGS

OUT = Path(__file__).resolve().parent / "_generated"
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


def generate(_: Sphinx) -> None:
    """Write what the chapter includes."""
    OUT.mkdir(exist_ok=True)
    table = experiment()
    for name, text in {
        "hvp-operations.md": operations(),
        "hvp-idioms.md": idioms(),
        "hvp-strategies.md": strategies(table),
        "hvp-survival.svg": table.to_svg(),
    }.items():
        (OUT / name).write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """Let Sphinx call us before it reads a page."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
