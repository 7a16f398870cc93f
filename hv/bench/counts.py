"""What each style costs its guest: cycles of the same work, exactly.

No clock is read. A ratio of cycles depends on what an elementary step costs
(csrc/abi/costs.def), so it is shown with that table, with every cost but an
instruction's halved, and doubled.
"""

import hv
from hv import images
from hv.bench.report import Count
from hv.core import cost_defaults
from hv.errors import HvError

FACTORS = (1.0, 0.5, 2.0)
KERNELS = ("kernel-native", "kernel-pv")


def scaled(factor: float) -> dict[str, int]:
    """Return the table with every cost scaled but that of an instruction."""
    return {
        name: cycles if name == "insn" else round(cycles * factor)
        for name, cycles in cost_defaults().items()
    }


def kernels() -> list[tuple[str, str]]:
    """Return the styles there are and a kernel for each, bare first."""
    found: dict[str, str] = {}
    for name in KERNELS:
        for style in images.find(name).styles:
            found.setdefault(style, name)
    return list(found.items())


def measure(append: str = "quiet") -> list[Count]:
    """Let the guest kernel do its work in every style, under each table.

    :param append: its command line, which says what work.
    :raises HvError: if a guest does not end with success.
    """
    return [
        count
        for factor in FACTORS
        for count in _under(scaled(factor), factor, append)
    ]


def _under(costs: dict[str, int], factor: float, append: str) -> list[Count]:
    rows: list[Count] = []
    for style, name in kernels():
        insns, cycles, exits = _run(style, name, costs, append)
        bare = rows[0].cycles if rows else cycles
        ratio = round(cycles / bare, 4)
        rows.append(Count(style, name, factor, insns, cycles, exits, ratio))
    if rows[0].style != "bare":
        raise HvError("no kernel runs bare: nothing to compare with")
    return rows


def _run(
    style: str, name: str, costs: dict[str, int], append: str
) -> tuple[int, int, int]:
    if style == "bare":
        with hv.Machine(engine="fast", costs=costs) as machine:
            return _measured(machine, name, append)
    with hv.Hypervisor(engine="fast", costs=costs) as hypervisor:
        return _measured(hypervisor.create(style=style), name, append)


def _measured(guest: hv.Guest, name: str, append: str) -> tuple[int, int, int]:
    guest.load(images.find(name), append=append)
    guest.boot()
    guest.run_until("halt")
    info = guest.info
    return info.insns, info.cycles, guest.counters.get("exits", 0)
