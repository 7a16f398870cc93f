"""A report as tables: for a terminal, and in Markdown for the book."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from hv.bench.report import Figure, Report

HEAD_FIGURES = ("", "", "aim", "")
HEAD_COUNTS = ("", "costs", "instructions", "cycles", "exits", "to bare")


@dataclass(frozen=True, slots=True)
class Rows:
    """A table: its title, the heads of its columns, and what is in them."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def amount(value: float, unit: str) -> str:
    """Return a value with its unit, in three digits or so.

    >>> amount(2.3456, "x"), amount(63.2, "ns"), amount(12345.6, "/s")
    ('2.35 x', '63 ns', '12,346 /s')
    """
    if unit == "x":
        return f"{value:.2f} x" if value < 10 else f"{value:.1f} x"
    return f"{value:,.0f} {unit}"


def aimed(figure: Figure) -> str:
    """Return what a figure should be: ``>= 2 x (2.3)``; empty if nothing."""
    if figure.aim is None:
        return ""
    sign = "≥" if figure.better == "more" else "≤"
    more = f" ({figure.stretch:g})" if figure.stretch else ""
    return f"{sign} {figure.aim:,g} {figure.unit}{more}"


def figures(report: Report) -> Iterable[Rows]:
    """Yield the figures: those with an aim, ratios first, then the others."""
    ratios = [f for f in report.figures if f.unit == "x"]
    ordered = ratios + [f for f in report.figures if f.unit != "x"]
    for title, wanted in (("With an aim", True), ("Without one", False)):
        chosen = [f for f in ordered if (f.aim is not None) is wanted]
        cells = [
            (f.what, amount(f.value, f.unit), aimed(f), f.verdict)
            for f in chosen
        ]
        if wanted:
            yield Rows(title, HEAD_FIGURES, cells)
        else:
            yield Rows(title, ("", ""), [row[:2] for row in cells])


def speeds(report: Report) -> Rows:
    """Return the table of times: milliseconds of a program's work, and MIPS.

    A column for each machine, a row for each program.
    """
    places = list(dict.fromkeys(s.place for s in report.speeds))
    works = list(dict.fromkeys(s.program for s in report.speeds))
    cells = {(s.program, s.place): s for s in report.speeds}
    rows = []
    for work in works:
        fast = cells.get((work, "fast bare"))
        row = [work]
        for place in places:
            speed = cells.get((work, place))
            if speed is None or fast is None:
                row.append("")
                continue
            ratio = speed.per_round / fast.per_round
            mips = f" ({speed.mips:,.0f})" if speed.mips else ""
            row.append(f"{ratio:.2f}{mips}")
        rows.append(tuple(row))
    return Rows(
        "Time, by the fast engine's on the bare machine (million instructions "
        "per second)",
        ("", *places),
        rows,
    )


def counts(report: Report) -> Rows:
    """Return the table of exact counts."""
    return Rows(
        "The guest kernel's work: exact, the same on every computer",
        HEAD_COUNTS,
        [
            (
                c.style,
                f"x {c.costs:g}",
                f"{c.insns:,}",
                f"{c.cycles:,}",
                f"{c.exits:,}",
                f"{c.to_bare:.2f}",
            )
            for c in report.counts
        ],
    )


def tables(report: Report) -> list[Rows]:
    """Return all tables of a report, ratios first."""
    return [*figures(report), speeds(report), counts(report)]


def reasons(report: Report) -> list[str]:
    """Return a sentence for each missed aim: by how much, and why."""
    return [
        f"{f.what}: {amount(f.value, f.unit)}, {f.verdict}"
        + (f": {f.why}" if f.why else "")
        for f in report.figures
        if f.met is False
    ]


def show(report: Report, console: Console) -> None:
    """Print a report."""
    for table in tables(report):
        console.print(_rich(table))
    for reason in reasons(report):
        console.print(f"- {reason}", highlight=False)
    for skip in report.skipped:
        console.print(f"skipped {skip.machine}: {skip.why}", highlight=False)
    where = report.computer
    console.print(
        f"{report.rounds} rounds, medians of {where.clock}, on {where.cpu}, "
        f"{where.cores} cores; times mean little elsewhere, ratios more, "
        "counts everything",
        highlight=False,
    )


def _rich(rows: Rows) -> Table:
    table = Table(title=rows.title, title_justify="left", box=None)
    for i, head in enumerate(rows.head):
        table.add_column(head, justify="left" if i == 0 else "right")
    for row in rows.rows:
        missed = row[-1].startswith("missed")
        table.add_row(*row, style="yellow" if missed else None)
    return table


def markdown(rows: Rows) -> str:
    """Return a table in Markdown, its title above it in bold.

    >>> print(markdown(Rows("T", ("", "n"), [("a", "1")])))
    **T**
    <BLANKLINE>
    | | n |
    |---|---:|
    | a | 1 |
    """
    lines = [
        _line(rows.head),
        "|" + "|".join(["---"] + ["---:"] * (len(rows.head) - 1)) + "|",
        *map(_line, rows.rows),
    ]
    return "\n".join([f"**{rows.title}**", "", *lines])


def _line(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
