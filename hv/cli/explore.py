"""``hv explore``: every interleaving of a small guest, up to a bound."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import options
from hv.cli.run import BARE, HEADROOM, STYLES
from hv.cli.table import count, table
from hv.errors import UsageError
from hv.images import resolve
from hv.units import parse_size

if TYPE_CHECKING:
    from hv.explore import Exploration, Schedule
    from hv.guest import Guest

FOUND = 1


@click.command()
@click.argument("image", required=False)
@click.option(
    "--bound",
    type=click.IntRange(0, 8),
    default=2,
    show_default=True,
    metavar="N",
    help="Preemptions of a schedule: two find most races.",
)
@click.option(
    "--style",
    type=click.Choice(STYLES),
    default=BARE,
    show_default=True,
    help="How it is virtualized.",
)
@options.harts("Harts of the machine, or vCPUs of the VM.", default=2)
@click.option(
    "--mem",
    default="8MiB",
    show_default=True,
    metavar="SIZE",
    help="The guest's memory.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 1_000_000),
    default=20_000,
    show_default=True,
    metavar="N",
    help="A schedule that is longer counts as one that never ends.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Try so many schedules at most; 0: all.",
)
@click.option(
    "--audit", is_flag=True, help="Check the hypervisor at every point."
)
@click.option(
    "--out", metavar="FILE", help="Keep the schedule, to be replayed."
)
@click.option(
    "--replay",
    "replayed",
    metavar="FILE",
    help="Replay a schedule that was kept, and show its turns.",
)
@options.as_json
def explore(
    *,
    image: str | None,
    bound: int,
    style: str,
    harts: int,
    mem: str,
    steps: int,
    limit: int,
    audit: bool,
    out: str | None,
    replayed: str | None,
    as_json: bool,
) -> int:
    """Try every interleaving of a guest's harts with so many preemptions.

    The guest is a small one that powers off: with success if all went well. The
    schedule that does not end so is shown.

    Exit status: 0 every schedule ended well, 1 one did not, 2 wrong usage.
    """
    from hv import explore as explorer  # noqa: PLC0415 -- loads the core

    if (image is None) == (replayed is None):
        raise UsageError("one of IMAGE and --replay FILE, please")
    if replayed is not None:
        schedule = explorer.Schedule.read(Path(replayed))
        path = resolve(schedule.image)[0]
        schedule.check(Path(replayed), path)
        print(_replay(schedule, path))
        return 0
    path = resolve(str(image))[0]
    with _booted(path, style, harts, parse_size(mem)) as guest:
        found = explorer.explore(
            guest,
            bound,
            max_steps=steps,
            max_schedules=limit,
            audit=audit,
        )
        kept = explorer.Schedule(
            str(image), style, harts, parse_size(mem), found.ending, found.turns
        )
        if found.found and out:
            kept.save(Path(out), path)
        if as_json:
            print(json.dumps(_facts(found)))
        else:
            print(_said(found, kept, path))
    return FOUND if found.found else 0


@contextmanager
def _booted(path: Path, style: str, harts: int, mem: int) -> Iterator["Guest"]:
    from hv.hypervisor import Hypervisor  # noqa: PLC0415 -- loads the core
    from hv.machine import Machine  # noqa: PLC0415

    if style == BARE:
        with Machine(ram=mem, harts=harts) as machine:
            yield _boot(machine, path)
    else:
        with Hypervisor(ram=mem + HEADROOM, harts=harts) as host:
            vm = host.create(style=style, mem=mem, vcpus=harts)
            yield _boot(vm, path)


def _boot(guest: "Guest", path: Path) -> "Guest":
    guest.load(path)
    guest.boot()
    return guest


def _facts(found: "Exploration") -> dict[str, object]:
    return {
        "ending": found.ending,
        "bound": found.bound,
        "schedules": found.schedules,
        "points": found.points,
        "steps": found.steps,
        "shared": found.shared,
        "code": found.code,
        "turns": [[turn.hart, turn.steps] for turn in found.turns],
    }


def _said(found: "Exploration", kept: "Schedule", path: Path) -> str:
    from hv.explore import MEANING  # noqa: PLC0415 -- loads the core

    lines = [
        f"{MEANING[found.ending]}.",
        (
            f"{count(found.schedules)} schedules with at most {found.bound} "
            f"preemptions, {count(found.points)} points, {count(found.steps)} "
            f"steps; {count(found.shared)} shared words."
        ),
    ]
    if found.found:
        lines += ["", _replay(kept, path)]
    return "\n".join(lines)


def _replay(schedule: "Schedule", path: Path) -> str:
    """Return the turns, with where each hart stood before and after."""
    from hv.explore import replay  # noqa: PLC0415 -- loads the core

    rows = []
    with _booted(path, schedule.style, schedule.harts, schedule.mem) as guest:
        place = _Places(guest)
        for number, turn in enumerate(schedule.turns, 1):
            before = place.of(turn.hart)
            replay(guest, (turn,))
            rows.append(
                (
                    *(str(number), str(turn.hart), str(turn.steps)),
                    *(before, place.of(turn.hart)),
                )
            )
        state = guest.state
    head = ("TURN", "HART", "STEPS", "FROM", "TO")
    return f"{table(head, rows, right=(0, 1, 2))}\nthen it is {state}"


class _Places:
    """Where in its image a hart is."""

    def __init__(self, guest: "Guest") -> None:
        self._guest = guest
        symbols = guest.layout.symbols if guest.layout else {}
        self._names = sorted((at, name) for name, at in symbols.items())
        self._starts = [at for at, _ in self._names]

    def of(self, hart: int) -> str:
        """Return function and offset."""
        pc = self._guest.cpu[hart].pc
        index = bisect_right(self._starts, pc) - 1
        if index < 0:
            return f"{pc:#x}"
        start, name = self._names[index]
        return f"{name}+{pc - start:#x}"
