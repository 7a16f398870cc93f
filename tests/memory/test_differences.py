"""The classical differences between the ways of virtualizing memory."""

import pytest

import hv
from hv.comparison import Run
from tests.equivalence.core import good_core
from tests.equivalence.lockstep import UNFENCED, Lockstep

STYLES = ["EMULATE", "ASSIST", "NESTED"]
SYNCS = ["LAZY", "TRACE", "TRACE_STRICT"]


@pytest.fixture(scope="module")
def runs() -> dict[tuple[str, str], Run]:
    report = hv.compare(workloads=["storm", "thrash", "syscalls"])
    assert not report.differences
    return {
        (comparison.workload, run.way): run
        for comparison in report.comparisons
        for run in comparison.runs
    }


def exits(run: Run) -> int:
    return run.counters["exits"]


def test_fork_storm(runs: dict[tuple[str, str], Run]) -> None:
    """Who tells in batches makes fewer exits, who need not tell none."""
    storm = {way: run for (work, way), run in runs.items() if work == "storm"}
    assert exits(storm["emulate"]) > exits(storm["pv"]) > exits(storm["nested"])
    tables = ("exit_shadow", "exit_hypercall", "exit_fence", "exit_fault")
    of_pv, of_nested = (
        sum(storm[way].counters.get(name, 0) for name in tables)
        for way in ("pv", "nested")
    )
    assert of_pv > of_nested == 0


def test_tlb_thrash(runs: dict[tuple[str, str], Run]) -> None:
    """Two stages cost four times the references of one, shadows none more."""
    refs = {
        way: run.hart["walk_refs"] / run.misses
        for (work, way), run in runs.items()
        if work == "thrash"
    }
    for way in ("emulate", "emulate/trace", "assist", "pv", "direct", "bare"):
        assert 1.9 < refs[way] <= 2, way
    assert 7.9 < refs["nested"] <= 8


def test_system_calls(runs: dict[tuple[str, str], Run]) -> None:
    """With the kernel in real S, or VS, they are nobody else's business."""
    calls = {
        way: run for (work, way), run in runs.items() if work == "syscalls"
    }
    for way in ("assist", "nested"):
        assert exits(calls[way]) < 1000 < exits(calls["pv"])
    assert exits(calls["emulate"]) > 5 * exits(calls["pv"])


@pytest.mark.nightly
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sync", SYNCS)
@pytest.mark.parametrize("flags", [0, UNFENCED])
def test_the_audit_holds_after_every_exit_of_many_programs(
    style: str, sync: str, flags: int
) -> None:
    """Eighteen times 5,600 programs: a hundred thousand in all."""
    lockstep = Lockstep(
        good_core(), style=style, sync=sync, flags=flags, audit=1
    )
    assert lockstep.run(20_000_000, 5600) is None
