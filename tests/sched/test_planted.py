"""Each planted bug of the scheduler is found, for the stated reason."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.equivalence.core import Checked, Core, build, sources
from tests.memory.puppet import Host
from tests.sched import cuts, programs, scenario
from tests.sched.simlib import (
    BLOCK,
    RUN,
    RUN_TO,
    SLEEP,
    SLEEP_TO,
    WORK,
    Library,
    Sim,
    simulator,
)
from tests.sched.test_edf import no_deadline_is_missed
from tests.sched.test_gangs import beside, runs_together

RECORDS = Path(__file__).with_name("planted.toml")
LONG = 10**7
RAM = 0x8000_0000
RANK, OVER = 62, 2  # csrc/sched/credit.h: of a key


def bugs() -> list[Checked]:
    """Return all records."""
    return Checked.read(RECORDS)


# -- checks on simulated harts ------------------------------------------------


def _theft_under_credit(library: Library) -> None:
    sim = Sim("credit", library=library)
    thief = sim.vm(steps=[(RUN_TO, 1000, 960), (SLEEP_TO, 1000, 5)])
    sim.vm()
    sim.run(LONG)
    assert sim.charged(thief) <= LONG // 2 + sim.slice, "theft pays"


def _shares(policy: str, library: Library) -> None:
    sim = Sim(policy, library=library)
    light, heavy = sim.vm(weight=256), sim.vm(weight=768)
    sim.run(LONG)
    for vm, part in ((light, 0.25), (heavy, 0.75)):
        assert abs(sim.charged(vm) / LONG - part) < 0.01, "not its share"


def _hoarding(policy: str, library: Library) -> None:
    """One that slept for long, or had a part of itself asleep."""
    sim = Sim(policy, library=library)
    hog = sim.vm()
    late = sim.vm(steps=[(RUN, 100, 0), (SLEEP, 40, 0)] * 3 + [(BLOCK, 0, 0)])
    sim.run(LONG // 2)
    sim.lib.sim_program(
        sim.raw, late, 0, sim.ffi.new("struct sim_step[]", [(RUN, 10**9, 0)]), 1
    )
    for _ in range(2):
        sim.interrupt(late)
    before = sim.charged(hog)
    sim.run(LONG // 2 + 40 * sim.slice)
    got = sim.charged(hog) - before
    slack = 3 * sim.slice if policy == "fair" else sim.period
    assert got >= 20 * sim.slice - slack, "it hoards what it did not use"


def _hoarding_under_credit(library: Library) -> None:
    """Two hogs beside one that hardly runs, but is never quite asleep."""
    sim = Sim("credit", library=library)
    sim.vm()
    dozer = sim.vm(steps=[(RUN, 50, 0), (SLEEP, 500, 0)])
    sim.run(LONG)
    assert sim.vcpu(dozer).credit <= sim.period + sim.slice, "it hoards"


def _width_under_fair(library: Library) -> None:
    sim = Sim("fair", library=library)
    many, one = sim.vm(4), sim.vm(1)
    sim.run(LONG)
    assert abs(sim.charged(many) - sim.charged(one)) < LONG // 50, "width pays"


def _lives(library: Library) -> None:
    for seed in range(40):
        for policy in scenario.SHARING:
            scenario.play(seed, policy, library)


def _lives_with_caps(library: Library) -> None:
    for cap in (1, 25, 150):
        sim = Sim("rr", 2, library=library)
        sim.vm(2, cap=cap)
        sim.run(LONG)
    _lives(library)


def _woken_twice(library: Library) -> None:
    sim = Sim("rr", library=library)
    sim.vm()
    sleeper = sim.vm(steps=[(RUN, 100, 0), (BLOCK, 0, 0)])
    sim.run(100_000)
    sim.interrupt(sleeper)
    sim.pause(sleeper)
    sim.pause(sleeper, on=False)
    sim.lib.sim_wake(sim.raw, sleeper, 0)
    sim.run(200_000)


def _cap_of_a_sleeper(library: Library) -> None:
    sim = Sim("rr", period=100_000, library=library)
    vm = sim.vm(cap=25, steps=[(RUN, 700, 0), (SLEEP, 50, 0)])
    sim.run(LONG)
    assert sim.charged(vm) > 0.24 * LONG, "less than its cap"


def _cap_on_two_harts(library: Library) -> None:
    sim = Sim("rr", 2, period=100_000, quantum=100, library=library)
    vm = sim.vm(2, cap=25)
    sim.run(LONG)
    assert sim.charged(vm) < 0.255 * (LONG + sim.period), "more than its cap"


def _deadlines(library: Library) -> None:
    for seed in range(40):
        no_deadline_is_missed(seed, library)


def _budget(library: Library) -> None:
    sim = Sim("edf", library=library)
    vm = sim.vm(budget=2_000, period=10_000)
    sim.vm()
    for period in range(1, 20):
        before = sim.charged(vm)
        sim.run(period * sim.period)
        got = sim.charged(vm) - before
        assert got < 25_000, "more than its budget"


def _server(library: Library) -> None:
    """Who sleeps away half of a period has no claim to all of its budget."""
    sim = Sim("edf", tick=10, library=library)
    sly = sim.vm(
        budget=4_000,
        period=10_000,
        steps=[(RUN, 10, 0), (SLEEP, 7_000, 0), (RUN, 10**9, 0)],
    )
    sim.run(90_000)
    assert sim.vcpu(sly).deadline > 10_000, "it kept its deadline"


def _gangs(library: Library) -> None:
    runs_together("fair", 3, library)


def _gang_beside_a_smaller(library: Library) -> None:
    assert beside("fair", 1, 2, library) < 1.1, "a gang starves its neighbour"


def _same_budget_again(library: Library) -> None:
    sim = Sim("edf", tick=10, library=library)
    vm = sim.vm(budget=2_000, period=10_000)
    for cycle in range(10_000, 90_000, 10_000):
        sim.run(cycle)
        sim.change(vm, budget=2_000, period=10_000)
    assert sim.charged(vm) < 25_000, "more than its budget"


def _forbidden_hart(library: Library) -> None:
    """Who has used up its credit waits behind others, wherever it goes."""
    sim = Sim("credit", 2, quantum=100, library=library)
    sim.vm(2, weight=1024)
    mover = sim.vm(weight=300, steps=[(RUN, 200, 0), (WORK, 10, 0)])
    moved = 0
    for cycle in range(1_000, LONG // 20, 500):
        sim.run(cycle)
        seen = sim.vcpu(mover)
        if seen.on < 0 or seen.credit > 0 or seen.key >> RANK == OVER:
            continue
        sim.pin(mover, 0, 3 & ~(1 << seen.on))
        now = cycle
        while sim.vcpu(mover).on == seen.on:
            sim.run(now := now + 20)
        assert sim.vcpu(mover).key >> RANK == OVER, "it keeps its old rank"
        sim.pin(mover, 0, 3)
        moved += 1
    assert moved > 2


def _lighter_while_asleep(library: Library) -> None:
    sim = Sim("fair", library=library)
    hog = sim.vm()
    sleeper = sim.vm(weight=4096, steps=[(BLOCK, 0, 0)])
    sim.run(LONG)
    sim.change(sleeper, weight=64)
    behind = sim.vcpu(sleeper).vtime < sim.vcpu(hog).vtime
    assert behind, "it waits until the end of time"


# -- checks on the machine ----------------------------------------------------

Seen = tuple[bytes, int, int]


def _vm(core: Core, host: Host, words: list[int] | None) -> int:
    config = core.ffi.new("struct hv_vm_config *")
    core.lib.hv_vm_config_default(config)
    config.style = core.lib.HV_STYLE_ASSIST
    config.mem_size = 1 << 20
    config.shadow_frames = 8
    out = core.ffi.new("uint32_t *")
    host.ok(core.lib.hv_vm_create(host.raw, config, out, core.ffi.NULL, 0))
    if words:
        code = b"".join(w.to_bytes(4, "little") for w in programs.native(words))
        host.ok(core.lib.hv_mem_write(host.raw, out[0], RAM, code, len(code)))
        host.ok(core.lib.hv_vm_boot(host.raw, out[0], RAM, 0, 0))
    return int(out[0])


def _seen(core: Core, words: list[int] | None) -> Seen:
    """Return what a victim saw beside this neighbour."""
    host = Host(core, 2048, policy=core.lib.HV_POLICY_SLOTS, slice=5_000)
    victim = _vm(core, host, programs.clockwatcher(2_000, 700))
    other = _vm(core, host, words)
    rows = [(victim, 5_000), (other, 3_000)]
    table = core.ffi.new("struct hv_slot[]", rows)
    host.ok(core.lib.hv_slots_set(host.raw, table, len(rows), core.ffi.NULL, 0))
    info = core.ffi.new("struct hv_vm_info *")
    for _ in range(200):
        host.run(20_000)
        host.ok(core.lib.hv_vm_info(host.raw, victim, info))
        if info.state == core.lib.HV_VM_OFF:
            break
    word = core.ffi.new("uint8_t[]", 4)
    host.ok(core.lib.hv_mem_read(host.raw, victim, RAM + 0xF00, word, 4))
    return bytes(core.ffi.buffer(word)), int(info.insns), int(info.cycles)


def _two_runs(core: Core) -> None:
    alone = _seen(core, None)
    for words in (
        programs.hog(),
        programs.caller(),
        programs.toucher(200),
        programs.sleeper(37),
        programs.sleeper(4_999),
    ):
        assert _seen(core, words) == alone, "the clock tells of a neighbour"


SIMULATED: dict[str, Callable[[Library], None]] = {
    "theft_under_credit": _theft_under_credit,
    "shares_under_credit": lambda library: _shares("credit", library),
    "shares_under_fair": lambda library: _shares("fair", library),
    "hoarding_under_credit": _hoarding_under_credit,
    "hoarding_under_fair": lambda library: _hoarding("fair", library),
    "width_under_fair": _width_under_fair,
    "lives": _lives,
    "lives_with_caps": _lives_with_caps,
    "woken_twice": _woken_twice,
    "cap_of_a_sleeper": _cap_of_a_sleeper,
    "cap_on_two_harts": _cap_on_two_harts,
    "deadlines": _deadlines,
    "budget": _budget,
    "server": _server,
    "gangs": _gangs,
    "gang_beside_a_smaller": _gang_beside_a_smaller,
    "same_budget_again": _same_budget_again,
    "forbidden_hart": _forbidden_hart,
    "lighter_while_asleep": _lighter_while_asleep,
}
REAL: dict[str, Callable[[Core], None]] = {
    "two_runs": _two_runs,
    "long_call": cuts.a_long_call_is_cut,
    "forged": cuts.forged_progress_is_checked,
}


def _check(name: str, files: dict[str, str]) -> None:
    """Let a check look at what these sources make."""
    if name in SIMULATED:
        SIMULATED[name](Library(simulator(files)))
    else:
        REAL[name](Core(build(files)))


@pytest.mark.parametrize("check", [*SIMULATED, *REAL])
def test_the_scheduler_as_it_is_passes(check: str) -> None:
    _check(check, sources())


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Checked) -> None:
    with pytest.raises(AssertionError, match=bug.shows):
        _check(bug.by, bug.files())
