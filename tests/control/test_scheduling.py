"""What is asked of the scheduler, and what it says that everybody got."""

from collections.abc import Callable

import pytest

import hv
from tests.control import programs as p
from tests.control.elfs import words

RAM = 0x80000000


def start(
    hypervisor: hv.Hypervisor, code: list[int], **options: object
) -> hv.VM:
    """Boot instructions in a small VM."""
    vm = hypervisor.create(mem="1MiB", **options)  # type: ignore[arg-type]
    vm.mem.write(RAM, words(code))
    vm.boot(RAM)
    return vm


def test_only_what_is_named_changes() -> None:
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create(weight=512)
        assert vm.schedule.weight == 512
        assert (vm.schedule.cap, vm.schedule.gang) == (0, False)
        vm.change_schedule(cap=50)
        vm.change_schedule(gang=True)
        assert vm.schedule == hv.Schedule(512, 50, 0, 0, gang=True)
        vm.change_schedule()
        assert vm.schedule == hv.Schedule(512, 50, 0, 0, gang=True)


def test_a_vm_starts_with_the_documented_schedule() -> None:
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create()
        assert vm.schedule == hv.Schedule(256, 0, 0, 0, gang=False)
        assert hypervisor.policy is hv.Policy.RR


def test_every_cycle_of_a_hart_is_booked_once() -> None:
    with hv.Hypervisor(slice=100) as hypervisor:
        vms = [start(hypervisor, p.SPIN) for _ in range(3)]
        hypervisor.run(50_000)
        (hart,) = hypervisor.harts
        assert hart.cycles == hart.guest + hart.hypervisor + hart.idle
        assert hart.cycles == hypervisor.info.cycles
        assert hypervisor[hart.vm or 0].vcpus[0].state is hv.Runstate.RUNNING
        charged = sum(vm.vcpus[0].charged for vm in vms)
        booked = hart.guest + hart.hypervisor
        # What the hart does now is in its books, but nobody's yet.
        assert 0 <= booked - charged < 100 * hypervisor.host.time_div


WAIT = [0x10500073, 0xFFDFF06F]  # wfi, and again


@pytest.mark.parametrize("policy", ["rr", "credit", "fair"])
def test_a_cap_is_nothing_to_wait_for(policy: str) -> None:
    """A VM that sleeps with a cap sleeps until somebody wakes it."""
    with hv.Hypervisor(policy=policy, period=1000) as hypervisor:
        start(hypervisor, WAIT, cap=50)
        assert hypervisor.run().reason is hv.RunReason.IDLE
        before = hypervisor.info.cycles
        assert hypervisor.run().reason is hv.RunReason.IDLE
        assert hypervisor.info.cycles == before


def test_who_is_woken_without_any_cap_left_runs_in_the_next_period() -> None:
    with hv.Hypervisor(policy="credit", period=1000, slice=100) as hypervisor:
        vm = start(hypervisor, p.SPIN, cap=1)
        hypervisor.run(500)
        vm.pause()
        hypervisor.run(1)
        before = vm.info.insns
        vm.resume()
        hypervisor.run(100)
        assert vm.info.insns == before + 100


def test_who_waits_for_a_hart_is_stolen_from() -> None:
    with hv.Hypervisor(slice=100) as hypervisor:
        one, other = (start(hypervisor, p.SPIN) for _ in range(2))
        idle = hypervisor.create(mem="1MiB")
        hypervisor.run(100_000)
        now = hypervisor.info.cycles // hypervisor.host.time_div
        for vm in (one, other):
            (vcpu,) = vm.vcpus
            assert vcpu.steal == vcpu.runnable
            assert vcpu.running + vcpu.runnable == pytest.approx(now, abs=2)
            assert vcpu.steal == pytest.approx(now / 2, rel=0.1)
        (vcpu,) = idle.vcpus
        assert (vcpu.state, vcpu.hart) == (hv.Runstate.OFFLINE, None)
        assert vcpu.charged == 0


def test_a_vcpu_is_pinned_to_the_harts_there_are() -> None:
    with hv.Hypervisor(harts=2) as hypervisor:
        vm = hypervisor.create(vcpus=2)
        assert [vcpu.affinity for vcpu in vm.vcpus] == [(0, 1), (0, 1)]
        vm.pin(1, [1])
        assert [vcpu.affinity for vcpu in vm.vcpus] == [(0, 1), (1,)]
        vm.pin(1, None)
        assert vm.vcpus[1].affinity == (0, 1)


MISUSE: dict[str, Callable[[hv.Hypervisor, hv.VM], object]] = {
    "no weight": lambda _, vm: vm.change_schedule(weight=0),
    "much weight": lambda _, vm: vm.change_schedule(weight=65536),
    "text": lambda _, vm: vm.change_schedule(weight="1"),  # type: ignore[arg-type]
    "a large cap": lambda _, vm: vm.change_schedule(cap=801),
    "a negative cap": lambda _, vm: vm.change_schedule(cap=-1),
    "a budget alone": lambda _, vm: vm.change_schedule(budget=5),
    "a period alone": lambda _, vm: vm.change_schedule(period=5),
    "a budget over its period": lambda _, vm: vm.change_schedule(
        budget=6, period=5
    ),
    "a gang of 2": lambda _, vm: vm.change_schedule(gang=2),  # type: ignore[arg-type]
    "create without weight": lambda h, _: h.create(weight=0),
    "create with half a reservation": lambda h, _: h.create(budget=1),
    "pin nobody": lambda _, vm: vm.pin(1, [0]),
    "pin nowhere": lambda _, vm: vm.pin(0, []),
    "pin to no hart": lambda _, vm: vm.pin(0, [2]),
    "pin to a name": lambda _, vm: vm.pin(0, "0"),  # type: ignore[arg-type]
    "pin to a number": lambda _, vm: vm.pin(0, 0),  # type: ignore[arg-type]
    "pin to text": lambda _, vm: vm.pin(0, ["a"]),  # type: ignore[list-item]
    "slots without the policy": lambda h, vm: h.slots([(vm, 10_000)]),
    "slots of numbers": lambda h, _: h.slots([(1, 5)]),  # type: ignore[list-item]
    "slots of text": lambda h, _: h.slots("ab"),  # type: ignore[arg-type]
    "empty slots": lambda h, vm: h.slots([(vm, 0)]),
    "many slots": lambda h, vm: h.slots([(vm, 200)] * 65),
    "watch nothing": lambda h, _: h.watch([]),
    "watch text": lambda h, _: h.watch("run"),
    "watch no such thing": lambda h, _: h.watch(["ran"]),
    "watch a little": lambda h, _: h.watch(capacity=5).__enter__(),
    "watch too much": lambda h, _: h.watch(capacity=1 << 23).__enter__(),
    "watch a name": lambda h, _: h.watch(capacity="9"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("name", MISUSE)
def test_misuse(name: str) -> None:
    with hv.Hypervisor(harts=2) as hypervisor:
        vm = hypervisor.create(mem="1MiB")
        before = hypervisor.hash(), vm.schedule, vm.vcpus
        with pytest.raises(hv.UsageError):
            MISUSE[name](hypervisor, vm)
        assert (hypervisor.hash(), vm.schedule, vm.vcpus) == before
        assert len(hypervisor.vms) == 1


BAD_HOSTS: list[dict[str, object]] = [
    {"policy": "lottery"},
    {"policy": 3},
    {"period": 0},
    {"slice": 0},
    {"period": 1 << 32},
]


@pytest.mark.parametrize("options", BAD_HOSTS, ids=str)
def test_bad_hosts(options: dict[str, object]) -> None:
    with pytest.raises(hv.UsageError):
        hv.Hypervisor(**options)  # type: ignore[arg-type]


def test_a_slot_of_a_destroyed_vm() -> None:
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create()
        vm.destroy()
        with pytest.raises(hv.ClosedError):
            hypervisor.slots([(vm, 10_000)])


# -- events ------------------------------------------------------------------


def test_the_names_of_events_are_those_of_the_core() -> None:
    from hv import events  # noqa: PLC0415 -- the module, not the names

    assert set(events.kinds()) == set(hv.EventKind)
    assert all(events.meanings().values())


def test_events_tell_who_ran() -> None:
    with hv.Hypervisor(slice=100) as hypervisor:
        vms = [start(hypervisor, p.SPIN) for _ in range(2)]
        with hypervisor.watch(["run", "stop"]) as watch:
            hypervisor.run(20_000)
        hypervisor.run(20_000)
        kinds = [event.kind for event in watch.events]
        assert kinds[:3] == ["run", "stop", "run"]
        assert {event.vm for event in watch.events} == {v.number for v in vms}
        cycles = [event.cycle for event in watch.events]
        assert cycles == sorted(cycles)
        # What it ran by the events is what it ran by the books.
        ran = dict.fromkeys((vm.number for vm in vms), 0)
        begun = 0
        for event in watch.events:
            if event.kind is hv.EventKind.RUN:
                begun = event.cycle
            else:
                ran[event.vm] += event.cycle - begun
        assert min(ran.values()) > 0


def test_nothing_is_lost_however_small_the_ring() -> None:
    traces = []
    for capacity in (1024, 1 << 20):
        with hv.Hypervisor(slice=1) as hypervisor:
            for _ in range(2):
                start(hypervisor, p.SPIN)
            with hypervisor.watch(capacity=capacity) as watch:
                hypervisor.run(30_000)
            traces.append((watch.events.data, hypervisor.hash()))
    assert traces[0] == traces[1]
    assert len(traces[0][0]) > 1024 * 32


def test_watching_changes_nothing() -> None:
    hashes = []
    for kinds in ([], list(hv.EventKind)):
        with hv.Hypervisor(slice=50) as hypervisor:
            for _ in range(2):
                start(hypervisor, [*p.say("x"), *p.count(500), *p.off()])
            if kinds:
                with hypervisor.watch(kinds, capacity=1024):
                    hypervisor.run()
            else:
                hypervisor.run()
            hashes.append(hypervisor.hash())
    assert hashes[0] == hashes[1]


def test_events_of_what_the_host_does_are_not_lost_either() -> None:
    with hv.Hypervisor() as hypervisor:
        vm = start(hypervisor, p.SPIN)
        with hypervisor.watch(["sleep", "wake"], capacity=1024) as watch:
            for _ in range(3000):
                vm.pause()
                vm.resume()
        kinds = [event.kind for event in watch.events]
        assert kinds.count(hv.EventKind.WAKE) == 3000
        assert kinds.count(hv.EventKind.SLEEP) == 3000


def test_events_can_be_taken_piece_by_piece() -> None:
    with hv.Hypervisor(slice=20) as hypervisor:
        for _ in range(2):
            start(hypervisor, p.SPIN)
        pieces = []
        with hypervisor.watch() as watch:
            for _ in range(5):
                hypervisor.run(3000)
                pieces.append(watch.take())
                assert len(watch.events) == 0
        assert all(pieces)
        cycles = [event.cycle for piece in pieces for event in piece]
        assert cycles == sorted(cycles)


def test_events_are_a_sequence() -> None:
    with hv.Hypervisor(slice=20) as hypervisor:
        for _ in range(2):
            start(hypervisor, p.SPIN)
        with hypervisor.watch() as watch:
            hypervisor.run(3000)
    events = watch.events
    everything = list(events)
    assert len(everything) == len(events) > 20
    assert events[3] == everything[3]
    assert events[-1] == everything[-1]
    assert list(events[2:9]) == everything[2:9]
    assert list(events[::-3]) == everything[::-3]
    assert list(events[9:2]) == []
    assert list(events.of("run")) == [e for e in everything if e.kind == "run"]
    with pytest.raises(IndexError):
        events[len(events)]
    with pytest.raises(hv.UsageError):
        events.of("ran")


def test_one_watches_at_a_time() -> None:
    with hv.Hypervisor() as hypervisor:
        with hypervisor.watch(["run"]):
            with pytest.raises(hv.UsageError, match="already"):
                hypervisor.watch(["stop"]).__enter__()
            hypervisor.run(10)
        with hypervisor.watch(["stop"]) as watch:
            hypervisor.run(10)
        assert len(watch.events) == 0


def test_a_watch_outlives_its_hypervisor() -> None:
    hypervisor = hv.Hypervisor()
    start(hypervisor, p.SPIN)
    with hypervisor.watch(["run"]) as watch:
        hypervisor.run(10)
        hypervisor.close()
    assert [event.kind for event in watch.events] == ["run"]
