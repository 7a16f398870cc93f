"""What a comparison found: what each run took, as tables, chart and JSON.

:mod:`hv.workloads` makes these records. The first run of each workload is the
bare machine's, the reference for all others: what the processes print must be
the same, and cycles are shown in proportion to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hv import svg
from hv.cli.table import count, table
from hv.counters import Counters
from hv.errors import HvError

BIG = 4  # reasons for exits that the text names; JSON has them all

# Columns for what shadowed VMs count, shown where there is something to show.
_SHADOWS = {
    "fills": "shadow_fills",
    "syncs": "shadow_syncs",
    "drops": "shadow_drops",
    "evicted": "shadow_evictions",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a workload took, and what its processes printed.

    :param way: the name of the :class:`hv.workloads.Way`.
    :param insns: instructions that the guest executed.
    :param cycles: cycles, those that the hypervisor worked for it included.
    :param counters: what the hypervisor counted; empty on the bare machine.
    :param hart: what the machine counted.
    :param output: the lines of each process, by ``"pid name"``.
    :param ending: why the guest did not end with success; else empty.
    """

    image: str
    style: str
    way: str
    workload: str
    insns: int
    cycles: int
    counters: Counters
    hart: Counters
    output: Mapping[str, tuple[str, ...]]
    ending: str

    @property
    def exits(self) -> dict[str, int]:
        """The exits by reason, most frequent first."""
        return self.counters.exits_by_reason

    @property
    def misses(self) -> int:
        """TLB misses of all kinds of access."""
        return self.hart.misses

    @property
    def refs_per_miss(self) -> float:
        """Page-table entries that the machine read for a TLB miss."""
        return self.hart.refs_per_miss


@dataclass(frozen=True, slots=True)
class Comparison:
    """One workload in every way; the first run is the bare machine's.

    :param what: what the workload does, in a few words.
    """

    workload: str
    what: str
    runs: tuple[Run, ...]

    @property
    def bare(self) -> Run:
        """The reference."""
        return self.runs[0]

    def ratio(self, run: Run) -> float:
        """Return how many times the bare machine's cycles a run took."""
        return run.cycles / self.bare.cycles

    @property
    def differences(self) -> tuple[str, ...]:
        """What did not come out as on the bare machine, a sentence each."""
        return tuple(
            text for run in self.runs if (text := _difference(self.bare, run))
        )

    @property
    def text(self) -> str:
        """A table for people, and below it the reasons for exits."""
        columns = {
            title: counter
            for title, counter in _SHADOWS.items()
            if any(run.counters.get(counter) for run in self.runs)
        }
        head = ("", "insns", "cycles", "ratio", "exits", "misses", "refs/miss")
        rows = [
            (
                run.way,
                count(run.insns),
                count(run.cycles),
                f"{self.ratio(run):.2f}",
                _cell(run, "exits"),
                count(run.misses),
                f"{run.refs_per_miss:.2f}",
                *(_cell(run, counter) for counter in columns.values()),
            )
            for run in self.runs
        ]
        reasons = [
            (f"  {run.way}:", _big(run.exits)) for run in self.runs if run.exits
        ]
        return "\n".join(
            [
                f"{self.workload}: {self.what}",
                table((*head, *columns), rows),
                *(["exits"] * bool(reasons)),
                *([table(("", ""), reasons, right=())] * bool(reasons)),
            ]
        )

    def __str__(self) -> str:
        """Return :attr:`text`."""
        return self.text


@dataclass(frozen=True, slots=True)
class Report:
    """All workloads that were compared."""

    comparisons: tuple[Comparison, ...]

    @property
    def differences(self) -> tuple[str, ...]:
        """What did not come out as on the bare machine, a sentence each."""
        return tuple(d for c in self.comparisons for d in c.differences)

    def check(self) -> None:
        """Raise if something did not come out as on the bare machine.

        :raises HvError: naming what did not, and where.
        """
        if found := self.differences:
            raise HvError("; ".join(found))

    @property
    def text(self) -> str:
        """Tables for people."""
        return "\n\n".join(c.text for c in self.comparisons)

    @property
    def ways(self) -> tuple[str, ...]:
        """The names of all ways, the bare machine first."""
        names = (run.way for c in self.comparisons for run in c.runs)
        return tuple(dict.fromkeys(names))

    @property
    def ratios(self) -> str:
        """One table for people: cycles in proportion to bare."""
        rows = [
            (c.workload, *(_or_dash(_ratio_of(c, way)) for way in self.ways))
            for c in self.comparisons
        ]
        return table(("", *self.ways), rows)

    @property
    def svg(self) -> str:
        """A chart: cycles in proportion to bare, by workload and way."""
        series = [
            svg.Series(way, [_ratio_of(c, way) for c in self.comparisons])
            for way in self.ways
        ]
        return svg.bars(
            "Cycles in proportion to the bare machine",
            [c.workload for c in self.comparisons],
            series,
            axis="ratio to bare",
            mark=1.0,
        )

    def _repr_svg_(self) -> str:
        """Return the chart: what a notebook shows."""
        return self.svg

    def __str__(self) -> str:
        """Return :attr:`text`."""
        return self.text

    def to_json(self) -> dict[str, object]:
        """Return everything, as what ``json.dumps`` takes."""
        return {
            "workloads": [
                {
                    "workload": c.workload,
                    "runs": [_run_to_json(c, run) for run in c.runs],
                }
                for c in self.comparisons
            ],
            "differences": list(self.differences),
        }


def _cell(run: Run, counter: str) -> str:
    return count(run.counters[counter]) if counter in run.counters else "-"


def _big(exits: Mapping[str, int]) -> str:
    """Return the most frequent reasons in words, and how many others.

    >>> _big({"shadow": 2000, "csr": 9})
    'shadow 2,000, csr 9'
    """
    named = [f"{reason} {count(n)}" for reason, n in list(exits.items())[:BIG]]
    rest = sum(list(exits.values())[BIG:])
    return ", ".join(named) + f", others {count(rest)}" * bool(rest)


def _or_dash(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _ratio_of(comparison: Comparison, way: str) -> float | None:
    for run in comparison.runs:
        if run.way == way:
            return comparison.ratio(run)
    return None


def _difference(bare: Run, run: Run) -> str:
    """Return what of a run is not as on the bare machine; empty for nothing."""
    where = f"{run.workload} in {run.way}"
    if run.ending:
        return f"{where}: {run.ending}"
    for process in {**bare.output, **run.output}:
        there = bare.output.get(process, ())
        here = run.output.get(process, ())
        for i in range(max(len(there), len(here))):
            lines = [
                repr(t[i]) if i < len(t) else "no more" for t in (here, there)
            ]
            if lines[0] != lines[1]:
                return (
                    f"{where}: [{process}] printed {lines[0]}, "
                    f"on the bare machine {lines[1]}"
                )
    return ""


def _run_to_json(comparison: Comparison, run: Run) -> dict[str, object]:
    return {
        "image": run.image,
        "style": run.style,
        "way": run.way,
        "insns": run.insns,
        "cycles": run.cycles,
        "ratio": comparison.ratio(run),
        "exits": run.exits,
        "misses": run.misses,
        "counters": dict(run.counters),
        "hart": dict(run.hart),
        "output": {k: list(v) for k, v in run.output.items()},
        "ending": run.ending,
    }
