"""``hv bench``: how fast hv is here, and what each style costs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import options
from hv.errors import HvError

if TYPE_CHECKING:
    from hv.bench.report import Report


@click.command()
@click.option("--quick", is_flag=True, help="Less than a minute.")
@options.as_json
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the JSON there; and, if it ends in .svg, a plot instead.",
)
@click.option(
    "--history",
    is_flag=True,
    help="Keep the figures in the checkout, for the book.",
)
def bench(
    *, quick: bool, as_json: bool, out: Path | None, history: bool
) -> None:
    """Measure hv beside other machines, in one run.

    The same programs run on each engine, bare and in each style, on QEMU and
    on Unicorn where they are installed. Figures with an aim say by how much
    they meet or miss it. Times depend on this computer, ratios hardly, counts
    not at all.
    """
    from rich.console import Console  # noqa: PLC0415 -- lazily

    from hv import bench as benchmarks  # noqa: PLC0415 -- loads the core
    from hv.bench.report import to_json  # noqa: PLC0415
    from hv.bench.show import show  # noqa: PLC0415

    with Console(stderr=True).status("measuring") as status:
        report = benchmarks.measure(quick=quick, report=status.update)
    if as_json:
        sys.stdout.write(to_json(report).decode())
    else:
        show(report, Console())
    try:
        if out:
            _write(report, out)
        if history:
            _remember(report)
    except OSError as error:
        raise HvError(f"the figures could not be kept: {error}") from None


def _write(report: "Report", out: Path) -> None:
    from hv.bench.plot import plot_report  # noqa: PLC0415 -- lazily
    from hv.bench.report import to_json  # noqa: PLC0415

    if out.suffix == ".svg":
        out.write_text(plot_report(report), encoding="utf-8")
    else:
        out.write_bytes(to_json(report))


def _remember(report: "Report") -> None:
    from hv import images  # noqa: PLC0415 -- lazily
    from hv.bench import history  # noqa: PLC0415

    folder = images.source()
    if folder is None or not report.commit:
        raise HvError(
            "--history needs a checkout of hv with git: it notes the commit"
        )
    history.remember(folder, report)
