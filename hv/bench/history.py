"""What was measured at each commit: one JSON object a line, kept in the tree.

Only what depends little on the computer is kept: ratios taken in one run, and
exact counts. ``make bench`` appends; the book plots.
"""

import subprocess
from pathlib import Path

import msgspec

from hv.bench.report import Report, to_json
from hv.errors import HvError

# In a checkout: all entries, and the last report as a whole.
FILE = Path("docs") / "data" / "bench-history.jsonl"
LAST = Path("docs") / "data" / "bench.json"


class Entry(msgspec.Struct, frozen=True):
    """One commit's figures.

    :param commit: as ``git describe --always --dirty`` names it.
    :param date: of the commit, ISO 8601.
    :param ratios: by the figure's name.
    :param counts: cycles by the bare machine's, by style and cost factor.
    """

    commit: str
    date: str
    quick: bool
    ratios: dict[str, float]
    counts: dict[str, float]


def entry(report: Report) -> Entry:
    """Return what is kept of a report."""
    return Entry(
        commit=report.commit,
        date=report.date,
        quick=report.quick,
        ratios={
            figure.name: round(figure.value, 3)
            for figure in report.figures
            if figure.unit == "x"
        },
        counts={
            f"{count.style} x{count.costs:g}": count.to_bare
            for count in report.counts
        },
    )


def read(path: Path) -> list[Entry]:
    """Return the entries of a file, oldest first; none if it is not there.

    :raises HvError: if a line is no entry.
    """
    if not path.exists():
        return []
    entries = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line:
            continue
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except (ValueError, RecursionError, msgspec.DecodeError) as error:
            raise HvError(
                f"{path}:{number}: this is no entry of a history: {error}"
            ) from None
    return entries


def remember(folder: Path, report: Report) -> None:
    """Keep a report in a checkout: as the last one, and in the history.

    :raises OSError: if a file cannot be written.
    """
    append(folder / FILE, entry(report))
    (folder / LAST).write_bytes(to_json(report))


def append(path: Path, new: Entry) -> None:
    """Add an entry; one of the same commit is replaced.

    :raises OSError: if the file cannot be written.
    """
    kept = [old for old in read(path) if old.commit != new.commit]
    lines = [msgspec.json.encode(each) + b"\n" for each in (*kept, new)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))


def commit_of(folder: Path) -> tuple[str, str] | None:
    """Return the name and the date of a checkout's commit; None without git.

    What makes the name end in ``-dirty`` is a change to anything but the
    files that are kept here.
    """
    described = _git(folder, "describe", "--always", "--exclude=*")
    date = _git(folder, "show", "-s", "--format=%cs")
    if not described or not date:
        return None
    ours = [f":(exclude){path}" for path in (FILE, LAST)]
    changes = _git(folder, "status", "--porcelain", "-uno", "--", ":/", *ours)
    return described + ("-dirty" if changes else ""), date


def _git(folder: Path, *args: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 -- git, with our arguments
            ["git", "-C", str(folder), *args],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
