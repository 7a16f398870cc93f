"""Style ``direct`` does what hv.spec.direct says, whatever a guest tries."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hv
from hv import images
from hv.abi import Hypercall
from hv.spec import Answer
from tests.direct.logged import Logged
from tests.direct.programs import Program
from tests.direct.world import KERNEL, LEAF, PAGE, SBI_HV, USER, World
from tests.equivalence.core import good_core

STEPS = 40


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.integers(1, STEPS))
def test_random_programs(random: Random, steps: int) -> None:
    Program(World(good_core()), random).run(steps)


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.integers(1, STEPS))
def test_random_programs_while_stores_are_logged(
    random: Random, steps: int
) -> None:
    Logged(World(good_core()), random).run(steps)


def test_all_its_memory_is_there_at_once_and_given_back() -> None:
    with hv.Hypervisor(ram="16MiB") as hypervisor:
        free = hypervisor.info.frames_free
        vm = hypervisor.create(style="direct", mem="4MiB")
        assert vm.info.frames == 1024
        assert hypervisor.info.frames_free == free - 1024
        with pytest.raises(hv.NoMemory):
            hypervisor.create(style="direct", mem="12MiB")
        vm.destroy()
        hypervisor.audit()
        assert hypervisor.info.frames_free == free


@pytest.mark.parametrize("other", ["emulate", "assist", "pv"])
def test_the_style_is_for_life(other: str) -> None:
    with hv.Hypervisor(ram="32MiB") as hypervisor:
        direct = hypervisor.create(style="direct", mem="4MiB")
        shadowed = hypervisor.create(style=other, mem="4MiB")
        for vm, style in ((direct, other), (shadowed, "direct")):
            with pytest.raises(hv.UsageError):
                vm.change_style(style)


@pytest.mark.parametrize("call", ["memory_map", "pt_pin", "pt_unpin"])
def test_calls_about_tables_are_for_this_style_alone(call: str) -> None:
    with hv.Hypervisor(ram="16MiB") as hypervisor:
        vm = hypervisor.create(style="pv", mem="4MiB")
        vm.mem.write(vm.mem.base, (0x73).to_bytes(4, "little"))  # ecall
        vm.boot(entry=vm.mem.base)
        cpu = vm.cpu[0]
        cpu.a7, cpu.a6 = SBI_HV, Hypercall[call.upper()]
        cpu.a0, cpu.a1, cpu.a2 = vm.mem.base + PAGE, 1, vm.mem.base
        vm.step()
        assert cpu.a0 == 2**32 - 2  # not supported


def test_the_kernel_with_an_audit_at_every_exit() -> None:
    with hv.Hypervisor(ram="16MiB", audit=True) as hypervisor:
        vm = hypervisor.create(style="direct", mem="6MiB")
        vm.load(images.kernel("direct"), append="run=forks")
        vm.boot()
        vm.run_until("halt")
        assert vm.exit_code == 0


def test_a_vm_that_ends_with_tables_leaves_nothing() -> None:
    with hv.Hypervisor(ram="32MiB") as hypervisor:
        free = hypervisor.info.frames_free
        vm = hypervisor.create(style="direct", mem="6MiB")
        vm.load(images.kernel("direct"), append="run=forks")
        vm.boot()
        vm.run(max_insns=900_000)
        assert vm.counters["pins"] > 20
        vm.destroy()
        hypervisor.audit()
        assert hypervisor.info.frames_free == free


def test_a_root_in_force_outlives_its_pin() -> None:
    world = World(good_core())
    for page in (KERNEL, USER):
        error = world.call(0, Hypercall.PT_UNPIN, page * PAGE)
        world.same_answer(error, world.spec.unpin(page * PAGE))
    world.same()
    assert world.spec.level(KERNEL) == 1
    error = world.call(0, Hypercall.PT_UNPIN, LEAF * PAGE)
    assert error == Answer.DENIED
    world.set_roots(0, 0)
    world.same()
    assert world.spec.level(KERNEL) is None
