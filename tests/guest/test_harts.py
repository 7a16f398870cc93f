"""The guest kernel on several harts prints what it prints on one."""

import re
from pathlib import Path

import pytest

import hv
from hv import images
from hv.workloads import PARALLEL
from tests.guest.conftest import WORK, Outcome, kernel_for, run
from tests.guest.kernels import BUGS, KernelBug

TOGETHER = f"run={','.join(PARALLEL)}"
LOCKS = "lockstat run=locks,storm"
SEEDS = range(1, 7)

# Harts of the machine, vCPUs of the VM.
FEWER_HARTS = [(1, 2), (1, 4), (2, 4)]
AS_MANY_HARTS = [(2, 2), (4, 4)]


@pytest.fixture(scope="module")
def one() -> Outcome:
    """What the workloads for several harts print on one."""
    return run("bare", TOGETHER)


def in_vm(
    style: str, harts: int, vcpus: int, append: str, **options: object
) -> Outcome:
    """Run the kernel made for a style with several vCPUs, to its end."""
    options = {"engine": "fast", "ram": "32MiB"} | options
    with hv.Hypervisor(harts=harts, **options) as hypervisor:  # type: ignore[arg-type]
        vm = hypervisor.create(style=style, vcpus=vcpus)
        vm.load(kernel_for(style), append=append)
        vm.boot()
        vm.run(1_000_000_000)
        hypervisor.audit()
        return Outcome(vm.console.text, vm.exit_code, hypervisor.hash())


def ticks(outcome: Outcome) -> int:
    """How long it took, in ticks of the kernel."""
    return int(re.findall(r"(\d+) ticks", outcome.text)[0])


def spins(outcome: Outcome) -> int:
    """How often locks were looked at in vain, of all ranks."""
    return sum(map(int, re.findall(r"spins (\d+)", outcome.text)))


def test_one_hart_ends_well(one: Outcome) -> None:
    assert one.exit_code == 0
    assert set(one.checksums) == {*PARALLEL, "init"}
    assert "harts" not in one.text


# -- the same output ---------------------------------------------------------


@pytest.mark.parametrize("harts", [2, 3, 4, 8])
def test_the_bare_machine_with_several_harts(
    harts: int, bare: Outcome, one: Outcome
) -> None:
    for append, expected in ((WORK, bare), (TOGETHER, one)):
        outcome = run("bare", append, harts=harts, engine="fast")
        assert outcome.exit_code == 0
        assert f"{harts} harts" in outcome.text
        assert outcome.programs == expected.programs
        assert "no page lost" in outcome.text


@pytest.mark.parametrize(("harts", "vcpus"), [*FEWER_HARTS, *AS_MANY_HARTS])
@pytest.mark.parametrize("style", list(hv.Style))
def test_a_vm_with_several_vcpus(
    style: str, harts: int, vcpus: int, bare: Outcome, one: Outcome
) -> None:
    for append, expected in ((WORK, bare), (TOGETHER, one)):
        outcome = in_vm(style, harts, vcpus, append)
        assert outcome.exit_code == 0
        assert outcome.programs == expected.programs
        assert "no page lost" in outcome.text


@pytest.mark.parametrize("style", list(hv.Style))
def test_as_many_vcpus_as_there_can_be(style: str, one: Outcome) -> None:
    outcome = in_vm(style, 2, 8, TOGETHER)
    assert (outcome.exit_code, outcome.programs) == (0, one.programs)


@pytest.mark.parametrize("quantum", [20, 300, 3000])
@pytest.mark.parametrize("seed", SEEDS)
def test_whichever_hart_wins_a_race(
    seed: int, quantum: int, one: Outcome
) -> None:
    outcome = run(
        "bare",
        TOGETHER,
        harts=4,
        engine="fast",
        quantum=quantum,
        interleave=seed,
    )
    assert (outcome.exit_code, outcome.programs) == (0, one.programs)


@pytest.mark.parametrize("style", ["bare", *hv.Style])
def test_the_same_run_twice_is_the_same_state(style: str) -> None:
    hashes = {
        run(style, TOGETHER, harts=2, engine="fast").state_hash
        if style == "bare"
        else in_vm(style, 2, 3, TOGETHER).state_hash
        for _ in range(2)
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("style", ["emulate", "pv"])
def test_both_engines_agree(style: str) -> None:
    outcomes = [
        in_vm(style, 2, 2, "run=shoot", engine=engine) for engine in hv.Engine
    ]
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("harts", [2, 4])
def test_m_mode_as_machine_code(harts: int, one: Outcome) -> None:
    """The firmware's own interrupts and waiting carry out the fences."""
    firmware = str(images.find("firmware").path)
    outcome = run("bare", TOGETHER, harts=harts, firmware=firmware)
    assert (outcome.exit_code, outcome.programs) == (0, one.programs)


# -- what they are for -------------------------------------------------------


@pytest.mark.parametrize("style", ["bare", *hv.Style])
def test_four_harts_take_less_than_half_the_time(style: str) -> None:
    append = "run=parallel scale=4"
    if style == "bare":
        alone = run(style, append, engine="fast")
        four = run(style, append, engine="fast", harts=4)
    else:
        alone = in_vm(style, 1, 1, append)
        four = in_vm(style, 4, 4, append)
    assert four.programs == alone.programs
    assert 2 * ticks(four) < ticks(alone)


@pytest.mark.parametrize("style", ["pv", "direct"])
@pytest.mark.parametrize("harts", [1, 2])
def test_a_waiting_vcpu_that_sleeps_spins_less(style: str, harts: int) -> None:
    """More vCPUs than harts, and tickets: who waits, waits for a slice."""
    append = f"{LOCKS} scale=2"  # long enough for many to be preempted
    spun = {
        pvlocks: spins(in_vm(style, harts, 4, f"{append} pvlocks={pvlocks}"))
        for pvlocks in (0, 1)
    }
    assert 4 * spun[1] < spun[0]


def test_two_cures_for_preempted_lock_holders() -> None:
    """Two VMs that want four harts each: who has the lock may not run."""

    def spun(append: str, *, gang: bool) -> int:
        with hv.Hypervisor(harts=4) as host:
            for _ in range(2):
                vm = host.create(style="pv", vcpus=4, gang=gang)
                vm.load(kernel_for("pv"), append=f"{LOCKS} scale=2 {append}")
                vm.boot()
            host.run()
            texts = [vm.console.text for vm in host.vms]
        assert all("0 failed" in text for text in texts)
        found = re.findall(r"spins (\d+)", "".join(texts))
        return sum(map(int, found))

    spinning = spun("pvlocks=0", gang=False)
    assert 10 * spun("pvlocks=1", gang=False) < spinning
    assert 10 * spun("pvlocks=0", gang=True) < spinning


def test_one_hart_waits_for_no_lock() -> None:
    outcome = run("bare", LOCKS)
    assert "kernel: lock tally: taken" in outcome.text
    assert spins(outcome) == 0


# -- bugs that only several harts show -----------------------------------------


INTERLEAVINGS = [
    (5000, 0),
    *((20, seed) for seed in SEEDS),
    *((3000, seed) for seed in SEEDS),
]


def printed(kernel: Path, workload: str, quantum: int, seed: int) -> str:
    """What a kernel prints on a bare machine of four harts."""
    with hv.Machine(
        engine="fast", harts=4, quantum=quantum, interleave=seed
    ) as machine:
        machine.load(kernel, append=f"run={workload}")
        machine.boot()
        machine.run(50_000_000)
        return machine.console.text


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_of_the_kernel_shows(bug: KernelBug) -> None:
    bad, good = bug.build(), images.find("kernel-native").path
    for how in INTERLEAVINGS:
        if bug.shows in printed(bad, bug.workload, *how):
            assert bug.shows not in printed(good, bug.workload, *how)
            return
    pytest.fail(f"{bug.name} shows in no interleaving")
