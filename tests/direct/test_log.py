"""Stores of a VM of style ``direct`` are logged, on shadows of its tables."""

import random
from functools import cache

import pytest

import hv
from hv import images
from tests.guest.conftest import lines_by_program

PAGE = 4096
WORK = ("storm", "churn", "mixed")
STEP = 60_000


def boot(hypervisor: hv.Hypervisor, workload: str, pool: int = 16) -> hv.VM:
    vm = hypervisor.create(style="direct", mem="8MiB", shadow_frames=pool)
    vm.load(images.kernel("direct"), append=f"quiet run={workload}")
    vm.boot()
    return vm


@cache
def unlogged(workload: str) -> dict[str, list[str]]:
    """Return what its programs print if nothing is logged."""
    with hv.Hypervisor(ram="16MiB", engine="fast") as hypervisor:
        vm = boot(hypervisor, workload)
        vm.run_until("halt")
        vm.check()
        return lines_by_program(vm.console.text)


class Log:
    """A log of a VM, and what was in its memory when that began."""

    def __init__(self, vm: hv.VM) -> None:
        self.vm = vm
        self.before = self._memory()
        vm.start_log()

    def _memory(self) -> bytes:
        return self.vm.mem.read(self.vm.mem.base, 8 << 20)

    def fetch(self) -> int:
        """Expect that all that has changed is named; return how much is."""
        first = self.vm.mem.base // PAGE
        named = {gfn - first for gfn in self.vm.fetch_log()}
        now = self._memory()
        for n in range(len(now) // PAGE):
            page = slice(n * PAGE, (n + 1) * PAGE)
            assert n in named or now[page] == self.before[page], hex(first + n)
        self.before = now
        return len(named)


@pytest.mark.parametrize("workload", WORK)
def test_what_was_there_and_what_is_named_is_what_is_there(
    workload: str,
) -> None:
    dice, log, named = random.Random(workload), None, []
    with hv.Hypervisor(ram="16MiB", engine="fast") as hypervisor:
        vm = boot(hypervisor, workload, pool=dice.choice([5, 6]))
        hypervisor.run(dice.randrange(600_000))
        while not vm.state.ended:
            if log is None:
                log = Log(vm)
            hypervisor.run(dice.randrange(1, STEP))
            hypervisor.audit()
            named.append(log.fetch())
            if dice.random() < 0.3:
                vm.stop_log()
                log = None
                hypervisor.run(dice.randrange(1, STEP))
                hypervisor.audit()
        vm.check()
        assert vm.counters["shadow_evictions"] > 0
        assert min(named) < max(named) < 1000  # of 2048
        assert lines_by_program(vm.console.text) == unlogged(workload)


@pytest.mark.parametrize("workload", ["shoot", "locks"])
def test_on_several_harts(workload: str) -> None:
    dice, ends = random.Random(workload), []
    for logged in (False, True):
        with hv.Hypervisor(ram="24MiB", harts=3, engine="fast") as hypervisor:
            vm = hypervisor.create(
                style="direct", mem="8MiB", vcpus=3, shadow_frames=12
            )
            vm.load(images.kernel("direct"), append=f"quiet run={workload}")
            vm.boot()
            while not vm.state.ended:
                log = Log(vm) if logged else None
                hypervisor.run(dice.randrange(1, 20 * STEP))
                if log:
                    log.fetch()
                    vm.stop_log()
                hypervisor.run(dice.randrange(1, 20 * STEP))
                hypervisor.audit()
            vm.check()
            ends.append(lines_by_program(vm.console.text))
    assert ends[0] == ends[1]


def test_the_audit_holds_at_every_exit() -> None:
    with hv.Hypervisor(ram="16MiB", audit=True) as hypervisor:
        vm = boot(hypervisor, "forks")
        while not vm.state.ended:
            vm.run(max_insns=300_000)
            vm.start_log()
            vm.run(max_insns=300_000)
            vm.stop_log()
        assert vm.counters["dirtied"] > 100


def test_shadows_are_there_only_while_it_is_logged() -> None:
    with hv.Hypervisor(ram="32MiB", engine="fast") as hypervisor:
        free = hypervisor.info.frames_free
        vm = boot(hypervisor, "storm")
        vm.run(max_insns=1_000_000)
        own = vm.real(0).root
        assert own is not None
        assert vm.real(0).satp & 0x3F_FFFF == own
        vm.start_log()
        assert vm.real(0).satp & 0x3F_FFFF != own
        vm.run(max_insns=200_000)
        assert vm.info.shadow_frames > 4
        vm.stop_log()
        assert vm.info.shadow_frames == 0
        assert vm.real(0).shadow is None
        vm.start_log()
        vm.run(max_insns=200_000)
        vm.destroy()  # in the midst of it
        hypervisor.audit()
        assert hypervisor.info.frames_free == free
