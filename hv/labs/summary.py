"""The summary of a class: a table for a spreadsheet, and a page."""

import csv
import html
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO

from hv.labs.spec import Folder


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one submission."""

    student: str
    score: int
    full: int
    note: str  #: why it could not be graded, or not be built
    failed: tuple[str, ...]
    hints: tuple[str, ...] = ()  #: that were taken, as the student's note says


def as_csv(rows: list[Row]) -> str:
    """Return the summary as a table for a spreadsheet."""
    out = StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("student", "score", "full", "failed", "hints", "note"))
    for row in rows:
        failed, hints = " ".join(row.failed), ", ".join(row.hints)
        cells = (row.student, row.score, row.full, failed, hints, row.note)
        table.writerow(map(_inert, cells))
    return out.getvalue()


def _inert(cell: object) -> object:
    """Keep a spreadsheet from taking a student's text for a formula."""
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")):
        return f"'{cell}"
    return cell


def as_html(folder: Folder, rows: list[Row]) -> str:
    """Return the summary as a page: scores, what is failed and asked most."""
    title = html.escape(f"Lab {folder.lab.number}: {folder.lab.title}")
    body = "\n".join(
        f"<tr><td>{html.escape(row.student)}<td>{row.score}/{row.full}"
        f"<td>{html.escape(' '.join(row.failed))}"
        f"<td>{html.escape(', '.join(row.hints))}"
        f"<td><pre>{html.escape(row.note)}</pre>"
        for row in rows
    )
    failed = _most((test for row in rows for test in row.failed), len(rows))
    hints = _most((hint for row in rows for hint in row.hints), len(rows))
    return (
        f'<!doctype html><meta charset="utf-8"><title>{title}</title>\n'
        f"<h1>{title}</h1>\n<h2>Failed most</h2>\n{failed}\n"
        f"<h2>Hints taken most</h2>\n{hints}\n"
        f"<h2>Submissions</h2>\n<table>\n"
        f"<tr><th>student<th>score<th>failed<th>hints<th>note\n"
        f"{body}\n</table>\n"
    )


def _most(names: Iterable[str], of: int) -> str:
    """Return a list of names, the most frequent first."""
    counts = Counter(names).items()
    items = "\n".join(
        f"<li>{html.escape(name)}: {count} of {of}"
        for name, count in sorted(counts, key=lambda x: (-x[1], x[0]))
    )
    return f"<ol>\n{items}\n</ol>"
