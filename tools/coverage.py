"""Say which lines and branches of the core the tests have run: `make coverage`.

Reads what gcc's --coverage left behind, through gcov: in the core that hv is
built with, which is the first folder, and in those that tests build. The sides
of HV_ASSERT that no input may reach, and where it would go on from there, do
not count: a branch of a line with HV_ASSERT that was never taken is taken for
one. The audit is left out: it is the judge, and what it says of a core that is
wrong is seen where bugs are planted. What else is not run is listed;
tests/coverage/unreached.toml says of lines why no test can run them, and fails
when one does after all.

    python tools/coverage.py FOLDER... [--list] [--check]
"""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
UNREACHED = ROOT / "tests" / "coverage" / "unreached.toml"
LINES, BRANCHES = 95, 90  # percent, of each part
PARTS = {
    "hyp": "the hypervisor",
    "sched": "its scheduler",
    "machine": "address translation",
}


@dataclass
class Line:
    """What happened to one line: how often, and which way it went on."""

    count: int = 0
    branches: list[int] = field(default_factory=list)

    def add(self, count: int, branches: list[int]) -> None:
        """Add what another copy of the same code saw."""
        self.count += count
        self.branches = [
            a + b for a, b in zip_longest(self.branches, branches, fillvalue=0)
        ]


Files = dict[str, dict[int, Line]]


def reports(folders: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield gcov's report of each object file that has run, by folder."""
    for folder in folders:
        for data in sorted(folder.rglob("*.gcda")):
            done = subprocess.run(
                ["gcov", "--json-format", "--stdout", "-b", str(data)],
                capture_output=True,
                text=True,
                check=True,
                cwd=ROOT,
            )
            for line in done.stdout.splitlines():
                if line.startswith("{"):
                    yield json.loads(line)


def name_of(file: str) -> str | None:
    """Return a file's name below csrc, if it is one of those looked at."""
    name = file.removeprefix(f"{CSRC}/").removeprefix("csrc/")
    floor, _, rest = name.partition("/")
    looked_at = floor in {"hyp", "sched"} or rest.startswith(("mmu", "tlb"))
    return name if looked_at and (CSRC / name).is_file() else None


def collect(folders: Iterable[Path]) -> Files:
    """Add up all reports, but those of another text than the first one's.

    In that a bug was planted, and its lines are other lines.
    """
    files: Files = {}
    for report in reports(folders):
        for each in report["files"]:
            name = name_of(each["file"])
            if name is None or not name.endswith(".c"):
                continue
            seen = lines_of(each["lines"])
            known = files.setdefault(name, seen)
            if known is not seen and shape(known) == shape(seen):
                for number, line in seen.items():
                    known[number].add(line.count, line.branches)
    return files


def shape(lines: dict[int, Line]) -> set[tuple[int, int]]:
    """Return which lines there are, and how many branches each has."""
    return {(number, len(line.branches)) for number, line in lines.items()}


def lines_of(report: Iterable[dict[str, Any]]) -> dict[int, Line]:
    """Return the lines of one file in one report."""
    lines: dict[int, Line] = {}
    for each in report:
        line = lines.setdefault(each["line_number"], Line())
        line.add(each["count"], [b["count"] for b in each["branches"]])
    return lines


def unreached() -> dict[tuple[str, str], str]:
    """Return the reasons for lines that no test can run, by file and text."""
    records = tomllib.loads(UNREACHED.read_text()).get("line", [])
    return {(r["file"], r["text"]): r["reason"] for r in records}


@dataclass
class Sum:
    """A row of the table."""

    lines: int = 0
    run: int = 0
    branches: int = 0
    taken: int = 0
    missing: list[str] = field(default_factory=list)
    argued: set[tuple[str, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def add_file(name: str, lines: dict[int, Line], total: Sum) -> None:
    """Count a file's lines and branches."""
    text = (CSRC / name).read_text().splitlines()
    reasons = unreached()
    for number, line in sorted(lines.items()):
        words = text[number - 1].strip()
        branches = line.branches
        # The text of an assertion may go on in lines below its beginning.
        if "HV_ASSERT" in words or "HV_ASSERT" in text[number - 2]:
            branches = [b for b in branches if b]
        if (name, words) in reasons:
            total.argued.add((name, words))
            if line.count and all(branches):
                total.wrong.append(f"{name}:{number}: it does run: {words}")
            continue
        total.lines += 1
        total.run += line.count > 0
        total.branches += len(branches)
        total.taken += sum(b > 0 for b in branches)
        if not line.count:
            total.missing.append(f"{name}:{number}: {words}")
        elif not all(branches):
            ways = "".join("+" if b else "-" for b in branches)
            total.missing.append(f"{name}:{number}: [{ways}] {words}")


def percent(part: int, whole: int) -> float:
    """Return a part in percent; of nothing it is all."""
    return 100 * part / whole if whole else 100.0


def table(files: Files) -> tuple[Sum, dict[str, Sum]]:
    """Print a row for each file and part; return the sum, and that of parts."""
    total, parts = Sum(), {floor: Sum() for floor in PARTS}
    print(f"{'':28}{'lines':>7}{'run':>9}{'branches':>10}{'taken':>9}")
    for name, lines in sorted(files.items()):
        row = Sum()
        add_file(name, lines, row)
        add_file(name, lines, parts[name.partition("/")[0]])
        add_file(name, lines, total)
        print_row(name, row)
    for floor, part in parts.items():
        print_row(PARTS[floor], part)
    print_row("all", total)
    return total, parts


def print_row(name: str, row: Sum) -> None:
    """Print a line of the table."""
    print(
        f"{name:28}{row.lines:7}{percent(row.run, row.lines):8.1f}%"
        f"{row.branches:10}{percent(row.taken, row.branches):8.1f}%"
    )


def shortfalls(parts: dict[str, Sum]) -> Iterator[str]:
    """Say which parts miss which aim; what was not loaded misses it too."""
    for floor, part in parts.items():
        if not part.lines:
            yield f"{PARTS[floor]}: nothing of it has run"
            continue
        for what, got, aim in (
            ("lines", percent(part.run, part.lines), LINES),
            ("branches", percent(part.taken, part.branches), BRANCHES),
        ):
            if got < aim:
                yield (
                    f"{PARTS[floor]}: {got:.1f}% of the {what} have run, and "
                    f"the aim is {aim}% (what has not: --list)"
                )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--list", action="store_true", help="what is missing")
    parser.add_argument("--check", action="store_true", help="fail below aims")
    args = parser.parse_args()
    total, parts = table(collect(args.folders))
    if args.list:
        print(*total.missing, sep="\n")
    print(*total.wrong, sep="\n", end="\n" if total.wrong else "")
    if not args.check:
        return 0
    missed = list(shortfalls(parts))
    for each in missed:
        print(f"coverage: {each}", file=sys.stderr)
    return int(bool(total.wrong or missed))


if __name__ == "__main__":
    sys.exit(main())
