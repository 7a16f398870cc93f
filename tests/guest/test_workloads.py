"""The workloads of `hv compare`: the same output, and few hypercalls."""

from functools import cache

import pytest

import hv
from hv.workloads import WORKLOADS
from tests.guest.conftest import Outcome, kernel_for, run

APPEND = f"run={','.join(WORKLOADS)}"
BATCH = 64  # PV_PT_UPDATE_MAX


@pytest.fixture(scope="module")
def bare() -> Outcome:
    """All workloads side by side, on the bare machine."""
    return run("bare", append=APPEND)


def test_each_ends_well_and_says_its_checksum(bare: Outcome) -> None:
    assert bare.exit_code == 0
    assert set(bare.checksums) == {*WORKLOADS, "init"}
    assert "00000000" not in bare.checksums.values()


@pytest.mark.parametrize("engine", list(hv.Engine))
@pytest.mark.parametrize("style", ["bare", *hv.Style])
def test_they_print_the_same(style: str, engine: str, bare: Outcome) -> None:
    outcome = run(style, append=APPEND, engine=engine)
    assert outcome.exit_code == 0
    assert outcome.programs == bare.programs


@pytest.mark.parametrize("style", list(hv.Style))
def test_they_print_the_same_with_the_smallest_pool(
    style: str, bare: Outcome
) -> None:
    outcome = run(style, append=APPEND, engine="fast", shadow_frames=4)
    assert outcome.exit_code == 0
    assert outcome.programs == bare.programs


def test_twice_the_scale_is_another_sum(bare: Outcome) -> None:
    twice = run("bare", append=f"{APPEND} scale=2", engine="fast")
    assert twice.exit_code == 0
    for name in WORKLOADS:
        assert twice.checksums[name] != bare.checksums[name]


@pytest.mark.parametrize("mem", ["4736KiB", "4800KiB", "5MiB"])
@pytest.mark.parametrize("style", list(hv.Style))
def test_where_memory_runs_out_no_page_is_lost(style: str, mem: str) -> None:
    """What fails half-way is undone, though its entries were not told yet."""
    with hv.Hypervisor(engine="fast") as hypervisor:
        vm = hypervisor.create(style=style, mem=mem)
        vm.load(kernel_for(style), append=f"{APPEND},forks")
        vm.boot()
        vm.run(500_000_000)
        hypervisor.audit()
        assert vm.exit_code == 1, vm.console.text
        assert "no memory for 512 pages" in vm.console.text
        assert "no page lost" in vm.console.text


# -- how many hypercalls -----------------------------------------------------


@cache
def counted(workload: str, scale: int) -> hv.Counters:
    """What the hypervisor counted for a workload of the pv kernel."""
    with hv.Hypervisor(engine="fast") as hypervisor:
        vm = hypervisor.create(style="pv")
        append = f"quiet run={workload} scale={scale}"
        vm.load(kernel_for("pv"), append=append)
        vm.boot()
        vm.run_until("halt")
        return vm.counters


def assert_calls(workload: str, expected: int) -> None:
    """Check how many exits by hypercall one scale of a workload takes.

    Booting is in both runs and cancels out. What a tick takes (set the timer,
    return, perhaps hand over) depends on when it comes: at most four calls.
    """
    more = counted(workload, 2) - counted(workload, 1)
    ticks = 4 * more.injected_irqs
    assert expected <= more.exit_hypercall <= expected + ticks


def test_a_system_call_takes_one_hypercall_to_return() -> None:
    assert_calls("syscalls", 4000)


def test_a_round_of_flips_is_told_in_one_hypercall() -> None:
    """64 entries at a time; growing and shrinking the heap come on top."""
    rounds, grows = 120, 120 // 8
    told = rounds * (2 * 32 // BATCH) + 2 * grows
    returned = rounds + 3 * grows  # up, down, look
    assert_calls("churn", told + returned)


def test_a_process_comes_and_goes_in_few_hypercalls() -> None:
    """All of one change to a space, or of a space, is told in one call.

    A fork tells the copy; exec the new space, the switch to it, and the end of
    the old one; exit the switch and the end. Then there are returns, two from
    fork and one from exec and wait each, and handing the processor over.
    """
    fork, execute, end = 1, 3, 2
    returned, handed_over = 4, 2
    processes = 20
    each = fork + execute + end + returned + handed_over
    assert_calls("storm", processes * each)
