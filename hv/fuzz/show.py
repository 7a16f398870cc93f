"""What a campaign looks like: live on a terminal, else a line at a time."""

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from hv.fuzz.campaign import Campaign
from hv.fuzz.piece import Finding

EVERY = 10.0  # seconds between two plain lines


class Progress:
    """Show a campaign as it goes; use it as a context manager.

    :param clock: seconds that pass.
    """

    def __init__(
        self, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._start = self._last = clock()
        self._live = Live(console=console) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, campaign: Campaign, new: list[Finding]) -> None:
        """Be told that a piece is done."""
        for finding in new:
            self._console.print(found_line(finding), highlight=False)
        now = self._clock()
        if self._live:
            self._live.update(self._table(campaign, now - self._start))
        elif now - self._last >= EVERY:
            self._last = now
            self._console.print(
                line(campaign, now - self._start), highlight=False
            )

    def _table(self, campaign: Campaign, seconds: float) -> Table:
        table = Table(show_header=False, box=None)
        for name, value in figures(campaign, seconds).items():
            table.add_row(name, value)
        return table


def figures(campaign: Campaign, seconds: float) -> dict[str, str]:
    """Return what there is to say of a campaign, by name."""
    sums = campaign.sums
    rate = sums.executed / seconds if seconds > 0 else 0.0
    return {
        "programs": f"{sums.executed:,}",
        "a second": f"{rate:,.0f}",
        "operations": f"{sums.operations:,}",
        "checks": f"{sums.checks:,}",
        "states": f"{sums.states.bit_count():,}",
        "findings": str(len(campaign.findings)),
    }


def line(campaign: Campaign, seconds: float) -> str:
    """Return the same as a line."""
    parts = figures(campaign, seconds)
    return ", ".join(f"{value} {name}" for name, value in parts.items())


def found_line(finding: Finding) -> str:
    """Return a finding as a line."""
    return (
        f"{finding.key.property} broken by {finding.key.op} "
        f"({finding.strategy}, seed {finding.seed}): {finding.what}"
    )


def summary(campaign: Campaign) -> str:
    """Return what a campaign has done: the same however it was done."""
    sums = campaign.sums
    lines = [
        (
            f"{sums.executed} programs, {sums.operations} operations, "
            f"{sums.checks} checks, {sums.states.bit_count()} states"
        )
    ]
    lines += [
        f"{found_line(finding)} [{finding.times} times]"
        for _, finding in sorted(campaign.findings.items())
    ]
    if not campaign.findings:
        lines.append("nothing found")
    return "\n".join(lines)
