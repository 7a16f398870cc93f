"""A Sphinx extension: the policies compared, out of runs.

Three questions to each policy: does everybody get what is due to it; how long
does a guest wait that mostly sleeps; and does it pay to sleep at the right
moment. The guests are a few instructions each, so that nothing else counts.
"""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sphinx.application import Sphinx

import hv
from hv.images import find
from hv.svg import Series, bars
from tests.machine import asm

OUT = Path(__file__).resolve().parent / "_generated"
BASE = 0x80000000
TIMER = 0x54494D45  # SBI's TIME extension
MIB = "1MiB"
POLICIES = ("rr", "credit", "fair", "sampled")
WEIGHTS = (256, 512, 1024)
SLICE, PERIOD = 1000, 10_000  # ticks: 0.1 ms and 1 ms
CYCLES = 10_000_000
TICK = 10  # cycles
US = 100  # cycles of a microsecond


def words(code: Iterable[int]) -> bytes:
    """Return code as it lies in memory."""
    return b"".join(word.to_bytes(4, "little") for word in code)


HOG = words([asm.j(0)])


def sleeper(every: int, work: int) -> bytes:
    """Return code that wakes every so many ticks, and works a little.

    :param work: how often a loop of two instructions goes round.
    """
    again = [
        *asm.li(asm.T1, every),
        asm.add(asm.S0, asm.S0, asm.T1),
        asm.mv(asm.A0, asm.S0),
        asm.addi(asm.A1, asm.ZERO, 0),
        *asm.li(asm.A7, TIMER),
        asm.addi(asm.A6, asm.ZERO, 0),
        asm.ECALL,
        asm.WFI,
        *asm.li(asm.T0, work),
        asm.addi(asm.T0, asm.T0, -1),
        asm.bne(asm.T0, asm.ZERO, -4),
    ]
    start = asm.csrr(asm.S0, 0xC01)  # time
    return words([start, *again, asm.j(-4 * len(again))])


def boot(host: hv.Hypervisor, code: bytes, **schedule: int) -> hv.VM:
    """Boot a guest of a few instructions."""
    vm = host.create(mem=MIB, **schedule)  # type: ignore[arg-type]
    vm.mem.write(BASE, code)
    vm.boot(BASE, 0, 0)
    return vm


def machine(policy: str) -> hv.Hypervisor:
    """Return a host of one hart."""
    return hv.Hypervisor(ram="16MiB", policy=policy, slice=SLICE, period=PERIOD)


def run(host: hv.Hypervisor, cycles: int = CYCLES) -> None:
    """Let so much time pass on the first hart."""
    until = host.harts[0].cycles + cycles
    while host.harts[0].cycles < until:
        host.run(100_000)


# -- shares -----------------------------------------------------------------


def shares(policy: str) -> list[float]:
    """Return the percent of a hart that hogs of three weights get."""
    with machine(policy) as host:
        vms = [boot(host, HOG, weight=weight) for weight in WEIGHTS]
        run(host)
        total = sum(vm.vcpus[0].charged for vm in vms)
        return [100 * vm.vcpus[0].charged / total for vm in vms]


def share_table() -> str:
    """Return what each policy makes of weights, and the largest error."""
    due = [100 * weight / sum(WEIGHTS) for weight in WEIGHTS]
    head = " | ".join(f"weight {weight}" for weight in WEIGHTS)
    lines = [f"| policy | {head} | largest error |", "|---" * 5 + "|"]
    lines.append("| *due* | " + " | ".join(f"{d:.1f} %" for d in due) + " | |")
    for policy in POLICIES:
        got = shares(policy)
        error = max(abs(g - d) for g, d in zip(got, due, strict=True))
        cells = " | ".join(f"{g:.1f} %" for g in got)
        lines.append(f"| `{policy}` | {cells} | {error:.1f} |")
    return "\n".join(lines) + "\n"


# -- latency ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a vCPU waits between its wake and its first instruction."""

    mean: float
    worst: float
    share: float


def latency(policy: str, hogs: int = 3, **schedule: int) -> Latency:
    """Measure a guest that sleeps 1 ms, and works for 20 us, beside hogs."""
    with machine(policy) as host:
        for _ in range(hogs):
            boot(host, HOG)
        vm = boot(host, sleeper(10_000, 1000), **schedule)
        woken, waits = None, []
        with host.watch(["wake", "run"]) as watch:
            run(host)
            for event in watch.events:
                if event.vm != vm.number:
                    continue
                if event.kind == hv.EventKind.WAKE:
                    woken = event.cycle
                elif woken is not None:
                    waits.append((event.cycle - woken) / US)
                    woken = None
        return Latency(
            sum(waits) / len(waits),
            max(waits),
            100 * vm.vcpus[0].charged / host.harts[0].cycles,
        )


def latencies() -> tuple[str, str]:
    """Return a table and a plot of how long the sleeper waits."""
    found = {policy: latency(policy) for policy in POLICIES}
    found["edf"] = latency("edf", budget=2500, period=10_000)
    lines = ["| policy | mean wait, µs | worst | its share |", "|---" * 4 + "|"]
    lines += [
        f"| `{name}` | {it.mean:.1f} | {it.worst:.1f} | {it.share:.1f} % |"
        for name, it in found.items()
    ]
    picture = bars(
        "From wake to first instruction, beside three hogs",
        list(found),
        [
            Series("mean", [it.mean for it in found.values()]),
            Series("worst", [it.worst for it in found.values()]),
        ],
        axis="µs",
    )
    return "\n".join(lines) + "\n", picture


# -- theft ------------------------------------------------------------------


def theft(policy: str) -> tuple[float, float]:
    """Return the percent that a thief and an honest hog of one hart get."""
    with machine(policy) as host:
        hog = boot(host, HOG)
        thief = host.create(mem="8MiB")
        thief.load(find("theft"))
        thief.boot()
        run(host)
        now = host.harts[0].cycles
        return (
            100 * thief.vcpus[0].charged / now,
            100 * hog.vcpus[0].charged / now,
        )


def thefts() -> tuple[str, str]:
    """Return a table and a plot of what the thief gets, who is due a half."""
    found = {policy: theft(policy) for policy in ("sampled", "credit", "fair")}
    lines = ["| policy | the thief gets | the hog gets |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {thief:.1f} % | {hog:.1f} % |"
        for name, (thief, hog) in found.items()
    ]
    picture = bars(
        "Thief and honest guest",
        list(found),
        [
            Series("the thief", [thief for thief, _ in found.values()]),
            Series("the other", [hog for _, hog in found.values()]),
        ],
        axis="% of the hart",
    )
    return "\n".join(lines) + "\n", picture


def generate(_: Sphinx) -> None:
    """Make everything, before the chapter is read."""
    OUT.mkdir(exist_ok=True)
    (OUT / "shares.md").write_text(share_table())
    gantt = OUT / "caps.svg"
    subprocess.run(
        [
            *(sys.executable, "-m", "hv", "gantt", "caps"),
            *("--to", "40ms", "--out", str(gantt)),
        ],
        check=True,
        capture_output=True,
    )
    for name, (table, picture) in (
        ("latency", latencies()),
        ("theft", thefts()),
    ):
        (OUT / f"{name}.md").write_text(table)
        (OUT / f"{name}.svg").write_text(picture)


def setup(app: Sphinx) -> dict[str, object]:
    """Tell Sphinx."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
