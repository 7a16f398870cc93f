"""A Sphinx extension: what the chapters on virtual memory show, made by hv.

Before the book is read, it writes pictures of :mod:`hv.views` and tables of
counts into ``_generated/``, which chapters include.
"""

from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

import hv
from hv.counters import meanings
from hv.images import find
from hv.views.compared import Sync

OUT = Path(__file__).resolve().parent / "_generated"
MOMENT = "schedule"  # the kernel has just turned on translation


def write(name: str, text: str) -> None:
    """Write a file that a chapter includes."""
    (OUT / name).write_text(text if text.endswith("\n") else f"{text}\n")


def booted(host: hv.Hypervisor, image: str, style: str, sync: str) -> hv.VM:
    """Return a VM that has an image booted."""
    vm = host.create(name=image, style=style, sync=sync)
    vm.load(find(image))
    vm.boot()
    return vm


def come_to(vm: hv.VM, symbol: str) -> None:
    """Run a guest until its pc is there."""
    vm.breakpoints.add(symbol)
    vm.run_until("break")


def walks() -> None:
    """Draw a way that the machine knows, one it does not, and two stages."""
    for style in ("emulate", "nested"):
        with hv.Hypervisor(engine="fast") as host:
            vm = booted(host, "kernel-native", style, "default")
            come_to(vm, MOMENT)
            found = hv.walk(vm, vm.cpu[0].pc, "fetch")
            write(f"walk-{style}.svg", found.svg)
            if style != "emulate":
                continue
            write("walk.txt", found.text)
            rows = hv.page_table(vm).rows
            gap = next(
                row.gva
                for row in rows
                if row.cells and row.cells[0].state is Sync.MISSING
            )
            write("walk-missing.svg", hv.walk(vm, gap).svg)


def tables() -> None:
    """Draw a page table beside its shadow, where tables are traced."""
    with hv.Hypervisor(engine="fast") as host:
        vm = booted(host, "kernel-native", "emulate", "trace")
        come_to(vm, MOMENT)
        write("pt.svg", hv.page_table(vm).svg)


def frames() -> None:
    """Draw who owns the frames of a machine with two guests."""
    with hv.Hypervisor(ram="40MiB", engine="fast") as host:
        booted(host, "kernel-native", "emulate", "trace")
        booted(host, "kernel-pv", "pv", "told")
        host.run(2_000_000)
        write("frames.svg", hv.frame_map(host).svg)


def comparisons() -> None:
    """Compare the policies, and `assist` with `emulate`."""
    for name, styles, work in (
        ("policies.txt", ["emulate"], ["storm", "churn"]),
        ("assist.txt", ["emulate", "assist"], ["syscalls", "storm"]),
    ):
        ways = ["bare", *_ways(styles, policies=name == "policies.txt")]
        report = hv.compare(
            ["kernel-native"], styles=ways, workloads=work, engine="fast"
        )
        report.check()
        write(name, report.text)


def _ways(styles: list[str], *, policies: bool) -> Iterator[str]:
    """Yield the names of ways to run: styles, and those with policies."""
    for style in styles:
        yield style
        if policies:
            yield f"{style}/trace"
            yield f"{style}/strict"


def counters() -> None:
    """List what is counted, in the core's own words."""
    for title, of in (
        ("Of a VM", meanings("vm")),
        ("Of a hart", meanings("hart")),
    ):
        rows = "\n".join(f"| `{name}` | {doc} |" for name, doc in of.items())
        name = title.split()[-1].lower()
        write(
            f"counters-{name}.md", f"| {title} | counts |\n|---|---|\n{rows}\n"
        )


def generate(_: Sphinx) -> None:
    """Make everything, before a chapter is read."""
    OUT.mkdir(exist_ok=True)
    for part in (walks, tables, frames, comparisons, counters):
        part()


def setup(app: Sphinx) -> dict[str, object]:
    """Tell Sphinx."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
