"""``hv up``: a host with several VMs, as a file says."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import options
from hv.cli.files import svg_file
from hv.cli.hosts import as_seconds, write
from hv.cli.top import coloured
from hv.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hv.domains.host import Running
    from hv.domains.plan import Plan
    from hv.trace import Recording

UNMET = 1


@click.command()
@click.argument("file", required=False)
@click.option("--check", is_flag=True, help="Only look at the file.")
@click.option("--dry-run", is_flag=True, help="Print what would be started.")
@click.option("--keys", is_flag=True, help="Print what a file can say.")
@options.as_json
@click.option(
    "--save",
    "place",
    metavar="F",
    help="Save the host to this file and end; `hv restore` goes on there.",
)
@click.option(
    "--at",
    callback=as_seconds,
    metavar="TIME",
    help="... after so much machine time: 100ms.",
)
@click.option(
    "--trace",
    "trace_out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Record all events: .json for Perfetto, else text.",
)
@click.option(
    "--gantt", "picture", metavar="FILE.svg", help="Draw who ran when."
)
def up(
    *,
    file: str | None,
    check: bool,
    dry_run: bool,
    keys: bool,
    as_json: bool,
    place: str | None,
    at: float | None,
    trace_out: Path | None,
    picture: str | None,
) -> int:
    """Start a host with several VMs, as a domain file says, and report.

    What the guests print is shown line by line; on a terminal, a table below
    shows who uses the machine. Each VM is to end as its `expect` says.

    Exit status: 0 all did, 1 one did not, 2 the file is wrong.
    """
    from hv.domains import report  # noqa: PLC0415 -- loads the core
    from hv.domains.keys import describe  # noqa: PLC0415
    from hv.domains.load import load  # noqa: PLC0415

    if keys:
        print("\n".join(describe()).rstrip())
        return 0
    if file is None:
        raise click.UsageError("name a domain file; `hv up --keys` shows one")
    if (place is None) != (at is None):
        raise UsageError("--save FILE goes with --at TIME: save it then")
    plan = load(file)
    if dry_run:
        print(report.plan_text(plan))
    elif check:
        vms = f"{len(plan.vms)} VM{'s' * (len(plan.vms) != 1)}"
        harts = f"{plan.host.harts} hart{'s' * (plan.host.harts != 1)}"
        print(f"{file}: {vms} on {harts}, policy {plan.host.policy}")
    elif place and at is not None:
        _save(plan, place, at)
    else:
        svg = svg_file("--gantt", picture) if picture else None
        return _run(plan, trace_out, svg, as_json=as_json)
    return 0


def _run(
    plan: "Plan", trace_out: Path | None, svg: Path | None, *, as_json: bool
) -> int:
    from hv.domains.host import start  # noqa: PLC0415 -- loads the core
    from hv.domains.report import Report  # noqa: PLC0415
    from hv.trace import record  # noqa: PLC0415
    from hv.trace.timeline import STATES  # noqa: PLC0415

    with ExitStack() as stack:
        running = stack.enter_context(start(plan))
        recorder = None
        if trace_out or svg:
            kinds = None if trace_out else STATES
            recorder = stack.enter_context(record(running.hypervisor, kinds))
        if as_json:
            running.run()
        else:
            _show(running)
        report = Report.of(running)
        if as_json:
            print(json.dumps(report.to_json()))
        else:
            print(report.text)
        for line in report.unmet:
            print(f"hv: {line}", file=sys.stderr)
    if recorder is not None:
        _write(recorder.recording, trace_out, svg)
    return UNMET if report.unmet else 0


def _save(plan: "Plan", place: str, at: float) -> None:
    """Run to a moment, show what is printed until then, and save the host."""
    from hv.domains.host import start  # noqa: PLC0415 -- loads the core

    with start(plan) as running:
        _show(running, running.cycle(at))
        running.hypervisor.save(place)
        seconds = format(running.seconds, ".6f")
    print(f"hv: saved after {seconds} s: {place}", file=sys.stderr)


def _show(running: "Running", until: int | None = None) -> None:
    """Run to a moment, or to the end: what is printed, and who ends how."""
    from hv.domains.pace import now  # noqa: PLC0415 -- lazily
    from hv.facts import RunReason  # noqa: PLC0415 -- lazily
    from hv.screen import screen  # noqa: PLC0415
    from hv.top import sample  # noqa: PLC0415

    before = sample(running.hypervisor)

    def table() -> "RenderableType":
        return coloured(before, sample(running.hypervisor))

    ended: set[int] = set()
    with screen([domain.vm for domain in running.domains], table) as view:
        reason = RunReason.BUDGET
        while reason in (RunReason.BUDGET, RunReason.ENDED) and (
            until is None or now(running.hypervisor) < until
        ):
            reason = running.advance(until)
            view.update()
            for domain in running.domains:
                if domain.vm.state.ended and domain.vm.number not in ended:
                    ended.add(domain.vm.number)
                    view.event(f"{domain.plan.name} ended: {domain.ending}")


def _write(
    recording: "Recording", trace_out: Path | None, svg: Path | None
) -> None:
    from hv.trace import gantt, to_chrome, to_text  # noqa: PLC0415 -- lazily

    if trace_out is not None:
        convert = to_chrome if trace_out.suffix == ".json" else to_text
        write(trace_out, convert(recording))
    if svg is not None:
        write(svg, gantt(recording))
