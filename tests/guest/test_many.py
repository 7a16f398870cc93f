"""Many VMs in one process: they end well, and nothing is left over."""

import pytest

import hv
from hv import images
from tests.guest.conftest import Outcome, run

STYLES = tuple(style.value for style in hv.Style)


def start(hypervisor: hv.Hypervisor, style: str, append: str) -> hv.VM:
    """Boot one more kernel of this style."""
    vm = hypervisor.create(style=style, mem="12MiB", shadow_frames=16)
    vm.load(images.kernel(style), append=append)
    vm.boot()
    return vm


def test_64_vms_run_to_completion() -> None:
    alone = {style: run(style, append="run=ping") for style in STYLES}
    with hv.Hypervisor(ram="1GiB", slice=2000) as hypervisor:
        empty = hypervisor.info
        vms = [
            start(hypervisor, style, "run=ping")
            for _ in range(-(-64 // len(STYLES)))
            for style in STYLES
        ]
        hypervisor.run()
        hypervisor.audit()
        assert {vm.exit_code for vm in vms} == {0}
        for vm in vms:
            assert vm.info.style is not None
            expected = alone[vm.info.style.value].programs
            assert Outcome(vm.console.text, 0, 0).programs == expected
            vm.destroy()
        hypervisor.audit()
        after = hypervisor.info
    assert after.frames_free == empty.frames_free == empty.frames
    assert after.frames_hyp == after.frames_reserved == after.vms == 0


@pytest.mark.parametrize("style", STYLES)
def test_the_audit_holds_at_every_exit(style: str) -> None:
    with hv.Hypervisor(ram="16MiB", audit=True, slice=200) as hypervisor:
        vm = start(hypervisor, style, "run=ping quiet")
        neighbour = start_small(hypervisor)
        hypervisor.run(150_000)
        assert vm.counters["exits"] > 40
        assert neighbour.counters["exits"] > 0


def start_small(hypervisor: hv.Hypervisor) -> hv.VM:
    """Boot a VM of one loop beside it."""
    vm = hypervisor.create(style="emulate", mem="1MiB", shadow_frames=4)
    vm.mem.write(vm.mem.base, (0x0000006F).to_bytes(4, "little"))
    vm.boot(vm.mem.base)
    return vm


def test_a_thousand_lives_leave_nothing_behind() -> None:
    with hv.Hypervisor(ram="16MiB") as hypervisor:
        empty = hypervisor.info
        for _ in range(1000):
            vm = start_small(hypervisor)
            hypervisor.run(50)
            vm.destroy()
        hypervisor.audit()
        assert hypervisor.info.frames_free == empty.frames_free
        assert hypervisor.info.vms == 0
