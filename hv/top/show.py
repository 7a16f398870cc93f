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

# What a narrow terminal does without, first to last.
_DISPENSABLE = (
    *("MAXMEM(%)", "MEM(%)", "HCALL/s", "SHADOWFLT/s", "MAXMEM(k)"),
    *("CPU(sec)", "VCPUS", "MEM(k)", "EXITS/s"),
)

_LETTERS = {
    "r": "running",
    "b": "blocked",
    "p": "paused",
    "c": "crashed",
    "d": "dying",
    "s": "shutdown",
}


def cells(
    before: Sample, after: Sample, columns: Sequence[str] = tuple(COLUMNS)
) -> list[tuple[str, ...]]:
    """Return the table's rows as text."""
    return [
        tuple(COLUMNS[name](row) for name in columns)
        for row in usage(before, after)
    ]


def rows(before: Sample, after: Sample, width: int | None = None) -> list[str]:
    """Return the table's lines, its head first.

    :param width: leave out columns until it fits; None is all of them.
    """
    columns = list(COLUMNS)
    dispensable = list(_DISPENSABLE)
    while True:
        lines = table(
            columns,
            cells(before, after, columns),
            right=range(2, len(columns)),
        ).splitlines()
        fits = width is None or max(map(len, lines)) <= width
        if fits or not dispensable:
            return lines
        columns.remove(dispensable.pop(0))


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
    yield from rows(before, after)


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
