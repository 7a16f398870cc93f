"""Look for the bugs of the zoo, and keep what shows them in their records.

    python tools/zoo_triggers.py [--seconds S] [--jobs N] [--missing] [ID]...

A bug that is found gets a new `trigger` and its measured `difficulty`; one that
is not keeps what it has. For use after the operations, the generator or the
properties have changed.
"""

import argparse
import re
import sys

from hv import zoo
from hv.zoo.catalogue import RECORDS
from hv.zoo.hunt import Finding

EASY, MEDIUM = 2_000, 40_000  # programs executed until it is found


def difficulty(executions: int) -> str:
    """Return the word for so many programs."""
    if executions <= EASY:
        return "easy"
    return "medium" if executions <= MEDIUM else "hard"


def _kept(block: str, found: Finding) -> str:
    block = re.sub(r"(?ms)^trigger = '''.*?'''\n", "", block)
    block = re.sub(
        r'(?m)^difficulty = ".*"$',
        f'difficulty = "{difficulty(found.executions)}"',
        block,
    )
    head, edit, rest = block.partition("\n[[bug.edit]]")
    return f"{head}trigger = '''\n{found.program}'''\n{edit}{rest}"


def keep(name: str, found: Finding) -> None:
    """Write what was found into the bug's record."""
    path = RECORDS / f"{name[0]}.toml"
    blocks = re.split(r"(?m)^(?=\[\[bug\]\])", path.read_text())
    for i, block in enumerate(blocks):
        if f'id = "{name}"\n' in block:
            blocks[i] = _kept(block, found)
    path.write_text("".join(blocks))


def main() -> int:
    """Look for bugs; return how many were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--missing", action="store_true")
    args = parser.parse_args()
    bugs = [zoo.record(i) for i in args.ids] or list(zoo.records())
    if args.missing:
        bugs = [bug for bug in bugs if not bug.trigger]
    missed = 0
    for bug, found in zoo.hunts(
        *(bugs, zoo.sound()),
        seed=args.seed,
        seconds=args.seconds,
        jobs=args.jobs,
    ):
        if found.property:
            keep(bug.id, found)
        missed += not found.property
        print(
            *(bug.id, bug.property, found.property or "missed", found.op),
            *(found.executions, f"{found.seconds}s", found.operations),
            *(f"alarms={found.alarms}", found.what),
            flush=True,
        )
    return missed


if __name__ == "__main__":
    sys.exit(main())
