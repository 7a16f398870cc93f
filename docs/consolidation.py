"""A Sphinx extension: what the chapter on over-commit shows, out of a run.

Guests that mostly wait are put on one machine: how much memory they were
promised, how much they take, and how much is left of that once equal pages are
kept once and balloons are full. Then the same guests on ever smaller machines.
"""

from pathlib import Path

from sphinx.application import Sphinx

import hv
from hv.images import find
from hv.svg import Series, bars

OUT = Path(__file__).resolve().parent / "_generated"
PAGE = 4096
MIB = 1 << 20
GUESTS = (1, 2, 4, 6, 8)
MACHINES = ("16MiB", "4MiB", "3MiB", "2MiB")
WORK = "run=crc,ping,sieve"
EACH = "16MiB"


def boot(host: hv.Hypervisor, count: int) -> list[hv.VM]:
    """Make and boot so many paravirtual guests."""
    vms = []
    for _ in range(count):
        vm = host.create(style="pv", mem=EACH, shadow_frames=32)
        vm.load(find("kernel-pv").path, append=WORK)
        vm.boot()
        vms.append(vm)
    return vms


def used(host: hv.Hypervisor) -> float:
    """Return the MiB of machine memory that guests have."""
    info = host.info
    return (info.frames - info.frames_free - info.frames_hyp) * PAGE / MIB


def consolidate(count: int) -> tuple[float, float, float]:
    """Return MiB promised, used, and used after a scan, of so many guests."""
    with hv.Hypervisor(
        ram="64MiB", admission="overcommit", engine="fast"
    ) as host:
        vms = boot(host, count)
        host.run(count * 1_500_000)
        before = used(host)
        host.share()
        host.audit()
        promised = sum(vm.info.mem_size for vm in vms) / MIB
        return promised, before, used(host)


def squeeze(ram: str) -> str:
    """Run six guests on a machine of this size; return a row of the table."""
    with hv.Hypervisor(ram=ram, admission="overcommit", engine="fast") as host:
        vms = boot(host, 6)
        host.run()
        host.audit()
        ended = sum(vm.state is hv.State.OFF for vm in vms)

        def count(name: str) -> int:
            return sum(vm.counters[name] for vm in vms)

        return (
            f"| {ram} | {ended} | {host.info.killed} | {count('shared')} "
            f"| {count('ballooned')} | {count('starved')} "
            f"| {host.info.cycles / 1e6:.0f} |"
        )


def generate(_: Sphinx) -> None:
    """Make the figures before the chapter is read."""
    OUT.mkdir(exist_ok=True)
    runs = [consolidate(n) for n in GUESTS]
    picture = bars(
        "Memory of n guests of 16 MiB, after 1.5 million instructions each",
        [str(n) for n in GUESTS],
        [
            Series("used", [run[1] for run in runs]),
            Series("equal pages kept once", [run[2] for run in runs]),
        ],
        axis="MiB",
    )
    (OUT / "overcommit.svg").write_text(picture)
    rows = [
        f"| {n} | {promised:.0f} | {before:.2f} | {after:.2f} "
        f"| {promised / after:.0f} |"
        for n, (promised, before, after) in zip(GUESTS, runs, strict=True)
    ]
    head = (
        "| guests | promised, MiB | used | equal pages once | ratio |\n"
        "|---|---|---|---|---|\n"
    )
    (OUT / "overcommit.md").write_text(head + "\n".join(rows) + "\n")
    head = (
        "| machine | ended well | killed | pages merged | frames ballooned "
        "| waits | million cycles |\n|---|---|---|---|---|---|---|\n"
    )
    rows = [squeeze(ram) for ram in MACHINES]
    (OUT / "squeeze.md").write_text(head + "\n".join(rows) + "\n")


def setup(app: Sphinx) -> dict[str, object]:
    """Tell Sphinx."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
