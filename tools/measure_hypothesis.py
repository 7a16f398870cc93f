"""Measure how much of the zoo Hypothesis finds: docs/data/hypothesis.json.

    python tools/measure_hypothesis.py --time 60

Each bug that some program is known to show is looked for from a cold start, in
a process of its own. What was found before is kept, and so is what was missed
in as much time: so the measurement can be stopped, and go on. Remove the file
when strategies or cores have changed.
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
SEED = 1


def before(path: Path) -> dict[str, Any]:
    """Return what was measured before, by the ids of bugs."""
    if not path.exists():
        return {}
    return {bug["id"]: bug for bug in json.loads(path.read_text())["bugs"]}


def save(path: Path, bugs: dict[str, Any]) -> None:
    """Write everything that is known now."""
    report = {
        "made": "python tools/measure_hypothesis.py",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "clock": "processor time",
        "system": platform.system(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "hypothesis": version("hypothesis"),
        "seed": SEED,
        "bugs": [bugs[name] for name in sorted(bugs)],
    }
    path.write_text(json.dumps(report, indent=1) + "\n")


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", type=float, default=60, metavar="S")
    parser.add_argument("--jobs", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path, default=OUT / "hypothesis.json")
    args = parser.parse_args()
    bugs = before(args.out)
    chosen = [
        bug
        for bug in zoo.records()
        if bug.trigger
        and (
            bug.id not in bugs
            or (
                not bugs[bug.id]["property"]
                and bugs[bug.id]["seconds"] < args.time
            )
        )
    ]
    hunts = zoo.hunts(
        *(chosen, zoo.sound()),
        seed=SEED,
        executions=1 << 40,
        seconds=args.time,
        jobs=args.jobs,
        hypothesis=True,
    )
    for bug, found in hunts:
        facts = {"id": bug.id, "expected": bug.property, **asdict(found)}
        bugs[bug.id] = facts
        save(args.out, bugs)
        print(
            *(bug.id, found.property or "missed", found.executions),
            *(found.seconds, found.operations),
            flush=True,
        )


if __name__ == "__main__":
    main()
