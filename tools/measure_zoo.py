"""Measure how soon the bugs of the zoo are found, for the book: docs/data.

    python tools/measure_zoo.py [--hypothesis] [--time 60]

Each bug is looked for from a cold start, in a process of its own: by the
generator in C (generator.json), three times, of which the first looks for a
second property as well, and a fourth time, for longer, where none was found; or
by Hypothesis alone (hypothesis.json), once. What was found before is kept, and
so is what was missed in as much time: so the measurement can be stopped, and go
on. Remove the file when strategies or cores have changed.
"""

import argparse
import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hv import zoo

OUT = Path(__file__).resolve().parent.parent / "docs" / "data"
FIRST = 1  # seed
LAST = 4  # for those without a second property
TRIALS = {"generator": (FIRST, 2, 3, LAST), "hypothesis": (FIRST,)}

Key = tuple[str, int]  # bug, where its hunt began


def before(path: Path) -> dict[Key, Any]:
    """Return what was measured before."""
    if not path.exists():
        return {}
    hunts = json.loads(path.read_text())["hunts"]
    return {(hunt["id"], hunt["trial"]): hunt for hunt in hunts}


def save(path: Path, hunts: dict[Key, Any]) -> None:
    """Write everything that is known now."""
    report = {
        "made": "python tools/measure_zoo.py",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "clock": "processor time",
        "system": platform.system(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "hypothesis": version("hypothesis"),
        "hunts": [hunts[key] for key in sorted(hunts)],
    }
    path.write_text(json.dumps(report, indent=1) + "\n")


def open_still(hunt: dict[str, Any] | None, seconds: float) -> bool:
    """Say whether a bug is to be looked for, after what is known of it."""
    if hunt is None:
        return True
    return not hunt["property"] and hunt["seconds"] < seconds


def wanted(known: dict[Key, Any], trial: int, seconds: float) -> list[zoo.Bug]:
    """Return the bugs to look for in this trial."""
    seen = {name for (name, _), hunt in known.items() if hunt.get("second")}
    return [
        bug
        for bug in zoo.records()
        if open_still(known.get((bug.id, trial)), seconds)
        and not (trial == LAST and bug.id in seen)
    ]


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hypothesis", action="store_true")
    parser.add_argument("--time", type=float, default=60, metavar="S")
    parser.add_argument("--jobs", type=int, default=1, metavar="N")
    args = parser.parse_args()
    by = "hypothesis" if args.hypothesis else "generator"
    path = OUT / f"{by}.json"
    known = before(path)
    for trial in TRIALS[by]:
        hunts = zoo.hunts(
            wanted(known, trial, args.time),
            zoo.sound(),
            seed=trial,
            executions=1 << 40,
            seconds=args.time * (3 if trial == LAST else 1),
            jobs=args.jobs,
            hypothesis=args.hypothesis,
            second=not args.hypothesis and trial in (FIRST, LAST),
        )
        for bug, found in hunts:
            facts = {"id": bug.id, "trial": trial, "expected": bug.property}
            known[bug.id, trial] = {**facts, **asdict(found)}
            save(path, known)
            print(
                *(bug.id, trial, found.property or "missed", found.second),
                *(found.executions, found.seconds, found.operations),
                flush=True,
            )


if __name__ == "__main__":
    main()
