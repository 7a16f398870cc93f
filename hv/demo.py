"""``hv demo``: two kernels and an attacker on one hart, then the bill.

First a native kernel, a paravirtual one and a hostile one run side by side;
the hypervisor kills only the hostile one. Then the same work runs alone, on
the bare machine and under each style, and exact counts say what each costs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hv import images
from hv.cli.table import count, table
from hv.counters import Counters
from hv.errors import HvError
from hv.facts import RunReason, State
from hv.hypervisor import Hypervisor
from hv.machine import Machine
from hv.screen import COLOURS, View, screen

if TYPE_CHECKING:
    from rich.table import Table

    from hv.guest import Guest
    from hv.vm import VM

NATIVE, PV = "kernel-native", "kernel-pv"
HOSTILE = "hostile-siege"
SCALE = 2
# Programs that never sleep: the bill counts work, and the bare machine's clock
# goes on while it waits.
WORK = "run=sieve,crc,forks,hog"
PIECE = 500_000  # instructions between two looks at the table
LIMIT = 2_000_000_000


def main(scale: int = SCALE) -> None:
    """Show it.

    :param scale: how much work the kernels do.
    :raises HvError: if something ended otherwise than it must.
    """
    append = f"scale={scale}"
    with Hypervisor() as hypervisor:
        vms = _boot(hypervisor, append)
        with screen(vms, lambda: _top(vms)) as view:
            _run(hypervisor, view)
        _verdict(hypervisor, vms)
    print("\nThe same work alone, three ways:")
    append = f"{append} {WORK}"
    print(_bill([_bare(append), _alone(NATIVE, append), _alone(PV, append)]))


def _boot(hypervisor: Hypervisor, append: str) -> "list[VM]":
    guests = {
        "native": images.find(NATIVE),
        "pv": images.find(PV),
        "hostile": _attacker(),
    }
    vms = []
    print("Three kernels on one hart:")
    for name, image in guests.items():
        vm = hypervisor.create(name=name, style=image.style)
        vm.load(image.path, append=append)
        vm.boot()
        print(f"  {name:8} {image.name}: {image.description} ({image.style})")
        vms.append(vm)
    return vms


def _attacker() -> images.Image:
    """Return a hostile guest that must be killed."""
    found = images.available()
    if HOSTILE in found:
        return found[HOSTILE]
    for image in found.values():
        if image.kind == "hostile" and "killed" in (image.expect or ""):
            return image
    return images.find(HOSTILE)


def _run(hypervisor: Hypervisor, view: View) -> None:
    while True:
        result = hypervisor.run(PIECE, on_end=True)
        view.update()
        if result.reason is RunReason.ENDED:
            vm = hypervisor[result.vm]
            view.event(_obituary(vm))
        elif result.reason is not RunReason.BUDGET:
            return


def _obituary(vm: "VM") -> str:
    if vm.state is State.KILLED:
        return f"the hypervisor killed {vm.name}: {vm.reason}"
    how = "with success" if vm.exit_code == 0 else f"with {vm.exit_code}"
    return f"{vm.name} powered off {how}"


def _verdict(hypervisor: Hypervisor, vms: "list[VM]") -> None:
    hypervisor.audit()
    *good, hostile = vms
    for vm in good:
        vm.check()
    if hostile.state is not State.KILLED:
        raise HvError(f"the hostile kernel is {hostile.state}, not killed")
    print(
        "Only the hostile kernel was killed, the others ended with success,\n"
        "and the audit of every frame, reference and mapping adds up."
    )


def _top(vms: "list[VM]") -> "Table":
    """Return the table of what each has used so far."""
    from rich.table import Table  # noqa: PLC0415 -- slow

    top = Table("NAME", "STYLE", "STATE", box=None)
    for title in ("INSNS", "CYCLES", "EXITS", "FRAMES"):
        top.add_column(title, justify="right")
    for vm, colour in zip(vms, COLOURS, strict=False):
        info = vm.info
        numbers = (
            info.insns,
            info.cycles,
            vm.counters["exits"],
            info.frames,
        )
        top.add_row(
            vm.name,
            str(info.style),
            str(info.state),
            *map(count, numbers),
            style=colour,
        )
    return top


# -- the bill ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bill:
    """What one way of running the work took."""

    title: str
    insns: int
    cycles: int
    counters: Counters
    checksums: list[str]


def _bare(append: str) -> Bill:
    with Machine() as machine:
        return _work("bare", machine, images.find(NATIVE), append)


def _alone(name: str, append: str) -> Bill:
    image = images.find(name)
    with Hypervisor() as hypervisor:
        vm = hypervisor.create(style=image.style)
        return _work(image.style, vm, image, append)


def _work(title: str, guest: "Guest", image: images.Image, append: str) -> Bill:
    guest.load(image.path, append=append)
    guest.boot()
    guest.run_until("halt", max_insns=LIMIT)
    info = guest.info
    sums = re.findall(r"(\S+: checksum [0-9a-fA-F]{8})", guest.console.text)
    return Bill(title, info.insns, info.cycles, guest.counters, sorted(sums))


def _bill(bills: list[Bill]) -> str:
    bare = bills[0]

    def row(name: str, value: Callable[[Bill], str]) -> tuple[str, ...]:
        return (name, *map(value, bills))

    def counted(name: str, counter: str) -> tuple[str, ...]:
        return row(name, lambda b: count(b.counters.get(counter, 0)))

    reasons: dict[str, None] = {}
    for bill in bills:
        reasons |= dict.fromkeys(bill.counters.exits_by_reason)
    rows = [
        row("instructions", lambda b: count(b.insns)),
        row("cycles", lambda b: count(b.cycles)),
        row("ratio to bare", lambda b: f"{b.cycles / bare.cycles:.2f}"),
        counted("exits", "exits"),
        *(counted(f"  {reason}", f"exit_{reason}") for reason in reasons),
        counted("shadow fills", "shadow_fills"),
        row("checksums", lambda b: _agree(b, bare)),
    ]
    return table(("", "bare", "unmodified", "paravirtual"), rows)


def _agree(bill: Bill, bare: Bill) -> str:
    if bill.checksums != bare.checksums:
        raise HvError(f"the programs' checksums differ under {bill.title}")
    return f"{len(bill.checksums)} equal"
