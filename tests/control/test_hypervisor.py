"""Many VMs on one machine: their lives, their names, their frames."""

import threading

import pytest

import hv
from tests.control import programs as p
from tests.control.conftest import Kernel

RAM = 0x80000000


def test_three_kernels_side_by_side(kernel: Kernel) -> None:
    with hv.Hypervisor(slice=500, ram="64MiB") as hypervisor:
        for name, code in {
            "good": [*p.count(100_000), *p.say("done\n"), *p.off()],
            "bad": [*p.count(50_000), *p.off(3)],
            "endless": p.SPIN,
        }.items():
            vm = hypervisor.create(name=name, mem="8MiB", max_insns=1_000_000)
            vm.load(kernel(code))
            vm.boot()
        ends = []
        while (result := hypervisor.run(on_end=True)).reason != "done":
            ends.append(hypervisor[result.vm].name)
            hypervisor.audit()
        assert ends == ["bad", "good", "endless"]
        assert [vm.state for vm in hypervisor] == ["off", "off", "budget"]
        assert hypervisor["good"].console.text == "done\n"
        assert hypervisor["bad"].exit_code == 3


def test_a_guest_that_yields_lets_the_next_one_run(kernel: Kernel) -> None:
    times = 20
    with hv.Hypervisor(ram="64MiB") as hypervisor:
        vms = [hypervisor.create(style="pv", mem="8MiB") for _ in range(2)]
        for vm in vms:
            vm.load(kernel([*p.hypercall(p.YIELD) * times, *p.off()]))
            vm.boot()
        hypervisor.run()
        assert [vm.counters["switches"] for vm in vms] == [times + 1] * 2


def test_names_and_numbers() -> None:
    with hv.Hypervisor() as hypervisor:
        first, second = hypervisor.create(), hypervisor.create(name="x")
        assert [vm.name for vm in hypervisor.vms] == ["vm1", "x"]
        assert hypervisor["x"] is hypervisor[second.number] is second
        with pytest.raises(hv.UsageError, match="already"):
            hypervisor.create(name="x")
        for wrong in ("y", 0, 99):
            with pytest.raises(hv.UsageError, match="no VM"):
                hypervisor[wrong]
        first.destroy()
        assert hypervisor.vms == (second,)
        assert hypervisor.info.vms == 1


def test_a_life_gives_every_frame_back(kernel: Kernel) -> None:
    path = kernel([*p.say("x"), *p.off()])
    with hv.Hypervisor() as hypervisor:
        before = hypervisor.info
        for _ in range(100):
            vm = hypervisor.create()
            vm.load(path)
            vm.boot()
            hypervisor.run()
            vm.destroy()
            assert vm.console.text == "x"
        after = hypervisor.info
        assert after.frames_free == before.frames_free
        assert after.frames_reserved == before.frames_reserved == 0
        hypervisor.audit()


def test_memory_is_promised_only_once() -> None:
    with hv.Hypervisor(ram="64MiB") as hypervisor:
        for _ in range(3):
            hypervisor.create(mem="16MiB")
        with pytest.raises(hv.NoMemory, match="frames"):
            hypervisor.create(mem="16MiB")
        hypervisor.vms[0].destroy()
        hypervisor.create(mem="16MiB")
        hypervisor.audit()


def test_pause_and_resume(kernel: Kernel) -> None:
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create()
        vm.load(kernel([*p.count(1000), *p.off()]))
        with pytest.raises(hv.UsageError):
            vm.pause()
        vm.boot()
        hypervisor.run(100)
        vm.pause()
        assert vm.state is hv.State.PAUSED
        before = vm.info.insns
        assert hypervisor.run(1000).insns == 0
        assert vm.info.insns == before
        with pytest.raises(hv.ConsoleEnded, match="paused"):
            vm.console.recvline()
        with pytest.raises(hv.UsageError):
            vm.pause()
        vm.resume()
        with pytest.raises(hv.UsageError):
            vm.resume()
        vm.run_until("halt")


def test_the_frame_table_says_whose_each_frame_is(kernel: Kernel) -> None:
    with hv.Hypervisor(ram="32MiB") as hypervisor:
        vm = hypervisor.create(mem="8MiB")
        vm.load(kernel(p.SPIN))
        vm.boot()
        hypervisor.run(1000)
        frames = list(hypervisor.frames())
        info = hypervisor.info
        assert len(frames) == info.frames
        mine = [f for f in frames if f.owner == vm.number]
        assert len(mine) == vm.info.frames
        for frame in mine:
            assert frame.gfn is not None
            assert vm.frame_of(frame.gfn) == frame.number
        shadows = [f for f in frames if f.shadow]
        assert len(shadows) == vm.info.shadow_frames > 0
        assert len([f for f in frames if f.owner == 0]) == info.frames_free
        assert vm.frame_of(0x80700) is None
        with pytest.raises(hv.UsageError):
            vm.frame_of(0x90000)
        with pytest.raises(hv.UsageError):
            hypervisor.frame(frames[-1].number + 1)
        assert hypervisor.tlb(0, "fetch")
        with pytest.raises(hv.UsageError):
            hypervisor.tlb(7)


def test_counters_add_up(kernel: Kernel) -> None:
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create()
        vm.load(kernel([*p.say("abc"), *p.off()]))
        vm.boot()
        before = vm.counters
        hypervisor.run()
        counted = vm.counters - before
        assert counted.exit_sbi == 3
        assert counted.exits == sum(counted.exits_by_reason.values())
        assert hypervisor.hart_counters()["traps_m"] >= counted.exits
        with pytest.raises(AttributeError):
            counted.exit_nothing  # noqa: B018


def test_a_debug_run_audits_at_every_exit(kernel: Kernel) -> None:
    with hv.Hypervisor(audit=True, ram="32MiB") as hypervisor:
        vm = hypervisor.create(mem="8MiB")
        vm.load(kernel([*p.say("abc"), *p.off()]))
        vm.boot()
        vm.run_until("halt")


def test_costs_can_be_chosen(kernel: Kernel) -> None:
    path = kernel([*p.say("abc"), *p.off()])
    cycles = []
    for cost in (0, 1000):
        with hv.Hypervisor(costs={"exit": cost}) as hypervisor:
            vm = hypervisor.create()
            vm.load(path)
            vm.boot()
            hypervisor.run()
            cycles.append((vm.info.cycles, vm.counters.exits))
    (cheap, exits), (dear, same) = cycles
    assert exits == same
    assert dear - cheap == 1000 * exits


def test_threads_take_turns(kernel: Kernel) -> None:
    path = kernel([*p.count(2_000_000), *p.off()])
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create()
        vm.load(path)
        vm.boot()
        errors: list[BaseException] = []

        def look() -> None:
            try:
                while not vm.state.ended:
                    vm.mem.read(RAM, 4)
                    hypervisor.run(100)
            except BaseException as error:  # noqa: BLE001
                errors.append(error)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert vm.exit_code == 0


def test_closing_under_a_running_thread(kernel: Kernel) -> None:
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create()
        vm.load(kernel(p.SPIN))
        vm.boot()
        caught: list[BaseException] = []

        def run() -> None:
            try:
                hypervisor.run()
            except hv.ClosedError as error:
                caught.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        hypervisor.close()
        thread.join()
        assert len(caught) == 1
