"""``hv restore`` and ``hv snapshot show``, where a whole host was saved."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from hv.cli.table import count, table
from hv.errors import BudgetExceeded
from hv.facts import RunReason, State
from hv.units import format_size

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor
    from hv.screen import View

UNMET = 1


def restore_host(
    file: str, engine: str, max_insns: int, *, as_json: bool
) -> int:
    """Go on with a saved host to its end; return the exit status."""
    from hv.hypervisor import Hypervisor  # noqa: PLC0415 -- loads the core
    from hv.screen import Plain  # noqa: PLC0415

    with Hypervisor.restore(file, engine=engine) as host:
        if as_json:
            spent = _run(host, max_insns, None)
            print(json.dumps(_facts(file, host)))
        else:
            with Plain(host.vms) as view:
                spent = _run(host, max_insns, view)
        well = all(vm.state is State.OFF and not vm.exit_code for vm in host)
    if spent:
        print(f"hv: it still ran after {max_insns} more", file=sys.stderr)
        return BudgetExceeded.exit_code
    return 0 if well else UNMET


def _run(host: "Hypervisor", max_insns: int, view: "View | None") -> bool:
    """Run it, and show what happens; return whether there is more to do."""
    ended = {vm.number for vm in host if vm.state.ended}
    reason, left = RunReason.BUDGET, max_insns
    while reason in (RunReason.BUDGET, RunReason.ENDED):
        piece = min(host.host.chunk, left) if max_insns else host.host.chunk
        result = host.run(piece, on_end=True)
        reason, left = result.reason, left - result.insns
        if view is not None:
            view.update()
        for vm in host:
            if vm.state.ended and vm.number not in ended:
                ended.add(vm.number)
                if view is not None:
                    view.event(f"{vm.name} ended: {vm.reason or vm.state}")
        if max_insns and left <= 0:
            return True
    return False


def _facts(file: str, host: "Hypervisor") -> dict[str, object]:
    return {
        "image": file,
        "vms": [
            {
                "number": vm.number,
                "name": vm.name,
                "state": str(vm.state),
                "exit_code": vm.exit_code,
                "reason": vm.reason,
                "insns": vm.info.insns,
                "console": vm.console.text,
            }
            for vm in host
        ],
    }


def show_host(file: str, *, as_json: bool) -> None:
    """Say what there is in a saved host."""
    from hv.hosts import read_host  # noqa: PLC0415 -- loads the core

    saved = read_host(file)
    if as_json:
        print(json.dumps(asdict(saved)))
        return
    config = saved.config
    rows = [
        ("machine memory", format_size(int(config.ram or 0))),
        ("harts", count(config.harts or 0)),
        ("profile", str(config.profile)),
        ("policy", str(config.policy)),
        ("admission", str(config.admission)),
        ("cycles", count(saved.cycles)),
        ("different pages", format_size(saved.contents)),
        ("file, in bytes", count(saved.size)),
    ]
    print(table(("", ""), rows))
    print()
    print(
        table(
            ("VM", "name", "style", "state", "memory", "touched", "insns"),
            [
                (
                    str(vm.number),
                    vm.name,
                    str(vm.snapshot.style),
                    str(vm.snapshot.state),
                    format_size(vm.snapshot.mem),
                    format_size(vm.snapshot.populated),
                    count(vm.snapshot.insns),
                )
                for vm in saved.vms
            ],
        )
    )
