"""Measure hv: how fast it executes, and what each style costs its guest.

The first figures are wall-clock and depend on this computer; the others are
counts, the same everywhere. A ratio of cycles depends on what an elementary
step costs (csrc/abi/costs.def), so it is shown with that table, with every
cost but an instruction's halved, and doubled.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import hv
from hv import images

ROOT = Path(__file__).resolve().parent.parent
RUNS = [("bare", "kernel-native"), ("emulate", "kernel-native")]
RUNS += [("pv", "kernel-pv"), ("direct", "kernel-pv")]


@dataclass(frozen=True, slots=True)
class Result:
    """What one run took."""

    seconds: float
    insns: int
    cycles: int


def default_costs() -> dict[str, int]:
    """Return the cost table: cycles by elementary step."""
    text = (ROOT / "csrc" / "abi" / "costs.def").read_text(encoding="utf-8")
    rows = re.findall(r"^COST\((\w+), (\d+),", text, re.MULTILINE)
    return {name: int(cycles) for name, cycles in rows}


def scaled(factor: float) -> dict[str, int]:
    """Return the table with every cost scaled but that of an instruction."""
    return {
        name: cycles if name == "insn" else round(cycles * factor)
        for name, cycles in default_costs().items()
    }


def run(style: str, name: str, costs: dict[str, int]) -> Result:
    """Run one guest to its end.

    :raises hv.GuestError: it did not end with success.
    """
    if style == "bare":
        with hv.Machine(costs=costs) as machine:
            return measure(machine, name)
    with hv.Hypervisor(costs=costs) as hypervisor:
        return measure(hypervisor.create(style=style), name)


def measure(guest: hv.Guest, name: str) -> Result:
    """Run a guest that exists, and take its counts."""
    guest.load(images.find(name).path)
    guest.boot()
    began = time.perf_counter()
    guest.run_until("halt")
    seconds = time.perf_counter() - began
    guest.check()
    return Result(seconds, guest.info.insns, guest.info.cycles)


def main() -> None:
    """Print the table."""
    print(f"{'':24}{'insns':>12}{'M insns/s':>11}{'cycles':>13}   to bare")
    for factor in (1.0, 0.5, 2.0):
        print(f"costs x {factor:g}")
        bare = 0
        for style, name in RUNS:
            result = run(style, name, scaled(factor))
            bare = bare or result.cycles
            speed = result.insns / result.seconds / 1e6
            print(
                f"  {style:8}{name:14}{result.insns:>12,}{speed:>11.1f}"
                f"{result.cycles:>13,}   {result.cycles / bare:.3f}"
            )


if __name__ == "__main__":
    main()
