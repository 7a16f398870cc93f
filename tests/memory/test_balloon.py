"""The paravirtual kernel's balloon: it reaches its target, or says why not."""

import pytest

import hv
from hv import images

pytestmark = pytest.mark.images

MIB = 1 << 20
WORK = "run=sieve,crc,ping,sieve,crc"


def boot(
    hypervisor: hv.Hypervisor, style: str = "pv", append: str = WORK
) -> hv.VM:
    name = "kernel-pv" if style in ("pv", "direct") else "kernel-native"
    vm = hypervisor.create(style=style, mem="16MiB")
    vm.load(images.find(name).path, append=append)
    vm.boot()
    return vm


def printed(vm: hv.VM) -> list[str]:
    """What the programs say; in whatever order; the kernel counts ticks."""
    return sorted(x for x in vm.console.text.splitlines() if x[:1] == "[")


def reach(hypervisor: hv.Hypervisor, vm: hv.VM) -> hv.Balloon:
    """Run until the balloon has settled, or its guest has ended."""
    for _ in range(40):
        hypervisor.run(200_000)
        if vm.state.ended or vm.balloon.actual == vm.balloon.target:
            break
    return vm.balloon


def test_it_goes_down_and_up_again() -> None:
    with hv.Hypervisor(ram="32MiB", engine="fast") as hypervisor:
        vm = boot(hypervisor)
        free = hypervisor.info.frames_free - hypervisor.info.frames_reserved
        assert vm.balloon == hv.Balloon(
            *(16 * MIB, 16 * MIB, 16 * MIB), hv.BalloonState.REACHED
        )
        vm.set_balloon(13 * MIB)
        assert vm.balloon.state is hv.BalloonState.NO_DRIVER  # not booted yet
        done = reach(hypervisor, vm)
        assert (done.actual, done.state) == (13 * MIB, "reached")
        info = hypervisor.info
        assert info.frames_free - info.frames_reserved == free + 3 * 256
        hypervisor.audit()
        vm.set_balloon("15MiB")
        assert reach(hypervisor, vm).actual == 15 * MIB
        vm.run_until("halt")
        assert "no page lost" in vm.console.text
        hypervisor.audit()


def test_what_a_guest_gave_back_another_can_have() -> None:
    with hv.Hypervisor(ram="30MiB", engine="fast") as hypervisor:
        first = boot(hypervisor)
        with pytest.raises(hv.NoMemory):
            boot(hypervisor)
        hypervisor.run(500_000)
        first.set_balloon("13MiB")
        assert reach(hypervisor, first).actual == 13 * MIB
        second = boot(hypervisor)
        hypervisor.run()
        assert printed(first) == printed(second)
        hypervisor.audit()


def test_it_says_that_it_can_spare_no_more() -> None:
    with hv.Hypervisor(ram="32MiB", engine="fast") as hypervisor:
        vm = boot(hypervisor, append="run=sieve,crc,sieve,crc,sieve,crc,ping")
        vm.set_balloon(4096)
        while vm.balloon.state is not hv.BalloonState.STUCK:
            assert not vm.state.ended
            hypervisor.run(200_000)
        assert 0 < vm.balloon.actual < 8 * MIB
        vm.run_until("halt")
        assert "sieve: checksum" in vm.console.text


@pytest.mark.parametrize("style", ["emulate", "nested"])
def test_a_kernel_that_does_not_know_has_no_driver(style: str) -> None:
    with hv.Hypervisor(ram="32MiB", engine="fast") as hypervisor:
        vm = boot(hypervisor, style)
        vm.set_balloon(8 * MIB)
        hypervisor.run(1_000_000)
        assert vm.balloon.actual == 16 * MIB
        assert vm.balloon.state is hv.BalloonState.NO_DRIVER


def test_frames_that_a_guest_knows_stay_where_they_are() -> None:
    with hv.Hypervisor(ram="32MiB", engine="fast") as hypervisor:
        vm = boot(hypervisor, "direct")
        with pytest.raises(hv.UsageError, match="no such thing"):
            vm.set_balloon(8 * MIB)
        hypervisor.run(1_000_000)
        assert hypervisor.share() == 0
        vm.run_until("halt")


@pytest.mark.parametrize("target", [0, 16 * MIB + 1, -1])
def test_a_target_must_be_possible(target: int) -> None:
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create(style="pv", mem="16MiB")
        with pytest.raises(hv.UsageError):
            vm.set_balloon(target)
