"""``hv replay``: a recorded run, made again."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from hv.errors import UsageError
from hv.facts import Engine

if TYPE_CHECKING:
    from hv.guest import Guest


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--engine",
    type=click.Choice([str(engine) for engine in Engine]),
    help="Which interpreter runs it; default: the one that was recorded.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object, with the consoles' text in it.",
)
def replay(*, file: Path, engine: str | None, as_json: bool) -> None:
    """Make a run again that `hv run --record FILE` noted.

    Its output is stdout, as it was. On stderr is the state that it came to: the
    same, bit for bit, or the command fails.

    Exit status: 0 it came out the same, 2 the file is no recorded run, or a
    damaged one, 70 it came out in another way.
    """
    from hv.journal import is_journal  # noqa: PLC0415 -- loads the core
    from hv.replays import replay as again  # noqa: PLC0415

    if not is_journal(file):
        raise UsageError(f"{file}: no recorded run; hv run --record makes one")
    with again(file, engine=engine) as place:
        guests = place.guests
        state = place.hash()
        insns = sum(guest.info.insns for guest in guests)
        if as_json:
            print(json.dumps(_report(guests, insns, state)))
            return
        for guest in guests:
            sys.stdout.write(guest.console.text)
        print(
            f"hv: the same again: {insns} instructions, state {state:016x}",
            file=sys.stderr,
        )


def _report(
    guests: "tuple[Guest, ...]", insns: int, state: int
) -> dict[str, object]:
    return {
        "insns": insns,
        "hash": f"{state:016x}",
        "guests": [
            {
                "name": guest.name,
                "state": guest.state,
                "insns": guest.info.insns,
                "console": guest.console.text,
            }
            for guest in guests
        ],
    }
