"""``hv replay``: a recorded run or an attack, made again."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import options
from hv.cli.fuzz import FOUND, core_path
from hv.errors import UsageError

if TYPE_CHECKING:
    from hv.guest import Guest


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@options.engine(
    "Which interpreter runs a recorded run; default: as it was.", default=None
)
@click.option(
    "--core",
    metavar="wheat|ID|FILE.so",
    help="Which core a program attacks: hv itself, an id of the zoo, a file.",
)
@click.option("--shrink", is_flag=True, help="Make a program short first.")
@options.as_json
def replay(
    *,
    file: Path,
    engine: str | None,
    core: str | None,
    shrink: bool,
    as_json: bool,
) -> int:
    """Make a run again, or an attack.

    FILE is what `hv run --record` noted, or a hypervisor program that `hv fuzz`
    found: bytes or text.

    The output of a recorded run is stdout, as it was; on stderr is the state
    that it came to: the same, bit for bit, or the command fails. Of a program
    you read what it does, and which property it breaks.

    Exit status: 0 it came out the same, and every property held; 1 one did not;
    2 the file is neither, or damaged; 70 a run came out in another way.
    """
    from hv.journal import is_journal  # noqa: PLC0415 -- loads the core

    if not is_journal(file):
        if engine is not None:
            raise UsageError(
                f"--engine is for a recorded run, and {file} is none"
            )
        return _attack(file, core or "wheat", shrink=shrink, as_json=as_json)
    if core is not None or shrink:
        raise UsageError(
            f"--core and --shrink are for programs: {file} is a run"
        )
    _run(file, engine, as_json=as_json)
    return 0


def _attack(file: Path, core: str, *, shrink: bool, as_json: bool) -> int:
    from hv.fuzz import corpus, native, replaying  # noqa: PLC0415 -- lazily

    if not corpus.is_program(file):
        raise UsageError(
            f"{file}: no recorded run, which hv run --record makes, and no "
            "hypervisor program, which hv fuzz finds"
        )
    program = corpus.load(file)
    shown = replaying.replay(
        program, native.load(core_path(core)), shrink=shrink
    )
    if as_json:
        print(json.dumps(shown.to_json(), indent=2))
    else:
        sys.stdout.write(shown.to_text())
    return 0 if shown.verdict.ok else FOUND


def _run(file: Path, engine: str | None, *, as_json: bool) -> None:
    from hv.replays import replay as again  # noqa: PLC0415 -- loads the core

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
