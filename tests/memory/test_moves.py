"""A guest is moved between styles and policies as it runs, and cannot tell."""

import os
import random

import pytest

import hv
from hv import images
from hv.workloads import WORKLOADS
from tests.guest.conftest import lines_by_program

STYLES = [
    style for style in images.find("kernel-native").styles if style != "bare"
]
# Sanitizers learn nothing more from the others.
WORK = ["storm"] if os.environ.get("HV_SANITIZED") else list(WORKLOADS)
SYNCS = ["lazy", "trace", "trace-strict"]
STEP = 10_000


def boot(guest: hv.Guest, workload: str, image: str) -> None:
    guest.load(images.find(image).path, append=f"quiet run={workload}")
    guest.boot()


def running(hypervisor: hv.Hypervisor, vm: hv.VM, dice: random.Random) -> bool:
    """Go on for a while; say whether the guest has not ended."""
    hypervisor.run(dice.randrange(1, STEP))
    return not vm.state.ended


def bare(workload: str) -> dict[str, list[str]]:
    with hv.Machine(ram="16MiB", engine="fast") as machine:
        boot(machine, workload, "kernel-native")
        machine.run_until("halt")
        machine.check()
        return lines_by_program(machine.console.text)


@pytest.mark.parametrize("workload", [*WORK, "sieve,forks,ping"])
def test_a_native_kernel_moves_at_random(workload: str) -> None:
    dice = random.Random(workload)
    moves = set()
    with hv.Hypervisor(ram="32MiB", engine="fast") as hypervisor:
        vm = hypervisor.create(shadow_frames=16)
        boot(vm, workload, "kernel-native")
        while running(hypervisor, vm, dice):
            if dice.random() < 0.5:
                vm.change_style(dice.choice(STYLES))
            else:
                vm.change_sync(dice.choice(SYNCS))
            moves.add((vm.info.style, vm.info.sync))
        vm.check()
        hypervisor.audit()
        assert lines_by_program(vm.console.text) == bare(workload)
    assert len(moves) == len(STYLES) * len(SYNCS)


@pytest.mark.parametrize("workload", WORK)
def test_a_pv_kernel_may_be_followed_in_any_way(workload: str) -> None:
    dice = random.Random(workload)
    with hv.Hypervisor(ram="32MiB", engine="fast") as hypervisor:
        vm = hypervisor.create(style="pv", shadow_frames=16)
        boot(vm, workload, "kernel-pv")
        while running(hypervisor, vm, dice):
            vm.change_sync(dice.choice([*SYNCS, "told"]))
        vm.check()
        hypervisor.audit()
        assert lines_by_program(vm.console.text) == bare(workload)


def test_moves_that_cannot_be() -> None:
    with hv.Hypervisor() as hypervisor:
        native, pv = hypervisor.create(), hypervisor.create(style="pv")
        for vm, style in ((native, "pv"), (pv, "assist")):
            with pytest.raises(hv.UsageError, match="not possible"):
                vm.change_style(style)
        with pytest.raises(hv.UsageError, match="not possible"):
            native.change_sync("told")
        with pytest.raises(hv.UsageError, match="told"):
            hypervisor.create(sync="told")
        with pytest.raises(hv.UsageError, match="there are: default, lazy"):
            native.change_sync("trac")
        assert (native.info.style, native.info.sync) == ("emulate", "lazy")
        assert (pv.info.style, pv.info.sync) == ("pv", "told")
        native.change_sync("default")
        assert native.info.sync == "lazy"
