"""Marks from Python: what C puts back, and what Python knows beside it."""

import pytest

import hv
from hv import images
from tests.control import programs as p
from tests.control.elfs import words
from tests.machine import asm

RAM = 0x8000_0000
STYLES = ("emulate", "pv", "assist", "nested", "direct")


def kernel(style: str) -> images.Image:
    """Return the guest kernel for a style."""
    pv = style in ("pv", "direct")
    return images.find("kernel-pv" if pv else "kernel-native")


def test_what_python_knows_is_put_back() -> None:
    with hv.Hypervisor(ram="8MiB") as hypervisor:
        first = hypervisor.create(name="first", mem="64KiB")
        first.mem.write(RAM, words([*p.say("ab"), *p.SPIN]))
        first.boot(RAM)
        first.breakpoints.add(RAM + 4)
        first.run()
        mark = hypervisor.mark()
        before = hypervisor.hash()

        first.breakpoints.clear()
        first.breakpoints.add(RAM + 0x100)
        first.run(100)
        first.console.send("later")
        assert first.console.text == "ab"
        second = hypervisor.create(name="second", mem="64KiB")
        first.destroy()
        assert hypervisor.vms == (second,)

        mark.reset()
        assert hypervisor.vms == (first,)
        assert hypervisor.hash() == before
        assert first.console.text == ""
        assert not first.console.outbox
        assert list(first.breakpoints) == [RAM + 4]
        with pytest.raises(hv.ClosedError):
            second.boot(RAM)
        third = hypervisor.create(name="second", mem="64KiB")
        assert third.number == second.number
        first.run(100)
        assert first.console.text == "ab"


def test_a_mark_that_is_gone() -> None:
    with hv.Machine(ram="64KiB") as machine:
        mark, later = machine.mark(), machine.mark()
        mark.reset()
        with pytest.raises(hv.UsageError, match="mark 2"):
            later.reset()
        with mark:
            pass
        with pytest.raises(hv.UsageError, match="mark 1"):
            mark.drop()
        with pytest.raises(hv.UsageError, match="asking what was written"):
            machine.written()
    with pytest.raises(hv.ClosedError):
        mark.reset()
    with mark:  # whatever became of the machine
        pass


def test_a_watch_is_not_begun_or_ended_by_a_reset() -> None:
    with hv.Hypervisor(ram="1MiB") as hypervisor:
        mark = hypervisor.mark()
        with (
            hypervisor.watch(),
            pytest.raises(hv.UsageError, match="a watch was begun"),
        ):
            mark.reset()
        mark.reset()


def test_who_writes_what() -> None:
    with hv.Machine(ram="64KiB") as machine:
        code = [*asm.li(asm.T0, RAM + 0x5000), asm.sw(asm.T0, 0, asm.T0)]
        machine.mem.write(RAM, words([*code, *p.SPIN]))
        machine.boot(RAM)
        with machine.mark():
            machine.run(len(code) - 1)
            assert machine.written() == []
            machine.step()
            assert machine.written() == [(RAM + 0x5000) >> 12]


@pytest.mark.parametrize("style", STYLES)
def test_a_kernel_at_work(style: str) -> None:
    """Back from its end to its middle, twice: it ends as it had ended."""
    with hv.Hypervisor(ram="40MiB", harts=2) as hypervisor:
        vm = hypervisor.create(style=style, mem="8MiB", vcpus=2)
        other = hypervisor.create(mem="1MiB")
        other.mem.write(RAM, words([*p.count(10_000), *p.off()]))
        other.boot(RAM)
        vm.load(kernel(style).path)
        vm.boot()
        vm.run(150_000)
        mark, ends = hypervisor.mark(), []
        for _ in range(3):
            vm.run_until("halt")
            text = vm.console.text
            ends.append((hypervisor.hash(), text, vm.info, vm.counters))
            hypervisor.audit()
            vm.destroy()
            mark.reset()
        assert ends[0] == ends[1] == ends[2]
