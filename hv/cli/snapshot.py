"""``hv restore`` and ``hv snapshot``: what ``hv run`` and ``hv up`` saved."""

import json
from dataclasses import asdict

import rich_click as click

from hv.cli import options
from hv.cli.run import HEADROOM, attend, conclude, write
from hv.cli.saved_host import restore_host, show_host
from hv.cli.table import count, table
from hv.errors import UsageError
from hv.facts import U32, integer
from hv.units import format_size


@click.command()
@click.argument("file")
@options.engine()
@options.harts()
@options.max_insns("End the guest after so many instructions more; 0 is never.")
@options.stats
@options.as_json
def restore(
    *,
    file: str,
    engine: str,
    harts: int,
    max_insns: int,
    stats: bool,
    as_json: bool,
) -> int:
    """Go on with what was saved: a VM, or a whole host.

    A VM gets a machine of its own, with so many harts; its console is here, and
    the exit status is that of `hv run`. A host has its own machine; what its
    VMs print is shown line by line. Its exit status is 0 if all switched
    themselves off with success, 1 if one did not.
    """
    from hv.hosts import is_host  # noqa: PLC0415 -- loads the core
    from hv.hypervisor import Hypervisor  # noqa: PLC0415
    from hv.snapshots import read_snapshot  # noqa: PLC0415

    if is_host(file):
        if harts != 1 or stats:
            raise UsageError(f"{file}: --harts and --stats are for a saved VM")
        return restore_host(file, engine, max_insns, as_json=as_json)
    facts = read_snapshot(file)
    room = facts.mem + HEADROOM + facts.shadow_frames * 4096
    with Hypervisor(
        ram=integer("the memory it needs", room, 0, U32),
        engine=engine,
        harts=harts,
        profile=facts.profile,
        ad_fault=facts.ad_fault,
    ) as host:
        vm = host.restore_vm(file, name="the guest")
        if not as_json:
            vm.console.sink = write
        ending = attend(vm, max_insns)
        conclude(vm, ending, {"image": file} if as_json else None, stats=stats)
    return ending.status


@click.group()
def snapshot() -> None:
    """Look at what was saved."""


@snapshot.command()
@click.argument("file")
@options.as_json
def show(*, file: str, as_json: bool) -> None:
    """Say what there is in a saved VM or host; check all that it says."""
    from hv.hosts import is_host  # noqa: PLC0415 -- loads the core
    from hv.snapshots import read_snapshot  # noqa: PLC0415

    if is_host(file):
        show_host(file, as_json=as_json)
        return
    facts = read_snapshot(file)
    if as_json:
        print(json.dumps(asdict(facts)))
        return
    rows = [
        ("style", str(facts.style)),
        ("shadows follow", str(facts.sync)),
        ("state", str(facts.state)),
        ("vCPUs", count(facts.vcpus)),
        ("instructions", count(facts.insns)),
        ("age in ticks", count(facts.ticks)),
        ("memory", format_size(facts.mem)),
        ("... touched", format_size(facts.populated)),
        ("... of it zero", format_size(facts.zero)),
        ("... given back", format_size(facts.ballooned)),
        ("different pages", count(facts.contents)),
        ("console, unread", count(facts.unread)),
        ("file, in bytes", count(facts.size)),
        ("format version", count(facts.version)),
    ]
    print(table(("", ""), rows))
