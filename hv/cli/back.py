"""``hv back``: a recorded run, from its end backwards."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import options
from hv.errors import UsageError

if TYPE_CHECKING:
    from hv.guest import Guest
    from hv.reverse import Past


def _number(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> int | None:
    try:
        return None if value is None else int(value, 0)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no number: 0x80003000", ctx, param
        ) from None


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--steps",
    callback=_number,
    metavar="N",
    help="Go back so many instructions.",
)
@click.option(
    "--to", callback=_number, metavar="N", help="Go to where N were executed."
)
@click.option(
    "--break",
    "stop",
    callback=_number,
    metavar="PC",
    help="Go to the last time that the guest was at this address.",
)
@click.option(
    "--write",
    callback=_number,
    metavar="ADDRESS",
    help="Go to what last changed the word there: who was it?",
)
@click.option(
    "--vm", type=int, metavar="N", help="Which VM; default: the first."
)
@options.engine(
    "Which interpreter runs it; default: the one that was recorded.",
    default=None,
)
def back(
    *,
    file: Path,
    steps: int | None,
    to: int | None,
    stop: int | None,
    write: int | None,
    vm: int | None,
    engine: str | None,
) -> None:
    """Go back from the end of a run that `hv run --record FILE` noted.

    Prints where that is: instructions from the beginning, and each vCPU's pc.
    """
    from hv.journal import Recorded  # noqa: PLC0415 -- loads the core
    from hv.replays import Player  # noqa: PLC0415

    if sum(it is not None for it in (steps, to, stop, write)) > 1:
        raise UsageError("one of --steps, --to, --break and --write")
    player = Player(Recorded(file), engine)
    past = player.past()
    with player.run() as place:
        guest = _guest(place.guests, vm)
        if steps is not None:
            past.back(steps)
        elif to is not None:
            past.to(to)
        elif stop is not None:
            _to_break(past, guest, stop)
        elif write is not None:
            print(past.last_write(guest, write))
        _show(past)


def _guest(guests: "tuple[Guest, ...]", number: int | None) -> "Guest":
    for guest in guests:
        if number in (None, guest.number):
            return guest
    raise UsageError(f"there is no VM {number} in the end")


def _to_break(past: "Past", guest: "Guest", pc: int) -> None:
    for each in past.place.guests:
        each.breakpoints.clear()
    guest.breakpoints.add(pc)
    if not past.to_break():
        raise UsageError(f"{guest.name} was never at {pc:#x}")


def _show(past: "Past") -> None:
    print(f"after {past.position} instructions:")
    for guest in past.place.guests:
        for vcpu, cpu in enumerate(guest.cpu):
            print(f"  {guest.name}, vCPU {vcpu}: pc {cpu.pc:08x}")
