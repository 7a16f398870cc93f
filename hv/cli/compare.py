"""``hv compare``: the same work in every way of virtualizing it."""

import json

import rich_click as click

from hv.cli import options
from hv.cli.files import svg_file


@click.command()
@click.argument("kernels", nargs=-1, metavar="[IMAGE]...")
@click.option(
    "--styles",
    metavar="A,B",
    help="In which ways; default: all that the images run in.",
)
@click.option(
    "--workload",
    "workloads",
    metavar="W,V",
    help="Which programs; default: all of them.",
)
@options.engine("Which interpreter; the counts are the same.")
@click.option(
    "--scale",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="How much work each program does.",
)
@click.option(
    "--costs",
    "factor",
    type=click.FloatRange(0, 1000),
    default=1.0,
    metavar="X",
    help="Let every step but an instruction cost X times as many cycles.",
)
@click.option(
    "--plot", metavar="FILE.svg", help="Draw the ratios to bare as bars."
)
@options.as_json
def compare(
    *,
    kernels: tuple[str, ...],
    styles: str | None,
    workloads: str | None,
    engine: str,
    scale: int,
    factor: float,
    plot: str | None,
    as_json: bool,
) -> None:
    """Run workloads bare and in every style, and compare what that takes.

    IMAGE is the name of a shipped kernel; default: all of them.

    Exit status: 0 every process printed the same everywhere, 1 something
    differed, and it says what; 2 wrong usage.
    """
    from hv.comparison import Report  # noqa: PLC0415 -- loads the core
    from hv.host import scaled_costs  # noqa: PLC0415
    from hv.workloads import plan  # noqa: PLC0415

    what = plan(
        kernels,
        styles=_names(styles),
        workloads=_names(workloads),
        engine=engine,
        scale=scale,
        costs=scaled_costs(factor),
    )
    file = svg_file("--plot", plot) if plot else None
    done = []
    for comparison in what.run():
        if not as_json:
            print(comparison, end="\n\n", flush=True)
        done.append(comparison)
    report = Report(tuple(done))
    if as_json:
        facts = {"engine": engine, "scale": scale, "costs": factor}
        print(json.dumps(facts | report.to_json()))
    if file:
        file.write_text(report.svg, encoding="utf-8")
    report.check()


def _names(text: str | None) -> list[str] | None:
    """Split a list, or return None where there is none."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]
