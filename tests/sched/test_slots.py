"""Fixed slots: what others do cannot be told, not even by the clock (P19)."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hv
from hv import images
from hv.spec.sched import Table
from tests.sched import programs
from tests.sched.programs import RAM
from tests.sched.simlib import RUN, SLEEP, WORK, YIELD, Refused, Sim

STYLES = ("emulate", "assist", "nested", "pv")
PAD_EXIT, PAD = 12_000, 14_000  # cycles: csrc/sched/slots.c
TICK = 10
SLOTS = (5_000, 3_000, 2_000)  # ticks: the victim's, the other's, nobody's
NEIGHBOURS: dict[str, list[int] | None] = {
    "absent": None,
    "hog": programs.hog(),
    "calls": programs.caller(),
    "faults": programs.toucher(200),
    "timers": programs.sleeper(37),
    "sleeper": programs.sleeper(4_999),
}
ATTACKS = (
    "hostile-timer-storm", "hostile-trap-storm", "hostile-thrash",
    "hostile-flood", "hostile-ipi-storm", "hostile-sleep", "hostile-siege",
)  # fmt: skip


def _host(harts: int, policy: str = "slots") -> hv.Hypervisor:
    return hv.Hypervisor(ram="64MiB", policy=policy, harts=harts, slice=5_000)


def trace(
    style: str, neighbour: str, harts: int = 1, policy: str = "slots"
) -> tuple[object, ...]:
    """Return all that a victim saw of the world, and what it was charged."""
    with _host(harts, policy) as host:
        victim = host.create(
            style=style, mem="1MiB", shadow_frames=8 * harts, vcpus=harts
        )
        mem = "1MiB" if neighbour in NEIGHBOURS else "16MiB"
        other = host.create(style=style, mem=mem, vcpus=harts)
        if policy == "slots":
            host.slots(zip((victim, other, None), SLOTS, strict=True))
        watcher = programs.clockwatcher(4_000, 700)
        programs.load(victim, programs.on_all(harts, watcher))
        code = NEIGHBOURS.get(neighbour)
        if code:
            programs.load(other, programs.on_all(harts, code))
        elif code is None and neighbour != "absent":
            other.load(images.find(neighbour))
            other.boot()
        while victim.state is not hv.State.OFF:
            host.run(100_000, on_end=True)
        return (
            victim.mem.read(RAM + 0xF00, 4 * harts),
            victim.info.insns,
            [vcpu.charged for vcpu in victim.vcpus],
            dict(victim.counters),
        )


@pytest.mark.parametrize("harts", [1, 2, 4])
@pytest.mark.parametrize("style", STYLES)
def test_a_vm_cannot_tell_what_others_do(style: str, harts: int) -> None:
    alone = trace(style, "absent", harts)
    for neighbour in NEIGHBOURS:
        assert trace(style, neighbour, harts) == alone, neighbour


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_vm_cannot_tell_that_it_is_attacked(attack: str) -> None:
    assert trace("assist", attack) == trace("assist", "absent")


def test_under_another_policy_it_can() -> None:
    """Or the victim would be blind."""
    assert trace("assist", "hog", policy="rr") != trace(
        "assist", "absent", policy="rr"
    )


@pytest.mark.parametrize("neighbour", sorted(NEIGHBOURS))
def test_a_slot_begins_on_time(neighbour: str) -> None:
    """Its VM's first instruction is a fixed time after it, to the cycle."""
    with _host(2) as host:
        victim, other = (
            host.create(style="assist", mem="1MiB", vcpus=2) for _ in range(2)
        )
        host.slots(zip((victim, other, None), SLOTS, strict=True))
        programs.load(victim, programs.on_all(2, programs.hog()))
        code = NEIGHBOURS[neighbour]
        if code:
            programs.load(other, programs.on_all(2, code))
        with host.watch(["slot", "enter"]) as watch:
            host.run(400_000)
            events = list(watch.events)
    cycle = sum(SLOTS) * TICK
    first, begun = [], [False, False]
    for event in events:
        if event.kind == hv.EventKind.SLOT:
            assert event.arg == 0, "late"
            begun[event.hart] = event.vm == victim.number
        elif begun[event.hart] and event.vm == victim.number:
            first.append((event.cycle - TICK) % cycle)
            begun[event.hart] = False
    assert len(first) > 6
    # The first slot of all may find its vCPUs not started yet.
    assert set(first[2:]) == {PAD}


def test_what_comes_late_is_told() -> None:
    sim = Sim("slots")
    sim.watch("slot")
    victim, other = sim.vm(), sim.vm(steps=[(WORK, PAD_EXIT + 5_000, 0)])
    sim.slots((victim, 5_000), (other, 5_000))
    sim.run(1_000_000)
    late: dict[int, int] = {}
    for event in sim.take():
        late[event.vm] = max(late.get(event.vm, 0), event.arg)
    assert late[other] == 0
    assert 0 < late[victim] < 10_000


@given(seed=st.integers(0, 1 << 32))
def test_whose_turn_it_is(seed: int) -> None:
    """Nobody ever runs in another's slot, on any hart, by any table."""
    rng = random.Random(seed)
    sim = Sim("slots", rng.choice((1, 2, 4)), quantum=rng.choice((100, 5000)))
    sim.watch("run", "stop", "enter")
    steps = [(RUN, 900, 0), (SLEEP, 70, 0), (RUN, 50_000, 0), (YIELD, 0, 0)]
    vms = [sim.vm(rng.randrange(1, sim.harts + 1), steps=steps) for _ in "abc"]
    rows = [
        (rng.choice((0, *vms)), rng.randrange(1_401, 9_000))
        for _ in range(rng.randrange(1, 6))
    ]
    begins = sim.now // TICK + 1
    sim.slots(*rows)
    sim.run(1_000_000)
    table = Table(rows, begins)
    for event in sim.take():
        if event.kind == "enter" and event.vm:
            time = event.cycle // TICK
            vm, start, end = table.turn(time)
            # At its end one exit may be in progress, and no more.
            if time - start < PAD // TICK:
                vm, start, end = table.turn(start - 1)
            assert event.vm == vm, (time, start, end)
            assert event.hart == event.vcpu


def test_a_new_table_is_for_the_next_turn() -> None:
    sim = Sim("slots")
    first, second = sim.vm(), sim.vm()
    sim.slots((first, 5_000), (0, 5_000))
    sim.run(230_000)
    sim.slots((second, 10_000))
    sim.run(300_000)
    assert sim.charged(second) == 0
    before = sim.charged(first)
    sim.run(1_300_010)
    assert sim.charged(first) - before < PAD_EXIT
    assert sim.charged(second) > 9 * (100_000 - PAD) - PAD


def test_a_host_without_a_table_waits() -> None:
    with _host(1) as host:
        vm = host.create(mem="1MiB")
        programs.load(vm, programs.hog())
        assert host.run(1_000).reason is hv.RunReason.IDLE
        host.slots([(vm, 5_000)])
        assert host.run(1_000).reason is hv.RunReason.BUDGET


def test_a_host_where_all_sleep_is_idle() -> None:
    with _host(1) as host:
        vm = host.create(mem="16MiB")
        vm.load(images.find("hostile-sleep"))
        host.slots([(vm, 5_000), (None, 5_000)])
        vm.boot()
        assert host.run(1_000_000).reason is hv.RunReason.IDLE


@pytest.mark.parametrize("code", [programs.hog(), programs.sleeper(50)])
def test_who_has_no_slot_does_not_keep_a_host_awake(code: list[int]) -> None:
    with _host(1) as host:
        first, second = host.create(mem="1MiB"), host.create(mem="1MiB")
        programs.load(second, code)
        host.slots([(second, 5_000)])
        assert host.run(1_000).reason is hv.RunReason.BUDGET
        host.slots([(first, 5_000)])
        assert host.run(1_000_000).reason is hv.RunReason.IDLE
        host.slots([(second, 5_000)])
        assert host.run(1_000).reason is hv.RunReason.BUDGET


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "1 to 64 rows"),
        ([(0, 5_000)] * 65, "1 to 64 rows"),
        ([(7, 5_000)], "no such VM"),
        ([(1, 1_400)], "longer than its padding"),
        ([(0, 0)], "longer than its padding"),
    ],
)
def test_what_a_table_may_not_have(
    rows: list[tuple[int, int]], why: str
) -> None:
    sim = Sim("slots")
    sim.vm()
    if len(rows) <= 64:
        with pytest.raises(Refused, match=why):
            sim.slots(*rows)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"style": "direct"}, "direct"),
        ({"vcpus": 2}, "more vCPUs"),
        ({"cap": 50}, "no cap"),
        ({"budget": 5, "period": 50}, "no cap"),
        ({"gang": True}, "no cap"),
    ],
)
def test_who_would_meet_others_is_refused(
    options: dict[str, object], why: str
) -> None:
    with _host(1) as host, pytest.raises(hv.UsageError, match=why):
        host.create(mem="1MiB", **options)  # type: ignore[arg-type]


def test_what_lets_vms_meet_is_refused() -> None:
    with pytest.raises(hv.UsageError, match="admission must be strict"):
        hv.Hypervisor(policy="slots", admission="overcommit")
    with pytest.raises(hv.UsageError, match="asid_bits"):
        hv.Hypervisor(policy="slots", harts=2, asid_bits=0)
    with _host(2) as host:
        vm = host.create(mem="1MiB", vcpus=2)
        with pytest.raises(hv.UsageError):
            host.share()
        with pytest.raises(hv.UsageError):
            vm.pin(0, [1])
        vm.pin(0, [0])
