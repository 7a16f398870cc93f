"""``hv top``: who uses the machine, while it runs."""

import csv
import sys
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import rich_click as click

from hv.cli.hosts import as_seconds, host_options, make_plan
from hv.errors import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from hv.domains.host import Running
    from hv.top import Sample


@click.command()
@host_options
@click.option(
    "-b", "--batch", is_flag=True, help="Lines, for a file or a pipe."
)
@click.option(
    "-i",
    "--iterations",
    type=click.IntRange(1),
    metavar="N",
    help="End after so many; default: when nothing is left to run.",
)
@click.option(
    "-d",
    "--delay",
    callback=as_seconds,
    default="100ms",
    show_default=True,
    metavar="TIME",
    help="Machine time from one to the next.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
def top(
    *,
    targets: tuple[str, ...],
    batch: bool,
    iterations: int | None,
    delay: float,
    as_csv: bool,
    **options: Any,  # noqa: ANN401 -- those of host_options()
) -> None:
    """Show who uses the machine, as xentop does.

    Seconds are the machine's, so the same command prints the same. All figures
    are counted exactly; none is estimated. CPU(%) and STEAL(%) are of one hart:
    the time that a VM's vCPUs had one, and waited for one. STATE has a
    letter for dying (its budget is used up), shut down, blocked, crashed
    (killed), paused, running.
    """
    from hv.domains.host import start  # noqa: PLC0415 -- loads the core
    from hv.top import csv_lines, text_lines  # noqa: PLC0415

    if delay <= 0:
        raise UsageError("--delay must be more than nothing")
    with start(make_plan(targets, options, None)) as running:
        moments = _moments(running, delay, iterations)
        if as_csv:
            out = csv.writer(sys.stdout, lineterminator="\n")
            for i, (before, after) in enumerate(moments):
                out.writerows(csv_lines(before, after, head=not i))
        elif batch or not sys.stdout.isatty():
            for i, (before, after) in enumerate(moments):
                print("\n" * bool(i) + "\n".join(text_lines(before, after)))
        else:
            _live(moments)


def _moments(
    running: "Running", delay: float, iterations: int | None
) -> Iterator[tuple["Sample", "Sample"]]:
    """Run, and return two moments at a time, one delay apart."""
    from hv.facts import RunReason  # noqa: PLC0415 -- lazily
    from hv.top import sample  # noqa: PLC0415

    before = sample(running.hypervisor)
    count = 0
    reason = RunReason.BUDGET
    while reason is RunReason.BUDGET and count != iterations:
        count += 1
        reason = running.run(until=running.cycle(count * delay))
        after = sample(running.hypervisor)
        if after.cycle > before.cycle:
            yield before, after
        before = after


def _live(moments: "Iterator[tuple[Sample, Sample]]") -> None:
    from rich.console import Group  # noqa: PLC0415 -- slow
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from hv.top.show import summary  # noqa: PLC0415

    with Live(auto_refresh=False) as live:
        for before, after in moments:
            lines = "\n".join(summary(before, after))
            table = coloured(before, after)
            live.update(Group(Text(lines), table), refresh=True)


def coloured(before: "Sample", after: "Sample") -> "Text":
    """Return the rows for this terminal, those of a VM in its colour."""
    from rich.text import Text  # noqa: PLC0415 -- slow

    from hv.screen import COLOURS  # noqa: PLC0415
    from hv.top.show import rows  # noqa: PLC0415

    head, *others = rows(before, after, get_terminal_size().columns)
    text = Text(no_wrap=True).append(head, style="reverse")
    for i, row in enumerate(others):
        text.append(f"\n{row}", style=COLOURS[i % len(COLOURS)])
    return text
