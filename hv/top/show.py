"""The figures of `hv top` as lines: like xentop's, for people and programs."""

from collections.abc import Callable, Iterator, Sequence

from hv.cli.table import table
from hv.top.sample import Sample, Usage, usage

# xentop's columns, then ours; those of its devices are not here, because there
# are none to count.
COLUMNS: dict[str, Callable[[Usage], str]] = {
    "NAME": lambda u: u.name,
    "STATE": lambda u: u.state,
    "CPU(sec)": lambda u: f"{u.cpu_seconds:.4f}",
    "CPU(%)": lambda u: f"{u.cpu:.1f}",
    "MEM(k)": lambda u: f"{u.memory // 1024}",
    "MEM(%)": lambda u: f"{u.memory_percent:.1f}",
    "MAXMEM(k)": lambda u: f"{u.max_memory // 1024}",
    "MAXMEM(%)": lambda u: f"{u.max_memory_percent:.1f}",
    "VCPUS": lambda u: f"{u.vcpus}",
    "EXITS/s": lambda u: f"{u.exits:.0f}",
    "SHADOWFLT/s": lambda u: f"{u.shadow_faults:.0f}",
    "HCALL/s": lambda u: f"{u.hypercalls:.0f}",
    "STEAL(%)": lambda u: f"{u.steal:.1f}",
}

_LETTERS = {
    "r": "running",
    "b": "blocked",
    "p": "paused",
    "c": "crashed",
    "d": "dying",
    "s": "shutdown",
}


def cells(before: Sample, after: Sample) -> list[tuple[str, ...]]:
    """Return the table's rows as text."""
    return [
        tuple(show(row) for show in COLUMNS.values())
        for row in usage(before, after)
    ]


def summary(before: Sample, after: Sample) -> list[str]:
    """Return the lines above the table: the host as a whole."""
    states = "".join(vm.state for vm in after.vms.values())
    counted = ", ".join(
        f"{states.count(letter)} {word}" for letter, word in _LETTERS.items()
    )
    total = max(
        *(1, sum(_spent(after, of) - _spent(before, of) for of in _BOOKS))
    )
    books = ", ".join(
        f"{of} {100 * (_spent(after, of) - _spent(before, of)) / total:.1f}%"
        for of in _BOOKS
    )
    kib = [
        size // 1024
        for size in (after.memory, after.memory - after.free, after.free)
    ]
    return [
        f"hv top - {after.seconds:.4f} s of machine time, {after.policy}",
        f"{len(after.vms)} domains: {counted}",
        f"Mem: {kib[0]}k total, {kib[1]}k used, {kib[2]}k free",
        f"Harts: {after.harts}: {books}",
    ]


_BOOKS = ("guest", "hypervisor", "idle")


def _spent(sample: Sample, book: str) -> int:
    value: int = getattr(sample, book)
    return value


def text_lines(before: Sample, after: Sample) -> Iterator[str]:
    """Return a screen: the host, and a row for each VM."""
    yield from summary(before, after)
    head, rows = tuple(COLUMNS), cells(before, after)
    yield from table(head, rows, right=range(2, len(head))).splitlines()


def csv_lines(
    before: Sample, after: Sample, *, head: bool
) -> Iterator[Sequence[str]]:
    """Return rows for a CSV file: the time, then the columns.

    :param head: whether the names of the columns come first.
    """
    if head:
        yield ("TIME(sec)", *COLUMNS)
    for row in cells(before, after):
        yield (f"{after.seconds:.6f}", *row)
