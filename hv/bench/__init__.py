"""Benchmarks: how fast hv executes, and what each style costs.

:func:`measure` does it all and returns a :class:`~hv.bench.report.Report`;
``hv bench`` prints it. Times are reported and never judged by a test.
"""

import os
import platform
from collections.abc import Callable
from pathlib import Path

from hv import core, images
from hv.bench import aims, clock, costs, counts, history
from hv.bench.programs import styles_of
from hv.bench.report import SCHEMA, Computer, Report
from hv.bench.speeds import Speeds

__all__ = ["Report", "measure"]


def measure(
    *,
    quick: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure everything: about a minute if quick, else some minutes.

    :param report: told what is being measured, a line at a time.
    :raises HvError: if an image is missing, or a program's result is wrong.
    """
    folder = images.source()
    known = history.commit_of(folder) if folder else None
    commit, date = known or ("", "")
    turns, factor = (3, 1) if quick else (7, 3)
    speeds = Speeds(factor)
    speeds.run(turns, report)
    report("calls, switches, VMs that come and go")
    figures, skipped = costs.measure(turns, factor)
    report("the guest kernel's work in each style")
    counted = counts.measure()
    virtual = [style for style in styles_of("mix") if style != "bare"]
    ratios = [speeds.figure(ratio) for ratio in aims.ratios(virtual)]
    return Report(
        schema=SCHEMA,
        version=core.version(),
        commit=commit,
        date=date,
        quick=quick,
        rounds=turns,
        computer=computer(),
        skipped=[*speeds.skipped.values(), *skipped],
        figures=[*(figure for figure in ratios if figure), *figures],
        speeds=speeds.rows(),
        counts=counted,
    )


def computer() -> Computer:
    """Say where times are taken."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    return Computer(
        cpu=cpu,
        cores=os.cpu_count() or 1,
        system=platform.system(),
        python=platform.python_version(),
        clock=clock.NAME,
    )
