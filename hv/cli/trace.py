"""``hv trace`` and ``hv gantt``: record a run of several VMs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from hv.cli.files import svg_file
from hv.cli.hosts import (
    LIMIT,
    as_seconds,
    host_options,
    make_plan,
    write,
)
from hv.errors import UsageError

if TYPE_CHECKING:
    from hv.trace import Recording

FORMATS = ("perfetto", "text")


@click.command()
@host_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to; default: the terminal, for --format text.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Default: perfetto if FILE ends in .json, else text.",
)
@click.option(
    "--kinds",
    metavar="A,B",
    help="Which events; default: all. --kinds help lists them.",
)
def trace(
    *,
    targets: tuple[str, ...],
    out: Path | None,
    form: str | None,
    kinds: str | None,
    **options: Any,  # noqa: ANN401 -- those of host_options()
) -> None:
    """Record what happens on a host, event by event.

    A file for https://ui.perfetto.dev has a track for each hart and each vCPU:
    who ran when, and in each run what the hypervisor did, and why.
    """
    if kinds == "help":
        _list_kinds()
        return
    json = out is not None and out.suffix == ".json"
    form = form or ("perfetto" if json else "text")
    if form == "perfetto" and out is None:
        raise UsageError("--format perfetto needs --out FILE.json")
    wanted = None if kinds is None else _words(kinds)
    recording = _record(targets, options, wanted)
    if form == "perfetto":
        from hv.trace import to_chrome as convert  # noqa: PLC0415 -- lazily
    else:
        from hv.trace import to_text as convert  # noqa: PLC0415
    if out is None:
        sys.stdout.write(convert(recording))
        return
    write(out, convert(recording))
    print(f"{out}: {len(recording.events)} events", file=sys.stderr)


@click.command()
@host_options
@click.option(
    "--out", default="gantt.svg", show_default=True, metavar="FILE.svg"
)
@click.option(
    "--from",
    "begin",
    callback=as_seconds,
    default="0s",
    metavar="TIME",
    help="Where the picture begins.",
)
@click.option(
    "--to", "end", callback=as_seconds, metavar="TIME", help="Where it ends."
)  # fmt: skip
def gantt(
    *,
    targets: tuple[str, ...],
    out: str,
    begin: float,
    end: float | None,
    **options: Any,  # noqa: ANN401 -- those of host_options()
) -> None:
    """Draw who ran when: a row per hart and per vCPU."""
    from hv.trace import gantt as draw  # noqa: PLC0415 -- loads the core
    from hv.trace.timeline import STATES  # noqa: PLC0415

    path = svg_file("--out", out)
    if end is not None and end <= begin:
        raise UsageError("--to must be after --from")
    if end is not None and options["run_for"] is None:
        options["run_for"] = end
    recording = _record(targets, options, sorted(STATES))
    write(path, draw(recording, begin=begin, end=end))
    print(f"{path}: {len(recording.events)} events", file=sys.stderr)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _list_kinds() -> None:
    from hv.cli.table import table  # noqa: PLC0415 -- lazily
    from hv.events import meanings  # noqa: PLC0415

    rows = [(str(kind), doc) for kind, doc in meanings().items()]
    print(table(("", ""), rows, right=()))


def _record(
    targets: tuple[str, ...], options: dict[str, Any], kinds: list[str] | None
) -> "Recording":
    from hv.domains.host import start  # noqa: PLC0415 -- loads the core
    from hv.trace import record  # noqa: PLC0415

    with start(make_plan(targets, options, LIMIT)) as running:
        with record(running.hypervisor, kinds) as recorder:
            running.run()
        limit = running.plan.host.run_for
        if limit is not None and running.seconds >= limit:
            print(
                f"hv: stopped after {limit:g} s of machine time (--for)",
                file=sys.stderr,
            )
    return recorder.recording
