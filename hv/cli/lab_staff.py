"""``hv lab``: what instructors and authors do."""

from pathlib import Path

import rich_click as click

from hv.cli import options
from hv.errors import UsageError

# Lazily imported everywhere below: `hv --help` needs none of it.
# ruff: noqa: PLC0415

KEY = click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="The course's key, for hidden variants; students do not have it.",
)


def course_key(path: Path | None) -> str:
    """Return the course's key; empty if there is none."""
    if path is None:
        return ""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


@click.command()
@click.argument("number", type=int)
def prepare(*, number: int) -> None:
    """Compile what grading lab NUMBER needs, so that the first is as fast."""
    from hv.labs import build, cut
    from hv.labs.chaff_cores import cores
    from hv.labs.spec import find

    folder = find(number)
    files = cut.solution(folder)
    build.core(folder, files)
    build.image(folder, files)
    count = len(cores(folder))
    beside = f", and {count} cores to judge with" if count else ""
    print(f"lab {number}: hv's core{beside}")


@click.command()
@click.argument("number", type=int)
@click.option("--quick", is_flag=True, help="Run nothing.")
def check(*, number: int, quick: bool) -> int:
    """For authors: look whether lab NUMBER holds what a lab promises."""
    from hv.labs import check as gates
    from hv.labs.spec import find

    folder = find(number)
    which = gates.static if quick else gates.all_gates
    wrong = 0
    for mistake in which(folder):
        print(f"lab {number}: {mistake}")
        wrong += 1
    if not wrong:
        print(f"lab {number}: all gates passed")
    return 1 if wrong else 0


@click.command()
@click.argument("number", type=int)
@click.argument("submissions", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("graded"),
    show_default=True,
    help="Where grades and summary go.",
)
@options.workers(256)
@options.dask
@KEY
def batch(
    *,
    number: int,
    submissions: Path,
    out: Path,
    workers: int | None,
    dask: str | None,
    key_file: Path | None,
) -> None:
    """Grade a folder of SUBMISSIONS; start it again to go on."""
    import os

    from hv.labs import workers as pools
    from hv.labs.batch import Batch
    from hv.labs.spec import find

    if dask is not None and workers is not None:
        raise UsageError("--workers or --dask, not both")
    count = workers if workers is not None else os.cpu_count() or 1
    whole = Batch(find(number), submissions, out, key=course_key(key_file))
    rows = whole.run(
        lambda row: print(f"{row.student}: {row.score}/{row.full}", flush=True),
        pools.processes(count) if dask is None else pools.dask(dask),
    )
    print(f"{len(rows)} submissions; {out / 'summary.html'}")


@click.command()
@click.argument("number", type=int)
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder of wheels for the image, which has no network.",
)
@KEY
def gradescope(
    *, number: int, out: Path, wheels: Path | None, key_file: Path | None
) -> None:
    """Write the zip of a Gradescope assignment for lab NUMBER."""
    from hv.labs.exports.gradescope import pack
    from hv.labs.spec import find

    find(number)
    found = sorted(wheels.glob("*.whl")) if wheels else []
    pack(number, out, found, course_key(key_file))
    print(f"{out}: setup.sh, run_autograder, {len(found)} wheels")
